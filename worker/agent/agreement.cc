#include "worker/agent/agreement.h"

namespace balancemoe::worker {

Verdict Settle(absl::Span<const PlanVote> votes) {
  bool everybody_holds = !votes.empty();
  bool somebody_missed = false;
  uint64_t digest = 0;
  for (const PlanVote& vote : votes) {
    switch (vote.holding) {
      case Holding::kPlan:
        if (vote.digest == 0) return Verdict::kRefused;
        if (digest != 0 && vote.digest != digest) return Verdict::kRefused;
        digest = vote.digest;
        break;
      case Holding::kMissed:
        somebody_missed = true;
        everybody_holds = false;
        break;
      case Holding::kNothing:
        everybody_holds = false;
        break;
      default:
        return Verdict::kRefused;
    }
  }
  if (everybody_holds) return Verdict::kAgreed;
  return digest != 0 || somebody_missed ? Verdict::kLate : Verdict::kNone;
}

}  // namespace balancemoe::worker
