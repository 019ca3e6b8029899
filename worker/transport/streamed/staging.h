#ifndef BALANCEMOE_WORKER_TRANSPORT_STREAMED_STAGING_H_
#define BALANCEMOE_WORKER_TRANSPORT_STREAMED_STAGING_H_

#include <cstddef>
#include <map>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/mutex.h"
#include "worker/transport/streamed/stream_device.h"

namespace balancemoe::worker {

class StagingBlock;

// Blocks of device memory that are kept for the next use. Allocating may wait
// for everything that runs on a device, so it happens in the calls of users,
// never between two operations of a group. Thread-safe.
class StagingPool {
 public:
  // `memory` must outlive the pool, the pool its blocks.
  explicit StagingPool(DeviceMemory& memory) : memory_(memory) {}
  ~StagingPool();
  StagingPool(const StagingPool&) = delete;
  StagingPool& operator=(const StagingPool&) = delete;

  // Errors: ResourceExhausted.
  absl::StatusOr<StagingBlock> Take(MemoryPlace place, size_t bytes)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  friend class StagingBlock;
  // Place, and size: a power of two.
  using Kind = std::pair<MemoryPlace, size_t>;

  void Give(Kind kind, std::byte* memory) ABSL_LOCKS_EXCLUDED(mutex_);

  DeviceMemory& memory_;
  Mutex mutex_;
  std::map<Kind, std::vector<std::byte*>> free_ ABSL_GUARDED_BY(mutex_);
};

// Goes back to its pool when destroyed.
class StagingBlock {
 public:
  StagingBlock() = default;
  ~StagingBlock() { Reset(); }
  StagingBlock(StagingBlock&& other) noexcept { *this = std::move(other); }
  StagingBlock& operator=(StagingBlock&& other) noexcept;

  // Null for an empty block.
  std::byte* memory() const { return memory_; }

 private:
  friend class StagingPool;
  void Reset();

  StagingPool* pool_ = nullptr;
  StagingPool::Kind kind_ = {MemoryPlace::kDevice, 0};
  std::byte* memory_ = nullptr;
};

// A user's buffer as the device sees it: itself when it lies there, else a
// block with a copy.
class StagedBuffer {
 public:
  StagedBuffer() = default;

  // `memory` must outlive the buffer. ForReading copies the bytes in at once.
  static absl::StatusOr<StagedBuffer> ForReading(
      DeviceMemory& memory, StagingPool& pool,
      absl::Span<const std::byte> bytes);
  static absl::StatusOr<StagedBuffer> ForWriting(DeviceMemory& memory,
                                                 StagingPool& pool,
                                                 absl::Span<std::byte> bytes);

  std::byte* device() const { return device_; }
  // Whether the user's buffer lies in the host's memory.
  bool staged() const { return block_.memory() != nullptr; }
  // Copies what the device has written to the user's buffer.
  absl::Status CopyOut();

 private:
  DeviceMemory* memory_ = nullptr;
  absl::Span<std::byte> host_;
  StagingBlock block_;
  std::byte* device_ = nullptr;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_STREAMED_STAGING_H_
