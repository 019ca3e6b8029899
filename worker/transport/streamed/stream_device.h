#ifndef BALANCEMOE_WORKER_TRANSPORT_STREAMED_STREAM_DEVICE_H_
#define BALANCEMOE_WORKER_TRANSPORT_STREAMED_STREAM_DEVICE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/ids.h"
#include "worker/transport/streamed/abort_signal.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// A communicator and its stream. Work of a lane is carried out in the order in
// which it is issued; the lanes run beside each other.
enum class StreamLane { kCollectives, kTransfers };
inline constexpr int kStreamLanes = 2;

// Most operations of one group.
inline constexpr size_t kMaxOperationsPerGroup = 32;

// A point in the work of a stream. Thread-safe.
class StreamEvent {
 public:
  virtual ~StreamEvent() = default;
};

// Where memory lies.
enum class MemoryPlace {
  kDevice,
  kShared,  // the host's, which kernels can write
};

// The memory of a device. Thread-safe.
class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;

  // Whether communicators can read and write at `address`; false for memory of
  // the host, which must be staged.
  virtual bool OnDevice(const void* address) const = 0;

  // At least 256 bytes aligned. Errors: ResourceExhausted.
  virtual absl::StatusOr<std::byte*> Allocate(MemoryPlace place,
                                              size_t bytes) = 0;
  virtual void Free(MemoryPlace place, std::byte* memory) = 0;

  // Copy between host and device; return when done. What the device was to do
  // with these bytes before has ended.
  virtual absl::Status CopyIn(std::byte* device,
                              absl::Span<const std::byte> host) = 0;
  virtual absl::Status CopyOut(absl::Span<std::byte> host,
                               const std::byte* device) = 0;
};

// What runs on streams. All but the last three calls put work on a lane and
// return at once; they are for one thread. Memory is the device's.
class DeviceStreams {
 public:
  virtual ~DeviceStreams() = default;

  virtual absl::Status Copy(StreamLane lane, std::byte* to,
                            const std::byte* from, size_t bytes) = 0;
  // sum[i] = ((part 0 + part 1) + ...)[i]; `parts` is [ranks, count].
  virtual absl::Status SumInRankOrder(StreamLane lane, float* sum,
                                      const float* parts, size_t count,
                                      int32_t ranks) = 0;
  // Writes a checksum of `bytes` bytes to `checksum`.
  virtual absl::Status Checksum(StreamLane lane, const std::byte* from,
                                size_t bytes, uint64_t* checksum) = 0;
  // Sets `equal`, in shared memory, to 1 when the two are equal, else to 0.
  virtual absl::Status Compare(StreamLane lane, const uint64_t* one,
                               const uint64_t* other, uint64_t* equal) = 0;
  // What is issued on `lane` from now on waits for `event`.
  virtual absl::Status LaneWaits(StreamLane lane, const StreamEvent& event) = 0;
  // After all that has been issued on `lane`.
  virtual absl::StatusOr<std::shared_ptr<StreamEvent>> Record(
      StreamLane lane) = 0;

  // After all that has been put on `stream`; without one, on the device's
  // default stream. Any thread.
  virtual absl::StatusOr<std::shared_ptr<StreamEvent>> RecordOn(
      ComputeStream stream) = 0;
  // What is put on `stream` from now on waits for `event`. Any thread.
  virtual absl::Status StreamWaits(ComputeStream stream,
                                   const StreamEvent& event) = 0;
  // Whether the work before `event` has ended. Never blocks. Any thread.
  //
  // Errors: Internal, the device has failed.
  virtual absl::StatusOr<bool> Done(const StreamEvent& event) = 0;
};

// One message of a group, in memory of the device.
struct StreamMessage {
  Transfer::Direction direction = Transfer::Direction::kSend;
  WorkerRank peer;
  std::byte* memory = nullptr;
  size_t bytes = 0;
};

// The communicators of one generation, one per lane. For one thread.
class StreamCommunicators {
 public:
  virtual ~StreamCommunicators() = default;

  // Issues `messages`, at most kMaxOperationsPerGroup, as one group. Returns
  // when they are on the lane's stream, which for the first message to a peer
  // takes that peer, or soon after `abort` is raised.
  //
  // Errors: Unavailable, with the library's words, or aborted.
  virtual absl::Status Exchange(StreamLane lane,
                                absl::Span<const StreamMessage> messages,
                                const AbortSignal& abort) = 0;

  // Ends everything under way on both lanes, together: alone, one could wait
  // for the other. When it returns, no buffer is in use, or the device has
  // failed to stop within seconds; it is then not Connect()ed any more.
  virtual void Abort() = 0;
  // Gives the communicators back; nothing is under way.
  virtual void Disconnect() = 0;
};

// A device with streams and a library that communicates on them: a GPU with
// NCCL. What it stands for is in the hands of one worker.
class StreamDevice {
 public:
  virtual ~StreamDevice() = default;

  virtual DeviceMemory& memory() = 0;
  virtual DeviceStreams& streams() = 0;

  // For rank 0: what all ranks need to connect, opaque, less than 64 KiB.
  virtual absl::StatusOr<std::string> NewGroupId() = 0;

  // Connects with all ranks that do the same. Returns soon after `abort` is
  // raised.
  //
  // Errors: Unavailable, with the library's words, or aborted.
  virtual absl::StatusOr<std::unique_ptr<StreamCommunicators>> Connect(
      absl::string_view group_id, const GroupOptions& group,
      const AbortSignal& abort) = 0;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_STREAMED_STREAM_DEVICE_H_
