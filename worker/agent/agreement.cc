#include "worker/agent/agreement.h"

namespace balancemoe::worker {

Agreement Settle(absl::Span<const PlanVote> votes) {
  using Verdict = Agreement::Verdict;
  Agreement agreement;
  bool refused = false;
  bool all_hold = !votes.empty();
  uint64_t digest = 0;
  for (const PlanVote& vote : votes) {
    switch (vote.holding) {
      case Holding::kPlan:
        if (vote.digest == 0) refused = true;
        if (digest != 0 && vote.digest != digest) refused = true;
        digest = vote.digest;
        break;
      case Holding::kMissed:
        agreement.missed = true;
        all_hold = false;
        break;
      case Holding::kNothing:
        all_hold = false;
        break;
      default:
        refused = true;
        break;
    }
  }
  if (refused) {
    agreement.verdict = Verdict::kRefused;
  } else if (all_hold) {
    agreement.verdict = Verdict::kAgreed;
  } else if (digest != 0 || agreement.missed) {
    agreement.verdict = Verdict::kLate;
  }
  return agreement;
}

}  // namespace balancemoe::worker
