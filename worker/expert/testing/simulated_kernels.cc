#include "worker/expert/testing/simulated_kernels.h"

#include <ATen/EmptyTensor.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/view_native.h>
#include <c10/core/DeviceGuard.h>
#include <torch/library.h>
#include <torch/types.h>

#include <array>
#include <cstdint>
#include <optional>

#include "worker/expert/testing/simulated_memory.h"

namespace balancemoe::worker {
namespace {

// The second has no kernels and a lower rank. Parameters may go to a device in
// place (set_data), as they go to a GPU, only to one of a few that Torch lists.
constexpr c10::DispatchKeySet kKeys({c10::DispatchKey::PrivateUse1,
                                     c10::DispatchKey::HPU});

class Allocator final : public c10::Allocator {
 public:
  explicit Allocator(int device) : device_(device) {}

  c10::DataPtr allocate(size_t bytes) override {
    const c10::Device device(c10::DeviceType::PrivateUse1,
                             static_cast<c10::DeviceIndex>(device_));
    // Torch, too, has no memory for nothing.
    if (bytes == 0) return {nullptr, device};
    void* const memory = SimulatedMemory::Get().Allocate(device_, bytes);
    return {memory, new Block{memory, bytes}, &Free, device};
  }
  void copy_data(void*, const void*, size_t) const override {
    TORCH_CHECK(false, "storages of simulated devices are not copied whole");
  }

 private:
  struct Block {
    void* memory;
    size_t bytes;
  };

  static void Free(void* context) {
    auto* const block = static_cast<Block*>(context);
    SimulatedMemory::Get().Free(block->memory, block->bytes);
    delete block;
  }

  const int device_;
};

c10::Allocator* AllocatorOf(const c10::Device& device) {
  static std::array<std::unique_ptr<Allocator>, kSimulatedDevices>& all =
      *new auto([] {
        std::array<std::unique_ptr<Allocator>, kSimulatedDevices> made;
        for (size_t i = 0; i < made.size(); ++i) {
          made[i] = std::make_unique<Allocator>(static_cast<int>(i));
        }
        return made;
      }());
  return all[static_cast<size_t>(device.index())].get();
}

c10::Device DeviceOrCurrent(std::optional<c10::Device> device) {
  const c10::impl::VirtualGuardImpl guard(c10::DeviceType::PrivateUse1);
  return device.has_value() && device->has_index() ? *device
                                                   : guard.getDevice();
}

at::Tensor Empty(at::IntArrayRef size, std::optional<at::ScalarType> dtype,
                 std::optional<at::Layout>, std::optional<at::Device> device,
                 std::optional<bool>,
                 std::optional<at::MemoryFormat> memory_format) {
  return at::detail::empty_generic(size, AllocatorOf(DeviceOrCurrent(device)),
                                   kKeys, c10::dtype_or_default(dtype),
                                   memory_format);
}

at::Tensor EmptyStrided(at::IntArrayRef size, at::IntArrayRef stride,
                        std::optional<at::ScalarType> dtype,
                        std::optional<at::Layout>,
                        std::optional<at::Device> device, std::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride,
                                           AllocatorOf(DeviceOrCurrent(device)),
                                           kKeys, c10::dtype_or_default(dtype));
}

size_t SpanBytes(const at::Tensor& tensor) {
  return at::detail::computeStorageNbytes(tensor.sizes(), tensor.strides(),
                                          tensor.itemsize());
}

// The same values as a tensor of the host, whose kernels may touch them.
at::Tensor ForKernels(const at::Tensor& tensor) {
  if (tensor.is_cpu()) return tensor;
  const auto options = tensor.options().device(at::kCPU);
  if (tensor.numel() == 0) {
    return at::empty_strided(tensor.sizes(), tensor.strides(), options);
  }
  return at::from_blob(
      SimulatedMemory::Get().ForKernels(tensor.const_data_ptr()),
      tensor.sizes(), tensor.strides(), options);
}

at::Tensor CopyFrom(const at::Tensor& from, const at::Tensor& to, bool) {
  TORCH_CHECK(from.is_cpu() || to.is_cpu() || from.device() == to.device(),
              "copy from ", from.device(), " to ", to.device());
  ForKernels(to).copy_(ForKernels(from));
  if (!to.is_cpu() && to.numel() > 0) {
    SimulatedMemory::Get().NoteWrite(to.const_data_ptr(), SpanBytes(to));
  }
  return to;
}

const at::Tensor& Resize(const at::Tensor& self, at::IntArrayRef size,
                         std::optional<at::MemoryFormat>) {
  const size_t bytes =
      at::detail::computeStorageNbytesContiguous(size, self.itemsize());
  at::TensorImpl* const tensor = self.unsafeGetTensorImpl();
  if (bytes > self.storage().nbytes()) {
    const c10::Storage& storage = self.storage();
    storage.set_data_ptr_noswap(AllocatorOf(self.device())->allocate(bytes));
    storage.set_nbytes(bytes);
  }
  tensor->set_sizes_contiguous(size);
  return self;
}

at::Tensor CopyFromAndResize(const at::Tensor& from, const at::Tensor& to) {
  if (to.sizes() != from.sizes()) to.resize_(from.sizes());
  return CopyFrom(from, to, /*non_blocking=*/false);
}

// As kernels of GPUs: single values may be the host's, all else is where the
// first tensor is.
void CheckDevice(const c10::OperatorHandle& op, const at::Tensor& tensor,
                 std::optional<at::Device>& device) {
  if (!tensor.defined() || tensor.dim() == 0) return;
  if (!device.has_value()) device = tensor.device();
  TORCH_CHECK(*device == tensor.device(), op.schema().name(), ": tensors on ",
              *device, " and ", tensor.device());
}

void RunOnCpu(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const auto arguments =
      torch::jit::last(*stack, op.schema().arguments().size());
  std::optional<at::Device> device;
  for (const c10::IValue& argument : arguments) {
    if (argument.isTensor()) CheckDevice(op, argument.toTensor(), device);
    if (!argument.isTensorList()) continue;
    for (const at::Tensor& tensor : argument.toTensorVector()) {
      CheckDevice(op, tensor, device);
    }
  }
  // A copy where a view was asked for would go unnoticed.
  at::native::cpu_fallback(op, stack, /*error_on_views=*/true);
}

}  // namespace

void RegisterSimulatedKernels() {
  static torch::Library fallback(torch::Library::IMPL, "_",
                                 c10::DispatchKey::PrivateUse1, __FILE__,
                                 __LINE__);
  fallback.fallback(torch::CppFunction::makeFromBoxedFunction<&RunOnCpu>());
  static torch::Library aten(torch::Library::IMPL, "aten",
                             c10::DispatchKey::PrivateUse1, __FILE__, __LINE__);
  aten.impl("empty.memory_format", &Empty);
  aten.impl("empty_strided", &EmptyStrided);
  aten.impl("as_strided", &at::native::as_strided_tensorimpl);
  aten.impl("view", &at::native::view);
  aten.impl("view.dtype", &at::native::view_dtype);
  aten.impl("_reshape_alias", &at::native::_reshape_alias);
  aten.impl("resize_", &Resize);
  aten.impl("_copy_from", &CopyFrom);
  aten.impl("_copy_from_and_resize", &CopyFromAndResize);
}

}  // namespace balancemoe::worker
