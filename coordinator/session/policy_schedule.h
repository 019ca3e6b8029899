#ifndef BALANCEMOE_COORDINATOR_SESSION_POLICY_SCHEDULE_H_
#define BALANCEMOE_COORDINATOR_SESSION_POLICY_SCHEDULE_H_

#include <cstdint>
#include <map>

#include "common/ids.h"
#include "common/planning/policy.h"

namespace balancemoe::coordinator {

// Which policy plans which iteration of a job.
//
// Not thread-safe; belongs to the strand of its job.
class PolicySchedule {
 public:
  struct Change {
    PolicyChoice previous;
    PolicyChoice current;
    Iteration first_iteration;
    // Rises with each change; 0: never changed.
    uint64_t version = 0;
  };

  explicit PolicySchedule(PolicyChoice initial);

  // Plans by `choice` from `first_iteration` on, or from `first_unbegun` when
  // that is later; what was to follow is forgotten. Asking for what is already
  // set changes nothing and answers with the last change.
  Change Set(const PolicyChoice& choice, Iteration first_iteration,
             Iteration first_unbegun);

  const PolicyChoice& At(Iteration iteration) const;
  // The last change, with which a worker that joins now starts.
  const Change& latest() const { return latest_; }

 private:
  // By first iteration; few, because Set forgets the oldest.
  std::map<Iteration, PolicyChoice> choices_;
  Change latest_;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_SESSION_POLICY_SCHEDULE_H_
