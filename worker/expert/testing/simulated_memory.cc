#include "worker/expert/testing/simulated_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "common/check.h"

namespace balancemoe::worker {
namespace {

// Of a device; takes memory only where it is used.
constexpr size_t kDeviceBytes = size_t{1} << 30;
constexpr size_t kAlignment = 512;
// All bits set are a NaN in every floating-point format.
constexpr int kNan = 0xFF;

std::byte* Reserve(int protection) {
  void* const region =
      mmap(nullptr, kSimulatedDevices * kDeviceBytes, protection,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, /*fd=*/-1,
           /*offset=*/0);
  BMOE_CHECK(region != MAP_FAILED);
  return static_cast<std::byte*>(region);
}

size_t Rounded(size_t bytes) {
  return (std::max<size_t>(bytes, 1) + kAlignment - 1) / kAlignment *
         kAlignment;
}

}  // namespace

SimulatedMemory& SimulatedMemory::Get() {
  // Tensors of static storage may outlive any other end.
  static SimulatedMemory& memory = *new SimulatedMemory();
  return memory;
}

SimulatedMemory::SimulatedMemory()
    : addresses_(Reserve(PROT_NONE)),
      kernels_(Reserve(PROT_READ | PROT_WRITE)),
      settled_(Reserve(PROT_READ | PROT_WRITE)) {}

bool SimulatedMemory::Contains(const void* address) const {
  const auto* const at = static_cast<const std::byte*>(address);
  return at >= addresses_ && at < addresses_ + kSimulatedDevices * kDeviceBytes;
}

size_t SimulatedMemory::OffsetOf(const void* address) const {
  BMOE_CHECK(Contains(address));
  return static_cast<size_t>(static_cast<const std::byte*>(address) -
                             addresses_);
}

int SimulatedMemory::DeviceOf(const void* address) const {
  return static_cast<int>(OffsetOf(address) / kDeviceBytes);
}

SimulatedMemory::Device& SimulatedMemory::DeviceAt(size_t offset) {
  return devices_[offset / kDeviceBytes];
}

void* SimulatedMemory::Allocate(int device, size_t bytes) {
  const size_t size = Rounded(bytes);
  Device& of = devices_[static_cast<size_t>(device)];
  MutexLock lock(&of.mutex);
  std::vector<size_t>& free = of.free_by_size[size];
  if (free.empty()) {
    BMOE_CHECK(of.used + size <= kDeviceBytes);
    free.push_back(static_cast<size_t>(device) * kDeviceBytes + of.used);
    of.used += size;
  }
  const size_t offset = free.back();
  free.pop_back();
  std::memset(kernels_ + offset, kNan, size);
  std::memset(settled_ + offset, kNan, size);
  return addresses_ + offset;
}

void SimulatedMemory::Free(void* address, size_t bytes) {
  const size_t offset = OffsetOf(address);
  Device& of = DeviceAt(offset);
  MutexLock lock(&of.mutex);
  of.free_by_size[Rounded(bytes)].push_back(offset);
}

void* SimulatedMemory::ForKernels(const void* address) const {
  return kernels_ + OffsetOf(address);
}

void SimulatedMemory::NoteWrite(const void* address, size_t bytes) {
  const size_t offset = OffsetOf(address);
  Device& of = DeviceAt(offset);
  MutexLock lock(&of.mutex);
  of.unsettled.push_back({offset, bytes});
}

void SimulatedMemory::Settle(int device) {
  Device& of = devices_[static_cast<size_t>(device)];
  MutexLock lock(&of.mutex);
  for (const Range& range : of.unsettled) {
    std::memcpy(settled_ + range.offset, kernels_ + range.offset, range.bytes);
  }
  of.unsettled.clear();
}

void SimulatedMemory::Copy(void* to, const void* from, size_t bytes) {
  std::vector<std::byte> carried(bytes);
  if (Contains(from)) {
    const size_t offset = OffsetOf(from);
    Device& of = DeviceAt(offset);
    MutexLock lock(&of.mutex);
    std::memcpy(carried.data(), settled_ + offset, bytes);
  } else {
    std::memcpy(carried.data(), from, bytes);
  }
  if (!Contains(to)) {
    std::memcpy(to, carried.data(), bytes);
    return;
  }
  const size_t offset = OffsetOf(to);
  Device& of = DeviceAt(offset);
  MutexLock lock(&of.mutex);
  std::memcpy(settled_ + offset, carried.data(), bytes);
  std::memcpy(kernels_ + offset, carried.data(), bytes);
}

bool OnSimulatedDevice(const void* address) {
  return SimulatedMemory::Get().Contains(address);
}

void CopySimulated(void* to, const void* from, size_t bytes) {
  SimulatedMemory::Get().Copy(to, from, bytes);
}

}  // namespace balancemoe::worker
