#ifndef BALANCEMOE_WORKER_TRANSPORT_STREAMED_COLLECTIVE_TASK_H_
#define BALANCEMOE_WORKER_TRANSPORT_STREAMED_COLLECTIVE_TASK_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "worker/transport/streamed/issue_loop.h"
#include "worker/transport/streamed/staging.h"
#include "worker/transport/streamed/stream_device.h"

namespace balancemoe::worker {

// What the caller of a collective waits for. Thread-safe.
class CollectiveOutcome {
 public:
  void Issued(std::shared_ptr<StreamEvent> event) ABSL_LOCKS_EXCLUDED(mutex_);
  void Finish(absl::Status status) ABSL_LOCKS_EXCLUDED(mutex_);

  // Blocks until the collective has ended.
  absl::Status Wait() ABSL_LOCKS_EXCLUDED(mutex_);
  // Blocks until the collective is on its stream; null when it has ended.
  std::shared_ptr<StreamEvent> WaitIssued() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Mutex mutex_;
  CondVar changed_;
  std::shared_ptr<StreamEvent> event_ ABSL_GUARDED_BY(mutex_);
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

// One rank's part of a collective.
class CollectiveTask final : public IssueTask {
 public:
  struct Work {
    // Puts the work on the lane of collectives; empty when there is none.
    std::function<absl::Status(StreamCommunicators& communicators,
                               const AbortSignal& abort)>
        issue;
    // What the device does before.
    std::shared_ptr<StreamEvent> after;
    // Buffers that the work reads or writes, with those to be copied out.
    std::vector<StagedBuffer> inputs;
    std::vector<StagedBuffer> outputs;
    StagingBlock scratch;
  };

  // `streams` must outlive the task. `outcome` is shared with the caller, who
  // may not wait for the end.
  CollectiveTask(Work work, DeviceStreams& streams,
                 std::shared_ptr<CollectiveOutcome> outcome);

  bool HasWork() const override { return work_.issue != nullptr; }
  absl::StatusOr<std::shared_ptr<StreamEvent>> Issue(
      StreamCommunicators& communicators, const AbortSignal& abort) override;
  void Finish(const absl::Status& status) override;

 private:
  Work work_;
  DeviceStreams& streams_;
  const std::shared_ptr<CollectiveOutcome> outcome_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_STREAMED_COLLECTIVE_TASK_H_
