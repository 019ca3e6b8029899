#include "common/planning/replica_timer.h"

#include <algorithm>
#include <utility>

namespace balancemoe {

void ReplicaTimer::Split(absl::Span<const Replica> planned,
                         absl::Span<const Replica> late) {
  all_.resize(planned.size() + late.size());
  std::merge(planned.begin(), planned.end(), late.begin(), late.end(),
             all_.begin());
  splitter_.Split(loads_, all_, tokens_);
  lends_.clear();
  AddLends(planned);
  AddLends(late);
}

double ReplicaTimer::TimeUs(absl::Span<const Replica> planned,
                            absl::Span<const Replica> late, double give_up_us) {
  Split(planned, late);
  const LayerTiming* timing = forecaster_.TimeUnder(
      give_up_us, loads_,
      {.lends = lends_, .early_lends = planned.size(), .early_moves = true});
  return timing == nullptr ? std::numeric_limits<double>::infinity()
                           : timing->layer_us();
}

// The experts with the most tokens to compute elsewhere travel first.
void ReplicaTimer::AddLends(absl::Span<const Replica> replicas) {
  groups_.clear();
  size_t at = 0;
  const auto tokens_of = [&](const Replica& replica) {
    while (all_[at] != replica) ++at;
    return tokens_[at];
  };
  for (size_t i = 0; i < replicas.size();) {
    Group group = {.begin = i};
    const ExpertId expert = replicas[i].expert;
    for (; i < replicas.size() && replicas[i].expert == expert; ++i) {
      group.tokens += tokens_of(replicas[i]);
    }
    group.end = i;
    groups_.push_back(group);
  }
  std::sort(groups_.begin(), groups_.end(), [](const Group& a, const Group& b) {
    return std::pair(-a.tokens, a.begin) < std::pair(-b.tokens, b.begin);
  });
  for (const Group& group : groups_) {
    at = static_cast<size_t>(
        std::lower_bound(all_.begin(), all_.end(), replicas[group.begin]) -
        all_.begin());
    for (size_t i = group.begin; i < group.end; ++i) {
      const int64_t tokens = tokens_of(replicas[i]);
      lends_.push_back({replicas[i].expert, loads_.home(replicas[i].expert),
                        replicas[i].worker, tokens});
    }
  }
}

}  // namespace balancemoe
