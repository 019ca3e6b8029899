#ifndef BALANCEMOE_COMMON_IDS_H_
#define BALANCEMOE_COMMON_IDS_H_

#include <cstdint>
#include <string>

#include "common/strong_int.h"

namespace balancemoe {

// Rank of a worker in the expert-parallel group, 0 .. world size - 1.
using WorkerRank = StrongInt<struct WorkerRankTag, int32_t>;
// Global index of an expert within its MoE layer.
using ExpertId = StrongInt<struct ExpertIdTag, int32_t>;
// Index of a MoE layer within the model; dense layers do not count.
using LayerId = StrongInt<struct LayerIdTag, int32_t>;
// Training step, counted by the job; never goes back within a job epoch.
using Iteration = StrongInt<struct IterationTag, int64_t>;
// Number of a plan, unique within a job epoch and rising.
using PlanId = StrongInt<struct PlanIdTag, uint64_t>;

// How often a coordinator has begun to serve a job of this name. Kept on disk,
// so that it rises over coordinator restarts too. 0: never.
using JobEpoch = StrongInt<struct JobEpochTag, uint64_t>;
// Drawn at random at each start of a process; tells a restarted process from a
// slow one. 0: none.
using Incarnation = StrongInt<struct IncarnationTag, uint64_t>;
// Membership of a job's communication group: rises whenever a worker is
// replaced. 0: no group yet.
using Generation = StrongInt<struct GenerationTag, uint64_t>;
// One registration of one worker. Random, so that a zombie cannot guess it.
using SessionId = StrongInt<struct SessionIdTag, uint64_t>;

// Chosen by the user; names the job to coordinator, metrics and logs.
using JobId = std::string;

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_IDS_H_
