#ifndef BALANCEMOE_WORKER_AGENT_PLAN_WAIT_H_
#define BALANCEMOE_WORKER_AGENT_PLAN_WAIT_H_

#include <cstdint>

namespace balancemoe::worker {

// Whether waiting for a plan is worth while, so that a coordinator that went
// silent costs one plan deadline and not one per layer.
//
//   detached --Attached--> trusting --Missed--> doubting --Answered--> trusting
//   any --Detached--> detached
//
// An answer counts when its heartbeat was sent after the miss. A coordinator
// that answers heartbeats but sends no plans costs ever less: each further miss
// without a plan between wants twice as many answers, up to 64.
//
// A value without clock or lock.
class PlanWait {
 public:
  bool MayWait() const { return state_ == State::kTrusting; }

  void Attached();
  void Detached();
  // What was waited for came: a plan, or word that there will be none.
  void Arrived();
  // Waited in vain. `next_heartbeat` is the sequence of the first heartbeat
  // that is sent after that.
  void Missed(uint64_t next_heartbeat);
  void Answered(uint64_t heartbeat);

 private:
  enum class State { kDetached, kTrusting, kDoubting };

  State state_ = State::kDetached;
  int misses_in_a_row_ = 0;
  // Doubting ends with the answer to this heartbeat.
  uint64_t wanted_heartbeat_ = 0;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_PLAN_WAIT_H_
