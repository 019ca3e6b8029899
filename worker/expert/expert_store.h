#ifndef BALANCEMOE_WORKER_EXPERT_EXPERT_STORE_H_
#define BALANCEMOE_WORKER_EXPERT_EXPERT_STORE_H_

#include <torch/nn/module.h>
#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "common/ids.h"
#include "common/planning/plan.h"
#include "worker/expert/expert_slab.h"
#include "worker/expert/home_slots.h"
#include "worker/expert/spare_slots.h"

namespace balancemoe::worker {

// Holds the experts of one layer that live on this worker, and, for the time of
// a lend, those that it borrows.
//
// A torch::nn::Module: home experts are its parameters, named by expert id
// ("3.w1"), so that a checkpoint loads wherever the expert lives then. Their
// gradients lie in a slab too and are put in place before the first backward;
// so does what the optimizer keeps, if it asks for room here. fp32; converting
// the module to another type or device would detach it from its slabs. Used
// from the training thread only.
//
// Homes change by moves, in two steps: room for the experts that come, which
// nobody sees (BeginArrival), and, once they have come, the change itself
// (CommitMoves), after which the parameters are others: whoever keeps them must
// ask again.
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
    // Tensors of each parameter's shape that the optimizer keeps here: 2 for
    // Adam.
    int32_t moments = 0;
    // On which the experts live and are computed.
    torch::Device device = torch::kCPU;
  };

  explicit ExpertStore(const Options& options);

  // The parameters of `expert`, of home experts and of borrowed ones that have
  // arrived; null otherwise.
  const ExpertTensors* Find(ExpertId expert) const;

  bool IsHome(ExpertId expert) const {
    return home_slots_[expert.index()].has_value();
  }

  // Where the parameters of a home expert lie: what a lend sends. `expert` must
  // live here.
  const ExpertSlot& Home(ExpertId expert) const;

  // What the optimizer keeps of a home expert: moment `i` of its parameters,
  // and the steps taken with each, [4], float.
  const ExpertTensors& Moment(ExpertId expert, size_t i) const {
    return home_slots_[expert.index()]->moments[i].tensors;
  }
  const torch::Tensor& Steps(ExpertId expert) const {
    return home_slots_[expert.index()]->steps;
  }

  // What leaves with a home expert that moves away: parameters, moments, steps.
  std::vector<absl::Span<std::byte>> StateBytes(ExpertId expert) const {
    return home_slots_[expert.index()]->StateBytes();
  }
  // Where the same arrives of an expert that moves here, for CommitMoves or
  // AbandonArrivals.
  std::vector<absl::Span<std::byte>> BeginArrival(ExpertId expert);
  // Changes homes. Everything that moves here has arrived.
  void CommitMoves(absl::Span<const Move> moves);
  // Homes stay as they are.
  void AbandonArrivals();

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
    return home_of_expert_;
  }
  const ExpertShape& shape() const { return options_.shape; }
  LayerId layer() const { return options_.layer; }
  WorkerRank rank() const { return options_.rank; }
  const torch::Device& device() const { return options_.device; }
  // Of all slots that are kept: as many as were ever needed at a time for
  // parameters, gradients and moments, home and borrowed.
  int64_t allocated_bytes() const;
  // The most in use at a time since the last call: of the same, and of
  // gradients that came home.
  int64_t TakePeakBytes();

 private:
  void SettleIn(ExpertId expert, HomeSlot slot);

  const Options options_;
  std::vector<WorkerRank> home_of_expert_;
  std::vector<ExpertId> home_experts_;
  HomeSlots slots_;
  // [E]: of the experts that live here.
  std::vector<std::optional<HomeSlot>> home_slots_;
  std::map<ExpertId, HomeSlot> arrivals_;

  // Shared with the borrowed slots, which graphs keep beyond the store's life.
  std::shared_ptr<SpareSlots> spares_;
  std::shared_ptr<SpareSlots> gradient_buffers_;
  // Since the last TakePeakBytes().
  size_t peak_homes_ = 0;
  size_t peak_returned_ = 0;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_EXPERT_EXPERT_STORE_H_
