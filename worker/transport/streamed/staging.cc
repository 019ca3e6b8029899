#include "worker/transport/streamed/staging.h"

#include <algorithm>
#include <bit>

#include "common/status_macros.h"

namespace balancemoe::worker {
namespace {

constexpr size_t kSmallestBlock = 4096;

}  // namespace

StagingPool::~StagingPool() {
  MutexLock lock(&mutex_);
  for (const auto& [kind, blocks] : free_) {
    for (std::byte* block : blocks) memory_.Free(kind.first, block);
  }
}

absl::StatusOr<StagingBlock> StagingPool::Take(MemoryPlace place,
                                               size_t bytes) {
  StagingBlock block;
  block.kind_ = {place, std::bit_ceil(std::max(bytes, kSmallestBlock))};
  {
    MutexLock lock(&mutex_);
    auto& blocks = free_[block.kind_];
    if (!blocks.empty()) {
      block.memory_ = blocks.back();
      blocks.pop_back();
    }
  }
  if (block.memory_ == nullptr) {
    BMOE_ASSIGN_OR_RETURN(block.memory_,
                          memory_.Allocate(place, block.kind_.second));
  }
  block.pool_ = this;
  return block;
}

void StagingPool::Give(Kind kind, std::byte* memory) {
  MutexLock lock(&mutex_);
  free_[kind].push_back(memory);
}

StagingBlock& StagingBlock::operator=(StagingBlock&& other) noexcept {
  Reset();
  pool_ = std::exchange(other.pool_, nullptr);
  kind_ = other.kind_;
  memory_ = std::exchange(other.memory_, nullptr);
  return *this;
}

void StagingBlock::Reset() {
  if (pool_ != nullptr) pool_->Give(kind_, memory_);
  pool_ = nullptr;
  memory_ = nullptr;
}

absl::StatusOr<StagedBuffer> StagedBuffer::ForReading(
    DeviceMemory& memory, StagingPool& pool,
    absl::Span<const std::byte> bytes) {
  // Only read, whatever the type says.
  BMOE_ASSIGN_OR_RETURN(
      StagedBuffer buffer,
      ForWriting(
          memory, pool,
          absl::MakeSpan(const_cast<std::byte*>(bytes.data()), bytes.size())));
  if (buffer.staged()) {
    BMOE_RETURN_IF_ERROR(memory.CopyIn(buffer.device(), bytes));
  }
  return buffer;
}

absl::StatusOr<StagedBuffer> StagedBuffer::ForWriting(
    DeviceMemory& memory, StagingPool& pool, absl::Span<std::byte> bytes) {
  StagedBuffer buffer;
  buffer.memory_ = &memory;
  buffer.host_ = bytes;
  if (bytes.empty()) return buffer;
  if (memory.OnDevice(bytes.data())) {
    buffer.device_ = bytes.data();
    return buffer;
  }
  BMOE_ASSIGN_OR_RETURN(buffer.block_,
                        pool.Take(MemoryPlace::kDevice, bytes.size()));
  buffer.device_ = buffer.block_.memory();
  return buffer;
}

absl::Status StagedBuffer::CopyOut() {
  if (!staged()) return absl::OkStatus();
  return memory_->CopyOut(host_, device_);
}

}  // namespace balancemoe::worker
