#include "worker/transport/streamed/collective_task.h"

#include <utility>

#include "common/status_macros.h"

namespace balancemoe::worker {

void CollectiveOutcome::Issued(std::shared_ptr<StreamEvent> event) {
  MutexLock lock(&mutex_);
  event_ = std::move(event);
  changed_.NotifyAll();
}

void CollectiveOutcome::Finish(absl::Status status) {
  MutexLock lock(&mutex_);
  finished_ = true;
  status_ = std::move(status);
  event_ = nullptr;
  changed_.NotifyAll();
}

absl::Status CollectiveOutcome::Wait() {
  MutexLock lock(&mutex_);
  while (!finished_) changed_.Wait(&mutex_);
  return status_;
}

std::shared_ptr<StreamEvent> CollectiveOutcome::WaitIssued() {
  MutexLock lock(&mutex_);
  while (event_ == nullptr && !finished_) changed_.Wait(&mutex_);
  return event_;
}

CollectiveTask::CollectiveTask(Work work, DeviceStreams& streams,
                               std::shared_ptr<CollectiveOutcome> outcome)
    : work_(std::move(work)), streams_(streams), outcome_(std::move(outcome)) {}

absl::StatusOr<std::shared_ptr<StreamEvent>> CollectiveTask::Issue(
    StreamCommunicators& communicators, const AbortSignal& abort) {
  BMOE_RETURN_IF_ERROR(
      streams_.LaneWaits(StreamLane::kCollectives, *work_.after));
  BMOE_RETURN_IF_ERROR(work_.issue(communicators, abort));
  BMOE_ASSIGN_OR_RETURN(auto event, streams_.Record(StreamLane::kCollectives));
  outcome_->Issued(event);
  return event;
}

void CollectiveTask::Finish(const absl::Status& status) {
  absl::Status result = status;
  for (StagedBuffer& output : work_.outputs) {
    if (result.ok()) result = output.CopyOut();
  }
  outcome_->Finish(std::move(result));
}

}  // namespace balancemoe::worker
