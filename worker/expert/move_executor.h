#ifndef BALANCEMOE_WORKER_EXPERT_MOVE_EXECUTOR_H_
#define BALANCEMOE_WORKER_EXPERT_MOVE_EXECUTOR_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/planning/plan.h"
#include "worker/expert/expert_store.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// The moves of one layer, as the store that they concern.
struct StoreMoves {
  ExpertStore* store;
  std::vector<Move> moves;
};

// Where a worker may die or be deceived while experts move; a test's observer
// hears of each.
enum class MovePoint {
  kBeforeSend,
  // Transfers have begun and nobody has waited for them.
  kMidTransfer,
  // Everything has come and nothing is checked: `arrived` is what one expert
  // brought, on the store's device, which the observer may spoil.
  kArrived,
  // This worker holds what it is to hold, and nobody has agreed.
  kBeforeCommit,
  kAfterCommit
};
using MoveObserver =
    std::function<void(MovePoint point, absl::Span<std::byte> arrived)>;

// What came of moves, the same on all workers but for `bytes_sent`.
struct MoveOutcome {
  // All homes have changed, or none.
  bool committed = false;
  // Why not, in words.
  std::string reason;
  // By this worker.
  int64_t bytes_sent = 0;
};

// Moves experts: parameters and all that the optimizer keeps travel with a
// checksum into slots that nobody sees; then all workers vote, and if every one
// of them holds what it is to hold, all change their homes, else none. Until
// then the old homes keep what they have, so that an expert has one home
// whenever a worker dies.
//
// A collective between steps: no forward may wait for its backward. `moves` are
// the same on every worker and fit the homes.
//
// Errors: those of the transport. What this worker holds is then as before,
// which others may have left behind if the vote was under way: such a group
// must not go on, and LayerExchange sees to it.
absl::StatusOr<MoveOutcome> MoveExperts(absl::Span<const StoreMoves> moves,
                                        Transport& transport,
                                        const MoveObserver& observer = {});

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_EXPERT_MOVE_EXECUTOR_H_
