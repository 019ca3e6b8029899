#ifndef BALANCEMOE_WORKER_TRANSPORT_STREAMED_STREAMED_GROUP_H_
#define BALANCEMOE_WORKER_TRANSPORT_STREAMED_STREAMED_GROUP_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "worker/transport/streamed/abort_signal.h"
#include "worker/transport/streamed/conductor_loop.h"
#include "worker/transport/streamed/control_loop.h"
#include "worker/transport/streamed/issue_loop.h"
#include "worker/transport/streamed/meeting.h"
#include "worker/transport/streamed/started_transfer.h"
#include "worker/transport/streamed/stream_device.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// The workers of one generation, connected with the conductor and, through
// `device`, with each other. What this worker wants to issue waits here until
// the conductor says that it is its turn.
//
//   forming --all are connected--> ready --Abort, the conductor says so or is
//     gone--> aborted
//
// Thread-safe.
class StreamedGroup {
 public:
  // Connects over `meeting`. `device` must outlive the group.
  //
  // Errors: DeadlineExceeded, not all ranks connected within
  // options.connect_timeout; Unavailable, with the reason.
  static absl::StatusOr<std::unique_ptr<StreamedGroup>> Connect(
      const GroupOptions& options, Meeting meeting, StreamDevice& device);

  // Leaves: waits for what is under way and tells the others. On rank 0 it goes
  // on conducting until all have left, for at most options.connect_timeout.
  ~StreamedGroup();

  const GroupOptions& options() const { return options_; }
  StreamDevice& device() const { return device_; }
  absl::Status status() const { return abort_.status(); }

  // Issues `task` once all ranks have made an equal `call`; at most one call
  // waits at a time. When ranks' calls differ, TakeDifference is true once.
  //
  // Errors: Unavailable, aborted; `task` then counts as finished.
  absl::Status Call(const CollectiveCall& call, std::unique_ptr<IssueTask> task)
      ABSL_LOCKS_EXCLUDED(mutex_);
  bool TakeDifference() { return calls_differ_.exchange(false); }

  // Issues each transfer once its peer has started its end.
  //
  // Errors: Unavailable, aborted; nothing is started then.
  absl::Status Start(std::vector<StartedTransfer> transfers)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends everything under way with Unavailable and `reason`, here and on all
  // ranks. The first reason stays.
  void Abort(absl::string_view reason) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct WaitingCall {
    std::unique_ptr<IssueTask> task;
    absl::Time since;
  };
  struct WaitingTransfer {
    StartedTransfer transfer;
    absl::Time since;
  };

  StreamedGroup(const GroupOptions& options, Meeting meeting,
                StreamDevice& device);

  absl::Status ConnectDevice() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until a flag is set, the deadline passes or the group is aborted.
  absl::Status WaitUntil(bool StreamedGroup::*flag, absl::Time deadline)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // On the control loop's thread.
  void OnMessage(const ControlMessage& message) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnRound(const ControlMessage& message) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnAbort(const ControlMessage& message) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnSilence() ABSL_LOCKS_EXCLUDED(mutex_);
  // The conductor says that it is the turn of `task`.
  void CarryOut(std::unique_ptr<IssueTask> task) ABSL_LOCKS_EXCLUDED(mutex_);
  // Hands what waits for the conductor to the issue loop, which fails it.
  void GiveUpWaiting() ABSL_LOCKS_EXCLUDED(mutex_);

  // Constant after construction.
  const GroupOptions options_;
  StreamDevice& device_;
  const SteadyClock clock_;
  const absl::Time connect_deadline_;

  AbortSignal abort_;
  std::atomic<bool> calls_differ_ = false;
  // On rank 0 only.
  std::unique_ptr<ConductorLoop> conductor_;

  Mutex mutex_;
  CondVar changed_;
  std::string group_id_ ABSL_GUARDED_BY(mutex_);
  bool has_group_id_ ABSL_GUARDED_BY(mutex_) = false;
  bool ready_ ABSL_GUARDED_BY(mutex_) = false;
  bool goodbye_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<WaitingCall> call_ ABSL_GUARDED_BY(mutex_);
  // By ticket.
  std::map<uint64_t, WaitingTransfer> transfers_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_ticket_ ABSL_GUARDED_BY(mutex_) = 0;
  // Made when the device is connected.
  std::unique_ptr<IssueLoop> issue_loop_ ABSL_GUARDED_BY(mutex_);

  // Last, because its thread uses the members above.
  std::unique_ptr<ControlLoop> control_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_STREAMED_STREAMED_GROUP_H_
