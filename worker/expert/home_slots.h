#ifndef BALANCEMOE_WORKER_EXPERT_HOME_SLOTS_H_
#define BALANCEMOE_WORKER_EXPERT_HOME_SLOTS_H_

#include <torch/types.h>

#include <cstddef>
#include <vector>

#include "absl/types/span.h"
#include "worker/expert/expert_slab.h"

namespace balancemoe::worker {

// What the home of an expert holds of it.
struct HomeSlot {
  ExpertSlot parameters;
  ExpertSlot gradients;
  // Tensors of the parameters' shapes that the optimizer keeps: Adam's mean and
  // variance.
  std::vector<ExpertSlot> moments;
  // Steps that the optimizer has taken with each of the parameters, [4], float.
  torch::Tensor steps;

  // All that must not be lost when the home changes, as it lies in memory:
  // parameters, moments, steps.
  std::vector<absl::Span<std::byte>> StateBytes() const;
};

// The home slots of one layer on one worker. Grows to the most that were ever
// taken at a time, and keeps those. Used from one thread.
class HomeSlots {
 public:
  // Makes `count` slots at once on `device`; each has `moments` moments.
  HomeSlots(const ExpertShape& shape, size_t moments, size_t count,
            const torch::Device& device);

  // A free slot: moments, steps and gradients zero, parameters undefined.
  HomeSlot Take();
  void Give(HomeSlot slot) { free_.push_back(std::move(slot)); }

  // Bytes of all slots ever made.
  int64_t bytes() const { return BytesOf(count_); }
  // Of `slots` slots: parameters, gradients and moments.
  int64_t BytesOf(size_t slots) const;

 private:
  void Make(size_t count);

  const ExpertShape shape_;
  const size_t moments_;
  const torch::Device device_;
  size_t count_ = 0;
  std::vector<HomeSlot> free_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_EXPERT_HOME_SLOTS_H_
