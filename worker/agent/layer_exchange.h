#ifndef BALANCEMOE_WORKER_AGENT_LAYER_EXCHANGE_H_
#define BALANCEMOE_WORKER_AGENT_LAYER_EXCHANGE_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/ids.h"
#include "common/planning/load_matrix.h"
#include "worker/agent/agreement.h"
#include "worker/agent/layer_routing.h"
#include "worker/agent/step_plan_shelf.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// The numbers of a job that every worker must give alike.
struct GroupShape {
  int32_t layers = 0;
  int32_t experts_per_layer = 0;
  int64_t expert_bytes = 0;
};

// What one worker has and another may not.
struct WorkerFacts {
  // Experts that it can borrow at a time, per layer.
  int32_t spare_slots = 0;
  // From 0 on; workers of one node share fast links.
  int32_t node = 0;
};

// What the workers tell each other in every layer, whoever plans: their counts,
// and what they hold of a plan.
//
// Each call is a collective of `transport`. Used from the training thread.
class LayerExchange {
 public:
  // Compares `shape` with the peers' and learns what everybody else has.
  // `extra_words` is how much each worker adds to its counts. `transport` must
  // outlive the exchange.
  //
  // Errors: InvalidArgument for numbers that make no sense; FailedPrecondition,
  // naming the first worker that gave others; those of the transport.
  static absl::StatusOr<LayerExchange> Create(Transport& transport,
                                              const GroupShape& shape,
                                              const WorkerFacts& mine,
                                              int32_t extra_words = 0);

  // Gathers the rows of all workers, [W, E], with `extra` of every worker,
  // [W, extra_words], readable through ExtraOf until the next call.
  // `placement_version` is that of the homes by which this worker routes.
  //
  // Errors: InvalidArgument for a layer out of range, a wrong length, or a
  // negative count; FailedPrecondition when a peer is at another layer or
  // iteration or has other homes; those of the transport.
  absl::StatusOr<LoadMatrix> GatherCounts(
      Iteration iteration, LayerId layer, uint64_t placement_version,
      absl::Span<const int64_t> tokens_per_expert,
      absl::Span<const int64_t> extra = {});
  absl::Span<const int64_t> ExtraOf(WorkerRank rank) const;

  // What every worker holds, in rank order; valid until the next call.
  absl::StatusOr<absl::Span<const PlanVote>> GatherVotes(const PlanVote& mine);

  // What every worker offers, in rank order; valid until the next call.
  absl::StatusOr<absl::Span<const StepPlanOffer>> GatherOffers(
      const StepPlanOffer& mine);

  const GroupShape& shape() const { return shape_; }
  const GroupFacts& group() const { return group_; }
  // [W]
  const std::vector<int32_t>& spare_slots() const { return group_.spare_slots; }

 private:
  LayerExchange(Transport& transport, const GroupShape& shape,
                int32_t extra_words);

  absl::Status GatherShapes(const WorkerFacts& facts);
  absl::Span<const int64_t> RowOf(WorkerRank rank) const;
  absl::Status CheckRows() const;

  Transport* transport_;
  GroupShape shape_;
  size_t extra_words_;
  GroupFacts group_;
  // Kept between calls, so that a layer allocates nothing here.
  // [iteration, layer, placement version, E counts, extra]
  std::vector<int64_t> row_;
  std::vector<int64_t> rows_;
  std::vector<PlanVote> votes_;
  std::vector<StepPlanOffer> offers_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_LAYER_EXCHANGE_H_
