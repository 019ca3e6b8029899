#ifndef BALANCEMOE_WORKER_TRANSPORT_STREAMED_ROUND_TASK_H_
#define BALANCEMOE_WORKER_TRANSPORT_STREAMED_ROUND_TASK_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/transport/streamed/issue_loop.h"
#include "worker/transport/streamed/started_transfer.h"
#include "worker/transport/streamed/stream_device.h"

namespace balancemoe::worker {

// Transfers that are issued as one group: each with its checksum behind it, in
// the same order at both ends.
class RoundTask final : public IssueTask {
 public:
  struct Entry {
    StartedTransfer transfer;
    // What the other end wants to send or receive. When that differs, nothing
    // is sent and the receiver gets DataLoss.
    uint64_t other_bytes = 0;
  };
  // Called when bytes arrived wrong after a stream had been let go.
  using OnCorruption = std::function<void(absl::string_view reason)>;

  // `streams` must outlive the task.
  RoundTask(std::vector<Entry> entries, DeviceStreams& streams,
            OnCorruption on_corruption);

  bool HasWork() const override;
  absl::StatusOr<std::shared_ptr<StreamEvent>> Issue(
      StreamCommunicators& communicators, const AbortSignal& abort) override;
  void Finish(const absl::Status& status) override;

 private:
  static bool Moves(const Entry& entry) {
    return entry.transfer.bytes > 0 &&
           entry.transfer.bytes == entry.other_bytes;
  }

  absl::Status ChecksumBytes(const StartedTransfer& transfer);
  std::vector<StreamMessage> Messages() const;
  // How one transfer went, when the work of all has ended.
  absl::Status Result(Entry& entry) const;

  std::vector<Entry> entries_;
  DeviceStreams& streams_;
  const OnCorruption on_corruption_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_STREAMED_ROUND_TASK_H_
