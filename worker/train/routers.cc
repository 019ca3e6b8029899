#include "worker/train/routers.h"

#include <ATen/CPUGeneratorImpl.h>

#include <vector>

#include "common/check.h"
#include "worker/train/seeded_random.h"

namespace balancemoe::worker {
namespace {

// Streams of SeededNumber, apart from those of the text, which are steps.
constexpr uint64_t kQuotaStream = uint64_t{1} << 62;
constexpr uint64_t kSkewStream = kQuotaStream + 1;
constexpr uint64_t kCountsStream = kQuotaStream + 2;

uint64_t SeedOf(uint64_t seed, uint64_t stream, LayerId layer) {
  return SeededNumber(seed, stream, static_cast<uint64_t>(layer.value()));
}

}  // namespace

Router QuotaRouter(const QuotaSpec& spec, WorkerRank rank, LayerId layer,
                   uint64_t seed) {
  const auto counts = QuotaCounts(spec);
  BMOE_CHECK(counts.ok());
  const std::vector<int64_t> experts =
      QuotaAssignment(*counts, spec.top_k, SeedOf(seed, kQuotaStream, layer));
  const int64_t own = spec.tokens / spec.workers;
  const torch::Tensor choice = torch::tensor(experts, torch::kInt64)
                                   .view({spec.tokens, spec.top_k})
                                   .narrow(/*dim=*/0, rank.value() * own, own)
                                   .clone();
  return [choice](const torch::Tensor&) { return choice; };
}

Router CountsRouter(const std::vector<int64_t>& counts, int32_t top_k,
                    WorkerRank rank, LayerId layer, int64_t row,
                    uint64_t seed) {
  const uint64_t of_row = SeededNumber(SeedOf(seed, kCountsStream, layer),
                                       static_cast<uint64_t>(row),
                                       static_cast<uint64_t>(rank.value()));
  const torch::Tensor choice =
      torch::tensor(QuotaAssignment(counts, top_k, of_row), torch::kInt64)
          .view({-1, top_k});
  return [choice](const torch::Tensor&) { return choice; };
}

Router SkewedRouter(double scale, int64_t experts, int64_t top_k, LayerId layer,
                    uint64_t seed) {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(
      SeedOf(seed, kSkewStream, layer));
  const torch::Tensor bias = torch::randn({experts}, generator) * scale;
  return [bias, router = TopKRouter(top_k)](const torch::Tensor& logits) {
    return router(logits + bias.to(logits.device()));
  };
}

}  // namespace balancemoe::worker
