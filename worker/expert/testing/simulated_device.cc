#include "worker/expert/testing/simulated_device.h"

#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include "common/check.h"
#include "worker/expert/testing/simulated_kernels.h"
#include "worker/expert/testing/simulated_memory.h"

namespace balancemoe::worker {
namespace {

constexpr c10::DeviceType kType = c10::DeviceType::PrivateUse1;

// Which device a thread is on. Each has one stream, on which kernels end as
// they are launched.
class Guard final : public c10::impl::DeviceGuardImplInterface {
 public:
  c10::DeviceType type() const override { return kType; }
  c10::DeviceIndex deviceCount() const noexcept override {
    return kSimulatedDevices;
  }
  c10::Device getDevice() const override { return {kType, current_}; }
  void setDevice(c10::Device device) const override {
    uncheckedSetDevice(device);
  }
  void uncheckedSetDevice(c10::Device device) const noexcept override {
    if (device.has_index()) current_ = device.index();
  }
  c10::Device exchangeDevice(c10::Device device) const override {
    const c10::Device before = getDevice();
    setDevice(device);
    return before;
  }

  c10::Stream getStream(c10::Device device) const override {
    return c10::Stream(c10::Stream::DEFAULT,
                       {kType, device.has_index() ? device.index() : current_});
  }
  c10::Stream exchangeStream(c10::Stream stream) const override {
    return getStream(stream.device());
  }
  bool queryStream(const c10::Stream&) const override { return true; }
  void synchronizeStream(const c10::Stream& stream) const override {
    SimulatedMemory::Get().Settle(stream.device_index());
  }
  void record(void**, const c10::Stream&, c10::DeviceIndex,
              c10::EventFlag) const override {}
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  void destroyEvent(void*, c10::DeviceIndex) const noexcept override {}

 private:
  static inline thread_local c10::DeviceIndex current_ = 0;
};

// What Torch asks about the devices as such.
class Hooks final : public at::PrivateUse1HooksInterface {
 public:
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  at::Device getDeviceFromPtr(void* data) const override {
    return {kType, static_cast<c10::DeviceIndex>(
                       SimulatedMemory::Get().DeviceOf(data))};
  }
};

bool Register() {
  static Guard guard;
  static Hooks hooks;
  c10::impl::registerDeviceGuard(kType, &guard);
  at::RegisterPrivateUse1HooksInterface(&hooks);
  RegisterSimulatedKernels();
  c10::register_privateuse1_backend("simulated");
  return true;
}

}  // namespace

torch::Device SimulatedDevice(int index) {
  static const bool registered = Register();
  BMOE_CHECK(registered && index < kSimulatedDevices);
  return {kType, static_cast<c10::DeviceIndex>(index)};
}

}  // namespace balancemoe::worker
