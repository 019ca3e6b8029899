#ifndef BALANCEMOE_WORKER_EXPERT_EXPERT_STORE_H_
#define BALANCEMOE_WORKER_EXPERT_EXPERT_STORE_H_

#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "common/ids.h"
#include "worker/expert/expert_slab.h"
#include "worker/expert/spare_slots.h"

namespace balancemoe::worker {

// Holds the experts of one layer that live on this worker, and, for the time of
// a lend, those that it borrows.
//
// A torch::nn::Module: home experts are its parameters, named by expert id
// ("3.w1"), so that a checkpoint loads wherever the expert lives then. Their
// gradients lie in a slab too and are put in place before the first backward.
// fp32 on the CPU; converting the module to another type or device would detach
// it from its slabs. Used from the training thread only.
class ExpertStore : public torch::nn::Module {
 public:
  struct Options {
    LayerId layer;
    ExpertShape shape;
    WorkerRank rank;
    // [E]
    std::vector<WorkerRank> home_of_expert;
    // First values depend on (seed, layer, expert), not on where the expert
    // lives.
    uint64_t seed = 1;
  };

  explicit ExpertStore(const Options& options);

  // The parameters of `expert`, of home experts and of borrowed ones that have
  // arrived; null otherwise.
  const ExpertTensors* Find(ExpertId expert) const;

  bool IsHome(ExpertId expert) const {
    return slot_of_expert_[expert.index()] != kElsewhere;
  }

  // The parameters of a home expert as they lie in memory: what a lend sends.
  // `expert` must live here.
  absl::Span<std::byte> HomeBytes(ExpertId expert) const;

  // Room for an expert that lives elsewhere. Allocates when more are held at a
  // time than ever before; a job without lends has none.
  std::unique_ptr<BorrowedSlot> Borrow(ExpertId expert);

  // Memory for the gradient of a borrowed expert, until the pointer dies.
  std::unique_ptr<BorrowedSlot> GradientBuffer(ExpertId expert);

  // Memory for `count` gradients that come home. New every time: autograd hands
  // them to whoever asks, for as long as they like.
  std::vector<ExpertSlot> ReturnBuffers(size_t count);

  // Gives zeros in the gradient slab to every home parameter that has no
  // gradient: zero_grad() drops them by default. So an expert has a gradient in
  // every step, whoever computed it and whether it had tokens.
  void PrepareGradients();

  // Ascending.
  const std::vector<ExpertId>& home_experts() const { return home_experts_; }
  const std::vector<WorkerRank>& home_of_expert() const {
    return options_.home_of_expert;
  }
  const ExpertShape& shape() const { return options_.shape; }
  LayerId layer() const { return options_.layer; }
  WorkerRank rank() const { return options_.rank; }
  // Of parameters and gradients, home and borrowed, ever needed at a time.
  int64_t allocated_bytes() const;

 private:
  static constexpr size_t kElsewhere = SIZE_MAX;

  void RegisterHomeExpert(size_t slot, ExpertId expert);

  // Constant after construction.
  const Options options_;
  std::vector<ExpertId> home_experts_;
  // [E]: index into the slabs, kElsewhere for experts of other workers.
  std::vector<size_t> slot_of_expert_;
  std::vector<ExpertSlot> parameters_;
  std::vector<ExpertSlot> gradients_;

  // Shared with the borrowed slots, which graphs keep beyond the store's life.
  std::shared_ptr<SpareSlots> spares_;
  std::shared_ptr<SpareSlots> gradient_buffers_;
  size_t most_returned_ = 0;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_EXPERT_EXPERT_STORE_H_
