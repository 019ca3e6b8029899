#ifndef BALANCEMOE_WORKER_EXPERT_TESTING_SIMULATED_MEMORY_H_
#define BALANCEMOE_WORKER_EXPERT_TESTING_SIMULATED_MEMORY_H_

#include <array>
#include <cstddef>
#include <map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"
#include "worker/expert/testing/simulated_device.h"

namespace balancemoe::worker {

// The memory of all simulated devices: three regions of the same layout. The
// addresses that tensors have are of one that nobody can touch. In the second
// kernels work. The third is what others see: kernels' writes come there when
// the host waits for the device. Thread-safe.
class SimulatedMemory {
 public:
  static SimulatedMemory& Get();

  bool Contains(const void* address) const;
  // The device at whose memory `address` is.
  int DeviceOf(const void* address) const;

  // At least one byte, full of NaNs.
  void* Allocate(int device, size_t bytes);
  void Free(void* address, size_t bytes);

  // Where kernels find what tensors have at `address`.
  void* ForKernels(const void* address) const;
  // A kernel has written `bytes` bytes at `address`.
  void NoteWrite(const void* address, size_t bytes);
  // Shows others what has been written on `device`.
  void Settle(int device);

  // As others see it; what they write, kernels see too.
  void Copy(void* to, const void* from, size_t bytes);

 private:
  struct Range {
    size_t offset = 0;
    size_t bytes = 0;
  };
  struct Device {
    Mutex mutex;
    size_t used ABSL_GUARDED_BY(mutex) = 0;
    std::map<size_t, std::vector<size_t>> free_by_size ABSL_GUARDED_BY(mutex);
    std::vector<Range> unsettled ABSL_GUARDED_BY(mutex);
  };

  SimulatedMemory();

  size_t OffsetOf(const void* address) const;
  Device& DeviceAt(size_t offset);

  // Constant after construction.
  std::byte* addresses_ = nullptr;
  std::byte* kernels_ = nullptr;
  std::byte* settled_ = nullptr;
  std::array<Device, kSimulatedDevices> devices_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_EXPERT_TESTING_SIMULATED_MEMORY_H_
