#ifndef BALANCEMOE_WORKER_TRANSPORT_STREAMED_TESTING_FAKE_STREAM_DEVICE_H_
#define BALANCEMOE_WORKER_TRANSPORT_STREAMED_TESTING_FAKE_STREAM_DEVICE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "worker/transport/streamed/stream_device.h"

namespace balancemoe::worker {

// Joins the fake devices of a group: threads of one process. Thread-safe. As
// strict as NCCL: a group has at most 32 operations, messages match by order
// alone and have equal lengths, and work of a lane waits for what is before it.
class FakeFabric {
 public:
  // Bytes on their way, between two ranks on a lane of a group.
  using Wire = std::tuple<std::string, StreamLane, int32_t, int32_t>;
  using Bytes = std::vector<std::byte>;

  std::string NewGroupId() ABSL_LOCKS_EXCLUDED(mutex_);
  void Send(const Wire& wire, Bytes bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  // A message of `bytes` bytes; none when nothing has come.
  std::optional<Bytes> Receive(const Wire& wire, size_t bytes)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Flips a bit of the next message on the lane of transfers.
  void CorruptNextTransfer() ABSL_LOCKS_EXCLUDED(mutex_);

  // Transfers stay on their way until they are let through.
  void HoldTransfers(bool hold) ABSL_LOCKS_EXCLUDED(mutex_);

  // The lanes of the groups that `rank` issued, in order: 'c' or 't'.
  std::string IssueOrder(int32_t rank) const ABSL_LOCKS_EXCLUDED(mutex_);
  void NoteIssue(int32_t rank, StreamLane lane) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable Mutex mutex_;
  int groups_ ABSL_GUARDED_BY(mutex_) = 0;
  bool hold_ ABSL_GUARDED_BY(mutex_) = false;
  bool corrupt_next_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<Wire, std::deque<Bytes>> sent_ ABSL_GUARDED_BY(mutex_);
  std::map<int32_t, std::string> order_by_rank_ ABSL_GUARDED_BY(mutex_);
};

// Memory that fake devices can reach. Thread-safe.
struct FakeBus {
  // Whether they need no staging there.
  std::function<bool(const void* address)> on_device;
  // As memcpy.
  std::function<void(void* to, const void* from, size_t bytes)> copy;
};

// The host's memory, all to be staged.
FakeBus HostBus();

// A device that reaches memory by `bus`. `fabric` must outlive it.
std::unique_ptr<StreamDevice> OpenFakeStreamDevice(FakeFabric& fabric,
                                                   FakeBus bus = HostBus());

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_STREAMED_TESTING_FAKE_STREAM_DEVICE_H_
