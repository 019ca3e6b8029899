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
  // Drawn on the CPU, so that they are the same on every device.
  const auto draw = [&](const torch::Tensor& parameter, double bound) {
    parameter.copy_(
        torch::empty(parameter.sizes()).uniform_(-bound, bound, generator));
  };
  draw(parameters.w1(), bound1);
  draw(parameters.b1(), bound1);
  draw(parameters.w2(), bound2);
  draw(parameters.b2(), bound2);
}

}  // namespace

ExpertStore::ExpertStore(const Options& options)
    : options_(options),
      home_of_expert_(options.home_of_expert),
      slots_(options.shape, static_cast<size_t>(options.moments),
             static_cast<size_t>(std::count(options.home_of_expert.begin(),
                                            options.home_of_expert.end(),
                                            options.rank)),
             options.device),
      home_slots_(options.home_of_expert.size()),
      spares_(std::make_shared<SpareSlots>(options.shape, options.device)),
      gradient_buffers_(
          std::make_shared<SpareSlots>(options.shape, options.device)) {
  for (size_t i = 0; i < home_of_expert_.size(); ++i) {
    if (home_of_expert_[i] != options_.rank) continue;
    const ExpertId expert(static_cast<int32_t>(i));
    HomeSlot slot = slots_.Take();
    Initialize(options_.shape, options_.seed, options_.layer, expert,
               slot.parameters.tensors);
    SettleIn(expert, std::move(slot));
  }
}

void ExpertStore::SettleIn(ExpertId expert, HomeSlot slot) {
  const ExpertTensors& tensors = slot.parameters.tensors;
  auto module = std::make_shared<torch::nn::Module>();
  for (size_t i = 0; i < tensors.all.size(); ++i) {
    module->register_parameter(ExpertTensors::kNames[i], tensors.all[i]);
  }
  register_module(absl::StrCat(expert.value()), std::move(module));
  home_slots_[expert.index()] = std::move(slot);
  home_experts_.insert(
      std::lower_bound(home_experts_.begin(), home_experts_.end(), expert),
      expert);
  peak_homes_ = std::max(peak_homes_, home_experts_.size());
}

std::vector<absl::Span<std::byte>> ExpertStore::BeginArrival(ExpertId expert) {
  BMOE_CHECK(!IsHome(expert));
  const auto [at, begun] = arrivals_.emplace(expert, slots_.Take());
  BMOE_CHECK(begun);
  peak_homes_ = std::max(peak_homes_, home_experts_.size() + arrivals_.size());
  return at->second.StateBytes();
}

void ExpertStore::CommitMoves(absl::Span<const Move> moves) {
  for (const Move& move : moves) {
    std::optional<HomeSlot>& slot = home_slots_[move.expert.index()];
    home_of_expert_[move.expert.index()] = move.to;
    if (move.from == options_.rank) {
      unregister_module(absl::StrCat(move.expert.value()));
      std::erase(home_experts_, move.expert);
      slots_.Give(*std::exchange(slot, std::nullopt));
    } else if (move.to == options_.rank) {
      auto arrived = arrivals_.extract(move.expert);
      BMOE_CHECK(!arrived.empty());
      SettleIn(move.expert, std::move(arrived.mapped()));
    }
  }
}

void ExpertStore::AbandonArrivals() {
  for (auto& [expert, slot] : arrivals_) slots_.Give(std::move(slot));
  arrivals_.clear();
}

const ExpertTensors* ExpertStore::Find(ExpertId expert) const {
  const std::optional<HomeSlot>& slot = home_slots_[expert.index()];
  if (slot.has_value()) return &slot->parameters.tensors;
  return spares_->Find(expert);
}

const ExpertSlot& ExpertStore::Home(ExpertId expert) const {
  const std::optional<HomeSlot>& slot = home_slots_[expert.index()];
  BMOE_CHECK(slot.has_value());
  return slot->parameters;
}

std::unique_ptr<BorrowedSlot> ExpertStore::Borrow(ExpertId expert) {
  BMOE_CHECK(!IsHome(expert));
  return spares_->Take(expert);
}

std::unique_ptr<BorrowedSlot> ExpertStore::GradientBuffer(ExpertId expert) {
  return gradient_buffers_->Take(expert);
}

std::vector<ExpertSlot> ExpertStore::ReturnBuffers(size_t count) {
  peak_returned_ = std::max(peak_returned_, count);
  return MakeExpertSlab(options_.shape, count, options_.device);
}

void ExpertStore::PrepareGradients() {
  const torch::NoGradGuard no_grad;
  for (const ExpertId expert : home_experts_) {
    HomeSlot& slot = *home_slots_[expert.index()];
    for (size_t i = 0; i < slot.parameters.tensors.all.size(); ++i) {
      torch::Tensor& gradient = slot.parameters.tensors.all[i].mutable_grad();
      if (gradient.defined()) continue;
      gradient = slot.gradients.tensors.all[i];
      gradient.zero_();
    }
  }
}

int64_t ExpertStore::TakePeakBytes() {
  const size_t homes = std::exchange(peak_homes_, home_experts_.size());
  const size_t spare = spares_->TakeMost() + gradient_buffers_->TakeMost() +
                       std::exchange(peak_returned_, 0);
  return slots_.BytesOf(homes) +
         static_cast<int64_t>(spare) * options_.shape.bytes();
}

int64_t ExpertStore::allocated_bytes() const {
  const size_t spare = spares_->count() + gradient_buffers_->count();
  return slots_.bytes() + static_cast<int64_t>(spare) * options_.shape.bytes();
}

}  // namespace balancemoe::worker
