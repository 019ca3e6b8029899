#include "worker/moe/dispatch.h"

#include <torch/csrc/autograd/custom_function.h>

#include <cstddef>
#include <vector>

namespace balancemoe::worker {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class DispatchFunction : public torch::autograd::Function<DispatchFunction> {
 public:
  static variable_list forward(AutogradContext* context,
                               c10::intrusive_ptr<LayerPass> pass,
                               const torch::Tensor& hidden,
                               const torch::Tensor& /*lent*/) {
    const torch::Tensor token_of_row =
        pass->routes().choice_of_row.floor_divide(pass->routes().top_k);
    const torch::Tensor rows = hidden.index_select(0, token_of_row);
    variable_list outputs = {pass->Zero()};
    for (torch::Tensor& batch : pass->Check(
             pass->exchange().ToExperts(rows, pass->exchange_times()))) {
      outputs.push_back(std::move(batch));
    }
    pass->EndStep();
    LayerPass::SaveIn(context, std::move(pass));
    return outputs;
  }

  static variable_list backward(AutogradContext* context,
                                variable_list gradients) {
    const auto pass = LayerPass::Of(context);
    const int64_t hidden = pass->context().store->shape().hidden;
    std::vector<torch::Tensor> batches;
    for (size_t i = 1; i < gradients.size(); ++i) {
      batches.push_back(gradients[i].contiguous());
    }
    const torch::Tensor rows = pass->Check(
        pass->exchange().FromExperts(batches, pass->exchange_times()));
    const torch::Tensor gradient = pass->routes()
                                       .ToChoices(rows)
                                       .view({-1, pass->routes().top_k, hidden})
                                       .sum(/*dim=*/1);
    pass->EndStep();
    return {torch::Tensor(), gradient, pass->Zero()};
  }
};

}  // namespace

Dispatched Dispatch(const c10::intrusive_ptr<LayerPass>& pass,
                    const torch::Tensor& hidden, const torch::Tensor& lent) {
  variable_list outputs = DispatchFunction::apply(pass, hidden, lent);
  return {.link = outputs.front(),
          .batches = {outputs.begin() + 1, outputs.end()}};
}

}  // namespace balancemoe::worker
