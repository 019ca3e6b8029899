#ifndef BALANCEMOE_WORKER_EXPERT_TESTING_SIMULATED_DEVICE_H_
#define BALANCEMOE_WORKER_EXPERT_TESTING_SIMULATED_DEVICE_H_

#include <torch/types.h>

#include <cstddef>

namespace balancemoe::worker {

inline constexpr int kSimulatedDevices = 8;

// Device `index` of this process, on which CPUs run what is for GPUs. Its
// kernels are Torch's for CPUs, so results are the same to the bit; in all else
// it is as strict as a GPU, or stricter:
//  - A host that touches its memory dies of SIGSEGV.
//  - Kernels take tensors of one device only, but for single values.
//  - New memory holds NaNs.
//  - Others find in its memory what kernels wrote before the host last waited
//    for the device (AwaitCompute), and nothing newer.
//
// The first call makes Torch know these devices, as its PrivateUse1; before
// anything is differentiated.
// Thread-safe.
torch::Device SimulatedDevice(int index);

// The devices' memory as others see it. All functions are thread-safe; the
// addresses are those of tensors.
bool OnSimulatedDevice(const void* address);
// Either may be on a device or on the host.
void CopySimulated(void* to, const void* from, size_t bytes);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_EXPERT_TESTING_SIMULATED_DEVICE_H_
