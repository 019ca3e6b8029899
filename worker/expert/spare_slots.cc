#include "worker/expert/spare_slots.h"

#include <algorithm>
#include <utility>

namespace balancemoe::worker {

std::unique_ptr<BorrowedSlot> SpareSlots::Take(ExpertId expert) {
  if (free_.empty()) {
    free_ = MakeExpertSlab(shape_, 1, device_);
    ++count_;
  }
  ExpertSlot slot = std::move(free_.back());
  free_.pop_back();
  return std::make_unique<BorrowedSlot>(shared_from_this(), std::move(slot),
                                        expert);
}

const ExpertTensors* SpareSlots::Find(ExpertId expert) const {
  const auto found = std::find_if(
      taken_.rbegin(), taken_.rend(), [expert](const BorrowedSlot* slot) {
        return slot->expert() == expert && slot->visible();
      });
  return found == taken_.rend() ? nullptr : &(*found)->tensors();
}

size_t SpareSlots::TakeMost() {
  return std::exchange(most_taken_, taken_.size());
}

BorrowedSlot::BorrowedSlot(std::shared_ptr<SpareSlots> pool, ExpertSlot slot,
                           ExpertId expert)
    : pool_(std::move(pool)), slot_(std::move(slot)), expert_(expert) {
  pool_->taken_.push_back(this);
  pool_->most_taken_ = std::max(pool_->most_taken_, pool_->taken_.size());
}

BorrowedSlot::~BorrowedSlot() {
  std::erase(pool_->taken_, this);
  pool_->free_.push_back(slot_);
}

}  // namespace balancemoe::worker
