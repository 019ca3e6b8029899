#include "worker/expert/expert_store.h"

#include <torch/nn/modules/linear.h>
#include <torch/utils.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/checksum.h"

namespace balancemoe::worker {
namespace {

// torch::nn::Linear's first values, from a generator of the expert's own.
void Initialize(const ExpertShape& shape, uint64_t seed, LayerId layer,
                ExpertId expert, const ExpertTensors& parameters) {
  const std::array<uint64_t, 3> key = {seed,
                                       static_cast<uint64_t>(layer.value()),
                                       static_cast<uint64_t>(expert.value())};
  at::Generator generator =
      at::make_generator<at::CPUGeneratorImpl>(Checksum(absl::MakeConstSpan(
          reinterpret_cast<const std::byte*>(key.data()), sizeof(key))));
  const double bound1 = 1 / std::sqrt(static_cast<double>(shape.hidden));
  const double bound2 = 1 / std::sqrt(static_cast<double>(shape.ffn));
  parameters.w1().uniform_(-bound1, bound1, generator);
  parameters.b1().uniform_(-bound1, bound1, generator);
  parameters.w2().uniform_(-bound2, bound2, generator);
  parameters.b2().uniform_(-bound2, bound2, generator);
}

}  // namespace

ExpertStore::ExpertStore(const Options& options)
    : options_(options),
      slot_of_expert_(options.home_of_expert.size(), kElsewhere),
      spares_(std::make_shared<SpareSlots>(options.shape)),
      gradient_buffers_(std::make_shared<SpareSlots>(options.shape)) {
  for (size_t i = 0; i < options_.home_of_expert.size(); ++i) {
    if (options_.home_of_expert[i] != options_.rank) continue;
    slot_of_expert_[i] = home_experts_.size();
    home_experts_.emplace_back(static_cast<int32_t>(i));
  }
  parameters_ = MakeExpertSlab(options_.shape, home_experts_.size());
  gradients_ = MakeExpertSlab(options_.shape, home_experts_.size());
  for (size_t slot = 0; slot < home_experts_.size(); ++slot) {
    RegisterHomeExpert(slot, home_experts_[slot]);
  }
  PrepareGradients();
}

void ExpertStore::RegisterHomeExpert(size_t slot, ExpertId expert) {
  ExpertTensors& tensors = parameters_[slot].tensors;
  Initialize(options_.shape, options_.seed, options_.layer, expert, tensors);
  auto module = std::make_shared<torch::nn::Module>();
  for (size_t i = 0; i < tensors.all.size(); ++i) {
    module->register_parameter(ExpertTensors::kNames[i], tensors.all[i]);
  }
  register_module(absl::StrCat(expert.value()), std::move(module));
}

const ExpertTensors* ExpertStore::Find(ExpertId expert) const {
  const size_t slot = slot_of_expert_[expert.index()];
  if (slot != kElsewhere) return &parameters_[slot].tensors;
  return spares_->Find(expert);
}

absl::Span<std::byte> ExpertStore::HomeBytes(ExpertId expert) const {
  const size_t slot = slot_of_expert_[expert.index()];
  BMOE_CHECK(slot != kElsewhere);
  return parameters_[slot].bytes;
}

std::unique_ptr<BorrowedSlot> ExpertStore::Borrow(ExpertId expert) {
  BMOE_CHECK(slot_of_expert_[expert.index()] == kElsewhere);
  return spares_->Take(expert);
}

std::unique_ptr<BorrowedSlot> ExpertStore::GradientBuffer(ExpertId expert) {
  return gradient_buffers_->Take(expert);
}

std::vector<ExpertSlot> ExpertStore::ReturnBuffers(size_t count) {
  most_returned_ = std::max(most_returned_, count);
  return MakeExpertSlab(options_.shape, count);
}

void ExpertStore::PrepareGradients() {
  const torch::NoGradGuard no_grad;
  for (size_t slot = 0; slot < parameters_.size(); ++slot) {
    for (size_t i = 0; i < parameters_[slot].tensors.all.size(); ++i) {
      torch::Tensor& gradient = parameters_[slot].tensors.all[i].mutable_grad();
      if (gradient.defined()) continue;
      gradient = gradients_[slot].tensors.all[i];
      gradient.zero_();
    }
  }
}

int64_t ExpertStore::allocated_bytes() const {
  const size_t slots = parameters_.size() + gradients_.size() +
                       spares_->count() + gradient_buffers_->count() +
                       most_returned_;
  return static_cast<int64_t>(slots) * options_.shape.bytes();
}

}  // namespace balancemoe::worker
