#include "worker/moe/gate.h"

#include <torch/utils.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <tuple>

#include "absl/types/span.h"
#include "common/checksum.h"
#include "worker/moe/capacity.h"

namespace balancemoe::worker {

Router TopKRouter(int64_t top_k) {
  return [top_k](const torch::Tensor& logits) {
    return std::get<1>(logits.topk(top_k, /*dim=*/-1));
  };
}

GateImpl::GateImpl(const Options& options)
    : options_(options), router_(TopKRouter(options.top_k)) {
  const std::array<uint64_t, 2> key = {
      options_.seed, static_cast<uint64_t>(options_.layer.value())};
  at::Generator generator =
      at::make_generator<at::CPUGeneratorImpl>(Checksum(absl::MakeConstSpan(
          reinterpret_cast<const std::byte*>(key.data()), sizeof(key))));
  const double bound = 1 / std::sqrt(static_cast<double>(options_.hidden));
  weight_ = register_parameter("weight",
                               torch::empty({options_.experts, options_.hidden})
                                   .uniform_(-bound, bound, generator)
                                   .to(options_.device));
}

GateChoice GateImpl::forward(const torch::Tensor& hidden) {
  const torch::Tensor logits = torch::linear(hidden, weight_);
  GateChoice choice;
  {
    const torch::NoGradGuard no_grad;
    choice.experts = router_(logits.detach()).cpu().contiguous();
  }
  TORCH_CHECK(choice.experts.size(0) == hidden.size(0), "layer ",
              options_.layer.value(), ": the router chose for ",
              choice.experts.size(0), " tokens of ", hidden.size(0));
  choice.counts = Count(choice.experts);
  choice.weights =
      logits.gather(1, choice.experts.to(options_.device)).softmax(/*dim=*/-1);

  const double choices =
      static_cast<double>(std::max<int64_t>(choice.experts.numel(), 1));
  const torch::Tensor share =
      torch::tensor(choice.counts).to(options_.device, torch::kFloat) / choices;
  // A sum over the tokens' own share, not mean(), which is NaN without tokens.
  const double tokens =
      static_cast<double>(std::max<int64_t>(hidden.size(0), 1));
  const torch::Tensor mean_probability =
      logits.softmax(/*dim=*/-1).sum(/*dim=*/0) / tokens;
  choice.losses.balance =
      (share * mean_probability).sum() * static_cast<double>(options_.experts);
  if (options_.capacity_factor > 0) Drop(choice);
  choice.losses.z = logits.logsumexp(/*dim=*/-1).square().sum() / tokens;
  return choice;
}

// After the weights, which are a softmax over all choices: a token with a
// dropped one gets that much less. After the balance loss, too, which is to
// pull tokens away from full experts.
void GateImpl::Drop(GateChoice& choice) const {
  // The router may have given what is its own.
  choice.experts = choice.experts.clone();
  choice.dropped = DropOverCapacity(
      ExpertCapacity(options_.capacity_factor, choice.experts.numel(),
                     options_.experts),
      options_.top_k,
      absl::MakeSpan(choice.experts.mutable_data_ptr<int64_t>(),
                     static_cast<size_t>(choice.experts.numel())),
      choice.counts);
}

std::vector<int64_t> GateImpl::Count(const torch::Tensor& experts) const {
  TORCH_CHECK(experts.dim() == 2 && experts.size(1) == options_.top_k &&
                  experts.scalar_type() == torch::kLong,
              "layer ", options_.layer.value(),
              ": the router must return int64 [T, ", options_.top_k, "], not ",
              experts.scalar_type(), " ", experts.sizes());
  std::vector<int64_t> counts(static_cast<size_t>(options_.experts));
  const int64_t* const ids = experts.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < experts.numel(); ++i) {
    TORCH_CHECK(ids[i] >= 0 && ids[i] < options_.experts, "layer ",
                options_.layer.value(), ": the router chose expert ", ids[i],
                " of ", options_.experts);
    ++counts[static_cast<size_t>(ids[i])];
  }
  return counts;
}

}  // namespace balancemoe::worker
