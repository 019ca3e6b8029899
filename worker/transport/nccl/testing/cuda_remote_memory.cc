#include "worker/transport/nccl/testing/cuda_remote_memory.h"

#include <cuda_runtime.h>

#include <map>
#include <utility>

#include "common/check.h"
#include "common/mutex.h"
#include "worker/transport/nccl/cuda_memory.h"
#include "worker/transport/streamed/staging.h"

namespace balancemoe::worker {
namespace {

// One that the default stream waits for, as transfers do for that.
cudaStream_t NewStream() {
  cudaStream_t stream = nullptr;
  BMOE_CHECK(cudaSetDevice(0) == cudaSuccess);
  BMOE_CHECK(cudaStreamCreate(&stream) == cudaSuccess);
  return stream;
}

class CudaBlocks final : public RemoteMemory {
 public:
  CudaBlocks() : stream_(NewStream()), memory_(0, stream_), pool_(memory_) {}

  std::byte* Take(size_t bytes, absl::Span<const std::byte> content) override {
    auto block = pool_.Take(MemoryPlace::kDevice, bytes);
    BMOE_CHECK(block.ok());
    std::byte* const memory = block->memory();
    BMOE_CHECK(cudaMemcpyAsync(memory, content.data(), content.size(),
                               cudaMemcpyHostToDevice, stream_) == cudaSuccess);
    MutexLock lock(&mutex_);
    blocks_[memory] = *std::move(block);
    return memory;
  }
  void Give(std::byte* memory) override {
    MutexLock lock(&mutex_);
    blocks_.erase(memory);
  }
  void Read(absl::Span<std::byte> to, const std::byte* memory) override {
    BMOE_CHECK(cudaMemcpyAsync(to.data(), memory, to.size(),
                               cudaMemcpyDeviceToHost, stream_) == cudaSuccess);
    BMOE_CHECK(cudaStreamSynchronize(stream_) == cudaSuccess);
  }
  ComputeStream stream() const override { return {stream_}; }

 private:
  const cudaStream_t stream_;
  CudaMemory memory_;
  StagingPool pool_;
  Mutex mutex_;
  std::map<std::byte*, StagingBlock> blocks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<RemoteMemory> CudaRemoteMemory() {
  return std::make_unique<CudaBlocks>();
}

}  // namespace balancemoe::worker
