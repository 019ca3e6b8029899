#include "worker/moe/arrive.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace balancemoe::worker {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr char kIndexKey[] = "index";

class ArriveFunction : public torch::autograd::Function<ArriveFunction> {
 public:
  static variable_list forward(AutogradContext* context,
                               c10::intrusive_ptr<LayerPass> pass,
                               int64_t index, const torch::Tensor& /*anchor*/) {
    const auto i = static_cast<size_t>(index);
    pass->Check(pass->lends().AwaitArrival(i));
    pass->EndStep();
    variable_list parameters;
    for (const torch::Tensor& part : pass->lends().borrowed(i).tensors().all) {
      // A tensor of this graph's own: the slot's belongs to one graph after
      // another.
      parameters.push_back(part.detach());
    }
    context->set_materialize_grads(false);
    context->saved_data[kIndexKey] = index;
    LayerPass::SaveIn(context, std::move(pass));
    return parameters;
  }

  static variable_list backward(AutogradContext* context,
                                variable_list gradients) {
    const auto pass = LayerPass::Of(context);
    const auto i =
        static_cast<size_t>(context->saved_data.at(kIndexKey).toInt());
    const ExpertTensors& buffer = pass->lends().borrowed_gradient(i);
    for (size_t part = 0; part < gradients.size(); ++part) {
      const torch::Tensor& target = buffer.all[part];
      if (!gradients[part].defined()) {
        target.zero_();
      } else if (gradients[part].data_ptr() != target.data_ptr()) {
        target.copy_(gradients[part]);
      }
    }
    pass->lends().ReturnGradient(i);
    pass->EndStep();
    return {torch::Tensor(), torch::Tensor(), torch::Tensor()};
  }
};

}  // namespace

ExpertTensors Arrive(const c10::intrusive_ptr<LayerPass>& pass, size_t i) {
  const variable_list parameters = ArriveFunction::apply(
      pass, static_cast<int64_t>(i), pass->context().anchor);
  ExpertTensors tensors;
  std::copy(parameters.begin(), parameters.end(), tensors.all.begin());
  return tensors;
}

}  // namespace balancemoe::worker
