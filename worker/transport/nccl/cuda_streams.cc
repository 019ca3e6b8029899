#include "worker/transport/nccl/cuda_streams.h"

#include <thread>
#include <utility>

#include "common/clock.h"
#include "common/status_macros.h"
#include "worker/cuda/cuda_status.h"
#include "worker/cuda/stream_kernels.h"

namespace balancemoe::worker {
namespace {

class CudaEvent final : public StreamEvent {
 public:
  // Errors: Internal, with CUDA's words.
  static absl::StatusOr<std::shared_ptr<CudaEvent>> RecordOn(
      cudaStream_t stream) {
    cudaEvent_t event = nullptr;
    BMOE_RETURN_IF_ERROR(
        CudaStatus(cudaEventCreateWithFlags(&event, cudaEventDisableTiming),
                   "creating an event"));
    auto owner = std::make_shared<CudaEvent>(event);
    BMOE_RETURN_IF_ERROR(
        CudaStatus(cudaEventRecord(event, stream), "recording an event"));
    return owner;
  }

  explicit CudaEvent(cudaEvent_t event) : event_(event) {}
  ~CudaEvent() override { cudaEventDestroy(event_); }

  cudaEvent_t get() const { return event_; }

 private:
  const cudaEvent_t event_;
};

cudaEvent_t EventOf(const StreamEvent& event) {
  return static_cast<const CudaEvent&>(event).get();
}

// Null stands for the default stream, which waits for every stream that was
// not created as non-blocking; so does an event on it.
cudaStream_t StreamOf(ComputeStream stream) {
  return stream.native == nullptr ? cudaStreamLegacy
                                  : static_cast<cudaStream_t>(stream.native);
}

absl::Status Launched(int error, absl::string_view what) {
  return CudaStatus(static_cast<cudaError_t>(error), what);
}

}  // namespace

absl::StatusOr<std::unique_ptr<CudaStreams>> CudaStreams::Create(int device) {
  UseCudaDevice(device);
  BMOE_RETURN_IF_ERROR(Launched(LoadStreamKernels(), "loading kernels"));
  std::unique_ptr<CudaStreams> streams(new CudaStreams(device));
  int least = 0;
  int greatest = 0;
  BMOE_RETURN_IF_ERROR(
      CudaStatus(cudaDeviceGetStreamPriorityRange(&least, &greatest),
                 "asking for priorities of streams"));
  for (cudaStream_t* stream :
       {&streams->lanes_[0], &streams->lanes_[1], &streams->copies_}) {
    BMOE_RETURN_IF_ERROR(CudaStatus(
        cudaStreamCreateWithPriority(stream, cudaStreamNonBlocking, greatest),
        "creating a stream"));
  }
  return streams;
}

CudaStreams::~CudaStreams() {
  UseCudaDevice(device_);
  for (const cudaStream_t stream : {lanes_[0], lanes_[1], copies_}) {
    if (stream != nullptr) cudaStreamDestroy(stream);
  }
}

bool CudaStreams::Drain(absl::Duration timeout) {
  UseCudaDevice(device_);
  const SteadyClock clock;
  const absl::Time deadline = clock.Now() + timeout;
  bool drained = true;
  for (const cudaStream_t stream : lanes_) {
    bool busy = cudaStreamQuery(stream) == cudaErrorNotReady;
    while (busy && clock.Now() < deadline) {
      std::this_thread::yield();
      busy = cudaStreamQuery(stream) == cudaErrorNotReady;
    }
    drained = drained && !busy;
  }
  // A query that is not ready counts as an error.
  cudaGetLastError();
  return drained;
}

absl::Status CudaStreams::Copy(StreamLane lane, std::byte* to,
                               const std::byte* from, size_t bytes) {
  UseCudaDevice(device_);
  return CudaStatus(
      cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, of(lane)),
      "copying on the GPU");
}

absl::Status CudaStreams::SumInRankOrder(StreamLane lane, float* sum,
                                         const float* parts, size_t count,
                                         int32_t ranks) {
  UseCudaDevice(device_);
  return Launched(LaunchSumInRankOrder(sum, parts, count, ranks, of(lane)),
                  "summing on the GPU");
}

absl::Status CudaStreams::Checksum(StreamLane lane, const std::byte* from,
                                   size_t bytes, uint64_t* checksum) {
  UseCudaDevice(device_);
  return Launched(LaunchChecksum(from, bytes, checksum, of(lane)),
                  "checksum on the GPU");
}

absl::Status CudaStreams::Compare(StreamLane lane, const uint64_t* one,
                                  const uint64_t* other, uint64_t* equal) {
  UseCudaDevice(device_);
  return Launched(LaunchCompare(one, other, equal, of(lane)),
                  "comparing on the GPU");
}

absl::Status CudaStreams::LaneWaits(StreamLane lane, const StreamEvent& event) {
  UseCudaDevice(device_);
  return CudaStatus(cudaStreamWaitEvent(of(lane), EventOf(event), 0),
                    "waiting for an event");
}

absl::StatusOr<std::shared_ptr<StreamEvent>> CudaStreams::Record(
    StreamLane lane) {
  UseCudaDevice(device_);
  return CudaEvent::RecordOn(of(lane));
}

absl::StatusOr<std::shared_ptr<StreamEvent>> CudaStreams::RecordOn(
    ComputeStream stream) {
  UseCudaDevice(device_);
  return CudaEvent::RecordOn(StreamOf(stream));
}

absl::Status CudaStreams::StreamWaits(ComputeStream stream,
                                      const StreamEvent& event) {
  UseCudaDevice(device_);
  return CudaStatus(cudaStreamWaitEvent(StreamOf(stream), EventOf(event), 0),
                    "waiting for an event");
}

absl::StatusOr<bool> CudaStreams::Done(const StreamEvent& event) {
  const cudaError_t state = cudaEventQuery(EventOf(event));
  if (state == cudaErrorNotReady) {
    cudaGetLastError();
    return false;
  }
  BMOE_RETURN_IF_ERROR(CudaStatus(state, "the GPU has failed"));
  return true;
}

}  // namespace balancemoe::worker
