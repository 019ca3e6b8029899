#ifndef BALANCEMOE_WORKER_AGENT_AGREEMENT_H_
#define BALANCEMOE_WORKER_AGENT_AGREEMENT_H_

#include <cstdint>

#include "absl/types/span.h"

namespace balancemoe::worker {

// What a worker holds when the workers settle whether to use a plan.
enum class Holding : uint64_t {
  // Did not wait and nothing came, or the coordinator said that none would.
  kNothing = 0,
  kPlan = 1,
  // Waited for the whole plan deadline.
  kMissed = 2,
  // A plan came that must not be carried out.
  kInvalid = 3,
};

// Travels between workers as these bytes.
struct PlanVote {
  // Checksum of the plan's bytes; 0 unless `holding` is kPlan.
  uint64_t digest = 0;
  Holding holding = Holding::kNothing;
};
static_assert(sizeof(PlanVote) == 16);

// What all workers conclude from the same votes.
enum class Verdict {
  // Everybody holds the same plan: it is used.
  kAgreed,
  // Nobody holds one, and nobody waited in vain.
  kNone,
  // It did not reach every worker in time.
  kLate,
  // The workers hold different plans, or a worker holds one that is not valid.
  kRefused,
};

// A pure function, so that equal votes give equal verdicts everywhere. A vote
// that makes no sense refuses the plan.
Verdict Settle(absl::Span<const PlanVote> votes);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_AGREEMENT_H_
