// Training on while the coordinator is killed and comes back, step by step: the
// workers are threads, so that the test knows what every step did.
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "tests/fixtures/status_matchers.h"
#include "tests/integration/agent_job.h"
#include "tests/integration/coordinator_process.h"
#include "worker/agent/testing/on_all_ranks.h"
#include "worker/train/trainer.h"
#include "worker/transport/gloo/gloo_transport.h"

namespace balancemoe::worker {
namespace {

constexpr int32_t kWorkers = 2;

TrainOptions SmallModel() {
  TrainOptions options;
  options.batch = 2;
  options.seq = 24;
  options.layers = AgentJob::kLayers;
  options.hidden = 32;
  options.ffn = 48;
  options.experts = AgentJob::kExpertsPerWorker * kWorkers;
  options.top_k = 2;
  options.imbalance = 1.6;
  return options;
}

struct Learned {
  std::vector<float> losses;
  Trainer::Digests digests;
  // Of each step.
  std::vector<int64_t> plans_used;
};

// Says after each step of a worker whether there is another one. The record is
// the same on all workers, and so must be the answer.
using GoOn = std::function<bool(const StepRecord& record)>;

absl::StatusOr<Learned> TrainWorker(Agent& agent, const GoOn& go_on) {
  const TrainOptions options = SmallModel();
  BMOE_ASSIGN_OR_RETURN(TextCorpus corpus, TextCorpus::Load({}, options.seq));
  Trainer trainer(options, {.corpus = std::move(corpus)}, agent);
  Learned learned;
  for (bool more = true; more;) {
    const auto step = static_cast<int64_t>(learned.losses.size());
    BMOE_ASSIGN_OR_RETURN(const StepRecord record, trainer.Step(step, step));
    learned.losses.push_back(record.loss);
    learned.plans_used.push_back(record.workers[0].plans_used);
    more = go_on(record);
  }
  BMOE_ASSIGN_OR_RETURN(learned.digests, trainer.StateDigests());
  return learned;
}

// Trains a job of the coordinator's, all workers at once; what rank 0 has.
Learned Train(const CoordinatorProcess& coordinator, const std::string& policy,
              const std::function<GoOn(int32_t rank)>& go_on) {
  AgentJob::Options options;
  options.world_size = kWorkers;
  options.coordinator = coordinator.address();
  options.policy = policy;
  options.expert_bytes =
      ExpertShape{SmallModel().hidden, SmallModel().ffn}.bytes();
  options.transport = GlooFactory();
  AgentJob job(options);
  EXPECT_THAT(job.Attach(), IsOk());
  auto results = OnAllRanks(kWorkers, [&](int32_t rank) {
    return TrainWorker(job.agent(rank), go_on(rank));
  });
  for (const auto& result : results) {
    EXPECT_THAT(result, IsOk());
    if (!result.ok()) return Learned();
  }
  return *std::move(results[0]);
}

bool Planned(const StepRecord& record) {
  return record.workers[0].plans_used == AgentJob::kLayers;
}

TEST(TrainRestartTest, PlansComeBackAndNoBitChanges) {
  CoordinatorProcess coordinator;
  // Rank 0 restarts it after the first step that went by plan; the others may
  // be anywhere in the next one. Training ends with the next step by plan.
  const Learned disturbed =
      Train(coordinator, "pairwise", [&coordinator](int32_t rank) -> GoOn {
        return [&coordinator, rank,
                killed = false](const StepRecord& record) mutable {
          if (!Planned(record)) return true;
          if (std::exchange(killed, true)) return false;
          if (rank == 0) {
            coordinator.Kill();
            coordinator.Start();
          }
          return true;
        };
      });
  const CoordinatorProcess another;
  const Learned undisturbed =
      Train(another, "static", [&disturbed](int32_t) -> GoOn {
        return [left = disturbed.losses.size()](const StepRecord&) mutable {
          return --left > 0;
        };
      });

  ASSERT_GT(disturbed.losses.size(), 1u);
  EXPECT_EQ(disturbed.plans_used.back(), AgentJob::kLayers);
  EXPECT_EQ(undisturbed.plans_used,
            std::vector<int64_t>(disturbed.losses.size(), 0));
  EXPECT_EQ(disturbed.losses, undisturbed.losses);
  EXPECT_EQ(disturbed.digests.parameters, undisturbed.digests.parameters);
  EXPECT_EQ(disturbed.digests.optimizer, undisturbed.digests.optimizer);
}

}  // namespace
}  // namespace balancemoe::worker
