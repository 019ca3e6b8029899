#include "worker/train/pacing.h"

#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/io/profile_file.h"

namespace balancemoe::worker {

absl::StatusOr<std::optional<Pacing>> PacingOf(const TrainOptions& options) {
  if (options.pace.empty()) return std::nullopt;
  absl::StatusOr<Profile> profile = LoadProfile(options.pace);
  if (!profile.ok()) {
    return absl::Status(profile.status().code(),
                        absl::StrCat("--pace: ", profile.status().message()));
  }
  return Pacing{.profile = *std::move(profile),
                .scale = options.pace_scale,
                .tokens = options.pace_tokens};
}

CostModel PacedCostModel(const Pacing& pacing, int64_t expert_bytes) {
  CostModel model = CostModelOf(pacing.profile);
  // A byte here stands for so many there.
  const double bytes_there = static_cast<double>(model.expert_bytes) /
                             static_cast<double>(expert_bytes);
  model.expert_launch_us *= pacing.scale;
  model.us_per_token *= pacing.scale * pacing.tokens;
  for (Link* const link : {&model.intra_node, &model.inter_node}) {
    link->latency_us *= pacing.scale;
    link->us_per_byte *= pacing.scale * bytes_there;
  }
  model.plan_latency_us *= pacing.scale;
  model.host_cpu_us_per_byte *= pacing.scale * bytes_there;
  model.token_bytes = std::llround(static_cast<double>(model.token_bytes) *
                                   pacing.tokens / bytes_there);
  model.optimizer_bytes =
      std::llround(static_cast<double>(model.optimizer_bytes) / bytes_there);
  model.expert_bytes = expert_bytes;
  return model;
}

double PacedExchangeUsPerToken(const Pacing& pacing, LinkClass link) {
  const CostModel there = CostModelOf(pacing.profile);
  return pacing.scale * pacing.tokens * static_cast<double>(there.token_bytes) *
         there.link(link).us_per_byte;
}

int32_t PacedNode(const Pacing& pacing, WorkerRank rank) {
  return rank.value() / pacing.profile.workers_per_node;
}

}  // namespace balancemoe::worker
