#include "worker/agent/plan_wait.h"

#include <algorithm>

namespace balancemoe::worker {
namespace {

constexpr int kMostDoublings = 6;

}  // namespace

void PlanWait::Attached() { state_ = State::kTrusting; }

void PlanWait::Detached() { state_ = State::kDetached; }

void PlanWait::Arrived() { misses_in_a_row_ = 0; }

void PlanWait::Missed(uint64_t next_heartbeat) {
  if (state_ == State::kDetached) return;
  state_ = State::kDoubting;
  const int doublings = std::min(misses_in_a_row_++, kMostDoublings);
  wanted_heartbeat_ = next_heartbeat + (uint64_t{1} << doublings) - 1;
}

void PlanWait::Answered(uint64_t heartbeat) {
  if (state_ == State::kDoubting && heartbeat >= wanted_heartbeat_) {
    state_ = State::kTrusting;
  }
}

}  // namespace balancemoe::worker
