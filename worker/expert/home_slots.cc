#include "worker/expert/home_slots.h"

#include <torch/utils.h>

#include <cstdint>
#include <utility>

namespace balancemoe::worker {

std::vector<absl::Span<std::byte>> HomeSlot::StateBytes() const {
  std::vector<absl::Span<std::byte>> parts = {parameters.bytes};
  for (const ExpertSlot& moment : moments) parts.push_back(moment.bytes);
  parts.push_back(absl::MakeSpan(static_cast<std::byte*>(steps.data_ptr()),
                                 steps.nbytes()));
  return parts;
}

HomeSlots::HomeSlots(const ExpertShape& shape, size_t moments, size_t count,
                     const torch::Device& device)
    : shape_(shape), moments_(moments), device_(device) {
  Make(count);
}

void HomeSlots::Make(size_t count) {
  const auto parameters = MakeExpertSlab(shape_, count, device_);
  const auto gradients = MakeExpertSlab(shape_, count, device_);
  const auto moments = MakeExpertSlab(shape_, count * moments_, device_);
  // Taken from the back, so that a job's first experts lie in their order.
  for (size_t i = count; i-- > 0;) {
    free_.push_back({.parameters = parameters[i],
                     .gradients = gradients[i],
                     .moments = {moments.begin() + i * moments_,
                                 moments.begin() + (i + 1) * moments_},
                     .steps = torch::zeros(
                         {static_cast<int64_t>(ExpertTensors::kNames.size())},
                         torch::TensorOptions(device_))});
  }
  count_ += count;
}

HomeSlot HomeSlots::Take() {
  if (free_.empty()) Make(1);
  HomeSlot slot = std::move(free_.back());
  free_.pop_back();
  const torch::NoGradGuard no_grad;
  for (const ExpertSlot& moment : slot.moments) {
    for (const torch::Tensor& part : moment.tensors.all) part.zero_();
  }
  slot.steps.zero_();
  for (size_t i = 0; i < slot.parameters.tensors.all.size(); ++i) {
    slot.gradients.tensors.all[i].zero_();
    slot.parameters.tensors.all[i].mutable_grad() =
        slot.gradients.tensors.all[i];
  }
  return slot;
}

int64_t HomeSlots::BytesOf(size_t slots) const {
  return static_cast<int64_t>(slots * (2 + moments_)) * shape_.bytes();
}

}  // namespace balancemoe::worker
