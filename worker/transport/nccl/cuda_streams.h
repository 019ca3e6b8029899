#ifndef BALANCEMOE_WORKER_TRANSPORT_NCCL_CUDA_STREAMS_H_
#define BALANCEMOE_WORKER_TRANSPORT_NCCL_CUDA_STREAMS_H_

#include <cuda_runtime.h>

#include <array>
#include <memory>

#include "absl/time/time.h"
#include "worker/transport/streamed/stream_device.h"

namespace balancemoe::worker {

// The streams of a GPU: one per lane, and one for copies. They come before
// computation where both want the GPU, because peers wait for them.
class CudaStreams final : public DeviceStreams {
 public:
  // Errors: Internal, with CUDA's words.
  static absl::StatusOr<std::unique_ptr<CudaStreams>> Create(int device);
  ~CudaStreams() override;

  cudaStream_t copies() const { return copies_; }
  cudaStream_t of(StreamLane lane) const {
    return lanes_[static_cast<size_t>(lane)];
  }
  int device() const { return device_; }
  // Waits until nothing is under way on the lanes, at most `timeout`; whether
  // that is so.
  bool Drain(absl::Duration timeout);

  absl::Status Copy(StreamLane lane, std::byte* to, const std::byte* from,
                    size_t bytes) override;
  absl::Status SumInRankOrder(StreamLane lane, float* sum, const float* parts,
                              size_t count, int32_t ranks) override;
  absl::Status Checksum(StreamLane lane, const std::byte* from, size_t bytes,
                        uint64_t* checksum) override;
  absl::Status Compare(StreamLane lane, const uint64_t* one,
                       const uint64_t* other, uint64_t* equal) override;
  absl::Status LaneWaits(StreamLane lane, const StreamEvent& event) override;
  absl::StatusOr<std::shared_ptr<StreamEvent>> Record(StreamLane lane) override;
  absl::StatusOr<std::shared_ptr<StreamEvent>> RecordOn(
      ComputeStream stream) override;
  absl::Status StreamWaits(ComputeStream stream,
                           const StreamEvent& event) override;
  absl::StatusOr<bool> Done(const StreamEvent& event) override;

 private:
  explicit CudaStreams(int device) : device_(device) {}

  const int device_;
  std::array<cudaStream_t, kStreamLanes> lanes_ = {};
  cudaStream_t copies_ = nullptr;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_NCCL_CUDA_STREAMS_H_
