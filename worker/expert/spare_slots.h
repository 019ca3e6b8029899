#ifndef BALANCEMOE_WORKER_EXPERT_SPARE_SLOTS_H_
#define BALANCEMOE_WORKER_EXPERT_SPARE_SLOTS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/ids.h"
#include "worker/expert/expert_slab.h"

namespace balancemoe::worker {

class BorrowedSlot;

// Slots that hold one expert after another. Grows to the most that were ever
// held at a time, and keeps those. Used from one thread.
class SpareSlots : public std::enable_shared_from_this<SpareSlots> {
 public:
  SpareSlots(const ExpertShape& shape, const torch::Device& device)
      : shape_(shape), device_(device) {}

  // A free slot, its content undefined.
  std::unique_ptr<BorrowedSlot> Take(ExpertId expert);

  // The youngest visible slot of `expert`; null when there is none.
  const ExpertTensors* Find(ExpertId expert) const;

  size_t count() const { return count_; }
  // The most that were taken at a time since the last call.
  size_t TakeMost();

 private:
  friend class BorrowedSlot;

  const ExpertShape shape_;
  const torch::Device device_;
  size_t count_ = 0;
  std::vector<ExpertSlot> free_;
  std::vector<const BorrowedSlot*> taken_;
  size_t most_taken_ = 0;
};

// A slot on loan for one expert; goes back when destroyed.
//
//   taken --Publish--> visible
//
// What a transfer writes is not to be seen before it is complete and verified.
class BorrowedSlot {
 public:
  BorrowedSlot(std::shared_ptr<SpareSlots> pool, ExpertSlot slot,
               ExpertId expert);
  ~BorrowedSlot();
  BorrowedSlot(const BorrowedSlot&) = delete;
  BorrowedSlot& operator=(const BorrowedSlot&) = delete;

  // From now on ExpertStore::Find sees it.
  void Publish() { visible_ = true; }

  ExpertId expert() const { return expert_; }
  bool visible() const { return visible_; }
  const ExpertTensors& tensors() const { return slot_.tensors; }
  absl::Span<std::byte> bytes() const { return slot_.bytes; }

 private:
  const std::shared_ptr<SpareSlots> pool_;
  const ExpertSlot slot_;
  const ExpertId expert_;
  bool visible_ = false;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_EXPERT_SPARE_SLOTS_H_
