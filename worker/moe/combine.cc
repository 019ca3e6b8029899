#include "worker/moe/combine.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/engine.h>

#include <utility>

namespace balancemoe::worker {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class CombineFunction : public torch::autograd::Function<CombineFunction> {
 public:
  static torch::Tensor forward(AutogradContext* context,
                               c10::intrusive_ptr<LayerPass> pass,
                               const torch::Tensor& /*link*/,
                               at::TensorList outputs) {
    const torch::Tensor rows = pass->Check(
        pass->exchange().FromExperts(outputs, pass->exchange_times()));
    torch::Tensor combined = pass->routes().ToChoices(rows);
    pass->EndStep();
    LayerPass::SaveIn(context, std::move(pass));
    return combined;
  }

  static variable_list backward(AutogradContext* context,
                                variable_list gradients) {
    const auto pass = LayerPass::Of(context);
    pass->BeginBackward();
    torch::autograd::Engine::get_default_engine().queue_callback(
        [pass] { pass->FinishBackward(); });
    const torch::Tensor rows =
        gradients[0].index_select(0, pass->routes().choice_of_row);
    variable_list results = {torch::Tensor(), pass->Zero()};
    for (torch::Tensor& batch : pass->Check(
             pass->exchange().ToExperts(rows, pass->exchange_times()))) {
      results.push_back(std::move(batch));
    }
    pass->EndEntry();
    pass->EndStep();
    return results;
  }
};

}  // namespace

torch::Tensor Combine(const c10::intrusive_ptr<LayerPass>& pass,
                      const torch::Tensor& link,
                      const std::vector<torch::Tensor>& outputs) {
  return CombineFunction::apply(pass, link, at::TensorList(outputs));
}

}  // namespace balancemoe::worker
