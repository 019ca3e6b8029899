#ifndef BALANCEMOE_WORKER_TRANSPORT_STREAMED_ISSUE_LOOP_H_
#define BALANCEMOE_WORKER_TRANSPORT_STREAMED_ISSUE_LOOP_H_

#include <deque>
#include <functional>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "worker/transport/streamed/abort_signal.h"
#include "worker/transport/streamed/stream_device.h"

namespace balancemoe::worker {

// A collective, or a round of transfers.
class IssueTask {
 public:
  virtual ~IssueTask() = default;

  // Whether there is anything to issue. A barrier, or a transfer without bytes,
  // is over as soon as all agree on it.
  virtual bool HasWork() const = 0;

  // Puts the work on its lane and returns an event after it. An error aborts
  // the group. On the issue loop's thread.
  virtual absl::StatusOr<std::shared_ptr<StreamEvent>> Issue(
      StreamCommunicators& communicators, const AbortSignal& abort) = 0;

  // Called once, when no buffer is in use any more, with how the work went;
  // also for work that was never issued. On the issue loop's thread, or, when
  // there is nothing to issue, on any.
  virtual void Finish(const absl::Status& status) = 0;
};

// The one thread that issues operations of all communicators, in the order in
// which tasks are added, which is the conductor's; that polls what is under
// way; and that aborts the communicators. Thread-safe.
class IssueLoop {
 public:
  struct Options {
    // How long work may be under way.
    absl::Duration operation_timeout;
    // Called when the device fails or work takes too long, with the reason.
    std::function<void(absl::string_view reason)> on_failure;
  };

  // `streams` and `abort` must outlive the loop.
  IssueLoop(Options options, DeviceStreams& streams,
            std::unique_ptr<StreamCommunicators> communicators,
            const AbortSignal& abort);
  ~IssueLoop() { End(); }

  // `task` has work, unless `abort` is raised.
  void Add(std::unique_ptr<IssueTask> task) ABSL_LOCKS_EXCLUDED(mutex_);
  // To be called after `abort` was raised.
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits for all tasks, or until `abort` is raised, and gives the
  // communicators back. Later tasks are not carried out.
  void End() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct UnderWay {
    std::unique_ptr<IssueTask> task;
    std::shared_ptr<StreamEvent> event;
    absl::Time since;
  };

  void Run();
  // The next task; null when there is none for the moment, or none any more,
  // which sets `ended`.
  std::unique_ptr<IssueTask> NextTask(bool& ended) ABSL_LOCKS_EXCLUDED(mutex_);
  void Issue(std::unique_ptr<IssueTask> task);
  // Finishes what has ended.
  void Poll();
  void Fail(absl::string_view reason);
  // Aborts the communicators, once, and gives everything up.
  void GiveUp();

  // Constant after construction.
  const Options options_;
  DeviceStreams& streams_;
  const std::unique_ptr<StreamCommunicators> communicators_;
  const AbortSignal& abort_;
  const SteadyClock clock_;

  // Of the loop's thread alone.
  std::deque<UnderWay> under_way_;
  bool given_up_ = false;

  Mutex mutex_;
  CondVar changed_;
  std::deque<std::unique_ptr<IssueTask>> tasks_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_STREAMED_ISSUE_LOOP_H_
