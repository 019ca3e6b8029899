#include "tests/integration/agent_job.h"

#include <algorithm>
#include <utility>

#include "common/clock.h"
#include "worker/agent/testing/cheap_transfers.h"
#include "worker/agent/testing/on_all_ranks.h"

namespace balancemoe::worker {
namespace {

// Worker 0's first expert is popular, so that a policy has reason to lend it.
std::vector<int64_t> Loads(int32_t experts) {
  std::vector<int64_t> tokens(static_cast<size_t>(experts), 10);
  tokens[0] = 500;
  tokens[1] = 400;
  return tokens;
}

}  // namespace

AgentJob::AgentJob(Options options)
    : options_(std::move(options)),
      agents_(static_cast<size_t>(options_.world_size)) {}

AgentOptions AgentJob::OptionsOf(int32_t rank) {
  AgentOptions options;
  options.coordinator = options_.coordinator;
  options.job_id = "test-job";
  options.run_id = "run-1";
  options.rank = WorkerRank(rank);
  options.world_size = options_.world_size;
  options.layers = kLayers;
  options.experts_per_layer = kExpertsPerWorker * options_.world_size;
  options.expert_bytes = options_.expert_bytes;
  options.spare_slots = options_.spare_slots;
  options.policy = options_.policy;
  options.ends_steps = options_.ends_steps;
  options.transport = options_.transport ? options_.transport : hub_.Factory();
  options.plan_deadline = options_.plan_deadline;
  options.attach_timeout = absl::Seconds(30);
  options.log = [](absl::string_view) {};
  return options;
}

absl::Status AgentJob::Attach() {
  const auto statuses =
      OnAllRanks(options_.world_size, [&](int32_t rank) -> absl::Status {
        auto agent = Agent::Attach(OptionsOf(rank));
        if (!agent.ok()) return agent.status();
        (*agent)->ReportCostModel(CheapTransfers(options_.expert_bytes));
        agents_[static_cast<size_t>(rank)] = *std::move(agent);
        return absl::OkStatus();
      });
  for (const absl::Status& status : statuses) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

AgentJob::Round AgentJob::PlanNextLayer() {
  const Iteration iteration(rounds_ / kLayers + 1);
  const LayerId layer(static_cast<int32_t>(rounds_ % kLayers));
  ++rounds_;
  auto results = OnAllRanks(options_.world_size, [&](int32_t rank) {
    if (layer == LayerId(0)) agent(rank).BeginIteration(iteration);
    auto routing = agent(rank).PlanLayer(
        layer, Loads(kExpertsPerWorker * options_.world_size));
    LayerTimes times;
    times.layer = absl::Milliseconds(3);
    agent(rank).ReportOutcome(layer, times);
    return routing;
  });
  Round round;
  for (auto& result : results) {
    if (!result.ok()) {
      round.status = result.status();
      return round;
    }
    round.routings.push_back(*std::move(result));
  }
  const LayerRouting& first = round.routings.front();
  for (int32_t rank = 0; rank < options_.world_size; ++rank) {
    const auto& moves = round.routings[static_cast<size_t>(rank)].moves;
    if (!moves.empty()) agent(rank).CommitMoves({{layer, moves}});
  }
  if (options_.ends_steps && layer.value() + 1 == kLayers) {
    round.status = EndStep();
  }
  round.used =
      !first.lends.empty() &&
      std::all_of(round.routings.begin(), round.routings.end(),
                  [&](const LayerRouting& r) {
                    return r.lends == first.lends && r.split == first.split;
                  });
  round.idle = std::all_of(round.routings.begin(), round.routings.end(),
                           [](const auto& r) { return r.lends.empty(); });
  return round;
}

absl::Status AgentJob::EndStep() {
  const auto statuses = OnAllRanks(options_.world_size, [&](int32_t rank) {
    const auto moves = agent(rank).EndStep();
    if (moves.ok() && !moves->empty()) agent(rank).CommitMoves(*moves);
    return moves.status();
  });
  for (const absl::Status& status : statuses) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

bool AgentJob::PlanUntil(
    const std::function<bool(const Round& round)>& wanted) {
  const SteadyClock clock;
  const absl::Time end = clock.Now() + absl::Seconds(30);
  while (clock.Now() < end) {
    const Round round = PlanNextLayer();
    if (!round.status.ok()) return false;
    if (wanted(round)) return true;
  }
  return false;
}

int64_t AgentJob::Count(int64_t AgentCounters::*counter) {
  int64_t sum = 0;
  for (const auto& agent : agents_) sum += agent->counters().*counter;
  return sum;
}

int64_t AgentJob::CountDropped(int64_t DroppedPlans::*counter) {
  int64_t sum = 0;
  for (const auto& agent : agents_) sum += agent->counters().dropped.*counter;
  return sum;
}

}  // namespace balancemoe::worker
