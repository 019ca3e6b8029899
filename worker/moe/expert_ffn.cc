#include "worker/moe/expert_ffn.h"

#include <torch/csrc/autograd/custom_function.h>

#include <cstdint>
#include <utility>

#include "common/clock.h"

namespace balancemoe::worker {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr char kBorrowedKey[] = "borrowed";
constexpr int64_t kAtHome = -1;

ExpertTensors EmptyLike(const ExpertTensors& parameters) {
  ExpertTensors tensors;
  for (size_t i = 0; i < tensors.all.size(); ++i) {
    tensors.all[i] = torch::empty_like(parameters.all[i]);
  }
  return tensors;
}

// The halves of [n, 2F].
torch::Tensor GateOf(const torch::Tensor& before) {
  return before.narrow(/*dim=*/1, 0, before.size(1) / 2);
}
torch::Tensor ValuesOf(const torch::Tensor& before) {
  const int64_t ffn = before.size(1) / 2;
  return before.narrow(/*dim=*/1, ffn, ffn);
}

// [n, F] to [n, 2F].
torch::Tensor SwiGluBackward(const torch::Tensor& gradient,
                             const torch::Tensor& before) {
  torch::Tensor result = torch::empty_like(before);
  GateOf(result).copy_(
      torch::silu_backward(gradient * ValuesOf(before), GateOf(before)));
  ValuesOf(result).copy_(gradient * torch::silu(GateOf(before)));
  return result;
}

class ExpertFfnFunction : public torch::autograd::Function<ExpertFfnFunction> {
 public:
  static torch::Tensor forward(AutogradContext* context,
                               c10::intrusive_ptr<LayerPass> pass,
                               int64_t borrowed, const torch::Tensor& x,
                               const torch::Tensor& w1, const torch::Tensor& b1,
                               const torch::Tensor& w2,
                               const torch::Tensor& b2) {
    const absl::Time start = pass->context().clock.Now();
    FfnActivations activations;
    torch::Tensor out = FfnForward(x, {{w1, b1, w2, b2}}, activations);
    context->save_for_backward(
        {x, w1, b1, w2, b2, activations.before, activations.after});
    context->saved_data[kBorrowedKey] = borrowed;
    pass->EndCompute(start, x.size(0), /*backward=*/false);
    pass->times().tokens_computed += x.size(0);
    LayerPass::SaveIn(context, std::move(pass));
    return out;
  }

  static variable_list backward(AutogradContext* context,
                                variable_list gradients) {
    const auto pass = LayerPass::Of(context);
    const absl::Time start = pass->context().clock.Now();
    const variable_list saved = context->get_saved_variables();
    const ExpertTensors parameters = {{saved[1], saved[2], saved[3], saved[4]}};
    const int64_t borrowed = context->saved_data.at(kBorrowedKey).toInt();
    const ExpertTensors gradient =
        borrowed == kAtHome
            ? EmptyLike(parameters)
            : pass->lends().borrowed_gradient(static_cast<size_t>(borrowed));
    torch::Tensor gradient_x =
        FfnBackward(gradients[0].contiguous(), saved[0], {saved[5], saved[6]},
                    parameters, gradient);
    pass->EndCompute(start, saved[0].size(0), /*backward=*/true);
    pass->EndStep();
    return {torch::Tensor(), torch::Tensor(), gradient_x,   gradient.w1(),
            gradient.b1(),   gradient.w2(),   gradient.b2()};
  }
};

}  // namespace

torch::Tensor FfnActivate(const torch::Tensor& before, bool gated) {
  return gated ? torch::silu(GateOf(before)).mul_(ValuesOf(before))
               : torch::gelu(before);
}

torch::Tensor FfnActivateBackward(const torch::Tensor& gradient_after,
                                  const torch::Tensor& before, bool gated) {
  return gated ? SwiGluBackward(gradient_after, before)
               : torch::gelu_backward(gradient_after, before);
}

torch::Tensor FfnForward(const torch::Tensor& x,
                         const ExpertTensors& parameters,
                         FfnActivations& activations) {
  activations.before = torch::addmm(parameters.b1(), x, parameters.w1().t());
  activations.after = FfnActivate(activations.before, parameters.gated());
  return torch::addmm(parameters.b2(), activations.after, parameters.w2().t());
}

torch::Tensor FfnBackward(const torch::Tensor& gradient_out,
                          const torch::Tensor& x,
                          const FfnActivations& activations,
                          const ExpertTensors& parameters,
                          const ExpertTensors& gradient) {
  torch::Tensor w1 = gradient.w1();
  torch::Tensor b1 = gradient.b1();
  torch::Tensor w2 = gradient.w2();
  torch::Tensor b2 = gradient.b2();
  torch::mm_out(w2, gradient_out.t(), activations.after);
  torch::sum_out(b2, gradient_out, /*dim=*/0);
  const torch::Tensor after = torch::mm(gradient_out, parameters.w2());
  const torch::Tensor before =
      FfnActivateBackward(after, activations.before, parameters.gated());
  torch::mm_out(w1, before.t(), x);
  torch::sum_out(b1, before, /*dim=*/0);
  return torch::mm(before, parameters.w1());
}

torch::Tensor ExpertFfn(const c10::intrusive_ptr<LayerPass>& pass,
                        const torch::Tensor& x, const ExpertTensors& parameters,
                        std::optional<size_t> borrowed) {
  return ExpertFfnFunction::apply(
      pass, borrowed ? static_cast<int64_t>(*borrowed) : kAtHome, x,
      parameters.w1(), parameters.b1(), parameters.w2(), parameters.b2());
}

}  // namespace balancemoe::worker
