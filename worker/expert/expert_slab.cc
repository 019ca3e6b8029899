#include "worker/expert/expert_slab.h"

#include <utility>

namespace balancemoe::worker {
namespace {

constexpr int64_t kSlotAlignmentBytes = 64;

int64_t SlotStrideBytes(const ExpertShape& shape) {
  return (shape.bytes() + kSlotAlignmentBytes - 1) / kSlotAlignmentBytes *
         kSlotAlignmentBytes;
}

std::array<std::vector<int64_t>, 4> SizesOf(const ExpertShape& shape) {
  return {std::vector<int64_t>{shape.w1_rows(), shape.hidden},
          {shape.w1_rows()},
          {shape.hidden, shape.ffn},
          {shape.hidden}};
}

ExpertSlot SlotAt(const ExpertShape& shape, const torch::Tensor& slab,
                  size_t index) {
  auto* const start = static_cast<std::byte*>(slab.data_ptr()) +
                      static_cast<int64_t>(index) * SlotStrideBytes(shape);
  ExpertSlot slot;
  slot.bytes = absl::MakeSpan(start, static_cast<size_t>(shape.bytes()));
  slot.slab = slab;
  slot.index = index;
  const auto options =
      torch::TensorOptions(torch::kFloat).device(slab.device());
  auto* next = reinterpret_cast<float*>(start);
  const auto sizes = SizesOf(shape);
  for (size_t i = 0; i < sizes.size(); ++i) {
    // The deleter holds the slab, so that it outlives its last slot.
    slot.tensors.all[i] = torch::from_blob(
        next, sizes[i], [slab](void*) {}, options);
    next += slot.tensors.all[i].numel();
  }
  return slot;
}

}  // namespace

std::vector<ExpertSlot> MakeExpertSlab(const ExpertShape& shape, size_t count,
                                       const torch::Device& device) {
  const torch::Tensor slab =
      torch::empty({static_cast<int64_t>(count) * SlotStrideBytes(shape)},
                   torch::TensorOptions(torch::kByte).device(device));
  std::vector<ExpertSlot> slots;
  slots.reserve(count);
  for (size_t i = 0; i < count; ++i) slots.push_back(SlotAt(shape, slab, i));
  return slots;
}

ExpertTensors AllSlotsOf(const ExpertShape& shape, const torch::Tensor& slab) {
  const torch::Tensor floats = slab.view(torch::kFloat);
  const int64_t stride =
      SlotStrideBytes(shape) / static_cast<int64_t>(sizeof(float));
  ExpertTensors all;
  int64_t offset = 0;
  const auto sizes = SizesOf(shape);
  for (size_t i = 0; i < sizes.size(); ++i) {
    std::vector<int64_t> of_all = {floats.numel() / stride};
    of_all.insert(of_all.end(), sizes[i].begin(), sizes[i].end());
    std::vector<int64_t> strides = {stride};
    if (sizes[i].size() == 2) strides.push_back(sizes[i][1]);
    strides.push_back(1);
    all.all[i] = floats.as_strided(of_all, strides, offset);
    offset += c10::multiply_integers(sizes[i]);
  }
  return all;
}

}  // namespace balancemoe::worker
