#include "worker/expert/expert_slab.h"

#include <utility>

namespace balancemoe::worker {
namespace {

constexpr int64_t kSlotAlignmentBytes = 64;

int64_t SlotStrideBytes(const ExpertShape& shape) {
  return (shape.bytes() + kSlotAlignmentBytes - 1) / kSlotAlignmentBytes *
         kSlotAlignmentBytes;
}

ExpertSlot SlotAt(const ExpertShape& shape, const torch::Tensor& slab,
                  int64_t offset_bytes) {
  const std::array<std::vector<int64_t>, 4> sizes = {
      std::vector<int64_t>{shape.w1_rows(), shape.hidden},
      {shape.w1_rows()},
      {shape.hidden, shape.ffn},
      {shape.hidden}};
  auto* const start = static_cast<std::byte*>(slab.data_ptr()) + offset_bytes;
  ExpertSlot slot;
  slot.bytes = absl::MakeSpan(start, static_cast<size_t>(shape.bytes()));
  auto* next = reinterpret_cast<float*>(start);
  for (size_t i = 0; i < sizes.size(); ++i) {
    // The deleter holds the slab, so that it outlives its last slot.
    slot.tensors.all[i] = torch::from_blob(next, sizes[i], [slab](void*) {});
    next += slot.tensors.all[i].numel();
  }
  return slot;
}

}  // namespace

std::vector<ExpertSlot> MakeExpertSlab(const ExpertShape& shape, size_t count) {
  const int64_t stride = SlotStrideBytes(shape);
  const torch::Tensor slab =
      torch::empty({static_cast<int64_t>(count) * stride}, torch::kByte);
  std::vector<ExpertSlot> slots;
  slots.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    slots.push_back(SlotAt(shape, slab, static_cast<int64_t>(i) * stride));
  }
  return slots;
}

}  // namespace balancemoe::worker
