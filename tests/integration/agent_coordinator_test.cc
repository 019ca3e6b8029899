// Agents and the real balancemoe-coordinator, which is killed, stopped, drained
// and restarted under them.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "balancemoe/v1/admin.grpc.pb.h"
#include "common/clock.h"
#include "common/planning/layer_snapshot.h"
#include "tests/fixtures/status_matchers.h"
#include "tests/integration/agent_job.h"
#include "tests/integration/coordinator_process.h"
#include "worker/transport/gloo/gloo_transport.h"

namespace balancemoe::worker {
namespace {

using ::testing::HasSubstr;

constexpr int32_t kWorkers = 3;
// Nothing in these tests comes close, except where no plan comes at all.
constexpr absl::Duration kPatient = absl::Seconds(20);
constexpr absl::Duration kShort = absl::Milliseconds(500);

bool Used(const AgentJob::Round& round) { return round.used; }

class AgentCoordinatorTest : public ::testing::Test {
 protected:
  AgentJob::Options JobOptions(absl::Duration plan_deadline) const {
    AgentJob::Options options;
    options.world_size = kWorkers;
    options.coordinator = coordinator_.address();
    options.plan_deadline = plan_deadline;
    return options;
  }

  CoordinatorProcess coordinator_;
};

TEST_F(AgentCoordinatorTest, PlansArriveAndAreAgreedOn) {
  AgentJob job(JobOptions(kPatient));
  ASSERT_THAT(job.Attach(), IsOk());
  ASSERT_TRUE(job.PlanUntil(Used));

  const int64_t used = job.Count(&AgentCounters::plans_used);
  for (int i = 0; i < 100; ++i) {
    const AgentJob::Round round = job.PlanNextLayer();
    ASSERT_THAT(round.status, IsOk());
    EXPECT_TRUE(round.used);
    EXPECT_GT(round.routings[0].predicted_us, 0);
  }
  EXPECT_EQ(job.Count(&AgentCounters::plans_used), used + 100 * kWorkers);
  EXPECT_EQ(job.agent(1).policy(), "adaptive@inline");
}

TEST_F(AgentCoordinatorTest, GlooGroupFormsThroughTheCoordinator) {
  AgentJob::Options options = JobOptions(kPatient);
  options.transport = GlooFactory();
  AgentJob job(options);
  ASSERT_THAT(job.Attach(), IsOk());

  EXPECT_TRUE(job.PlanUntil(Used));
  EXPECT_EQ(job.agent(0).transport().name(), "gloo");
}

TEST_F(AgentCoordinatorTest, TheJobsPolicyIsTheOneThatItAsksFor) {
  AgentJob::Options options = JobOptions(kPatient);
  options.policy = "static";
  AgentJob job(options);
  ASSERT_THAT(job.Attach(), IsOk());

  for (int i = 0; i < 20; ++i) EXPECT_TRUE(job.PlanNextLayer().idle);
  EXPECT_EQ(job.agent(0).policy(), "static@inline");
  EXPECT_EQ(job.Count(&AgentCounters::plans_none), 20 * kWorkers);
}

TEST_F(AgentCoordinatorTest, HomesThatChangedArePlannedByAlsoAfterARestart) {
  AgentJob::Options options = JobOptions(kPatient);
  options.policy = "pairwise-moves";
  options.ends_steps = true;
  AgentJob job(options);
  ASSERT_THAT(job.Attach(), IsOk());
  const std::vector<WorkerRank> at_first =
      ContiguousPlacement(kWorkers, kWorkers * AgentJob::kExpertsPerWorker);
  // Both layers settle on other homes, from which nothing more pays.
  const auto moved_and_idle = [&](const AgentJob::Round& round) {
    return round.idle && round.routings[0].home_of_expert != at_first;
  };
  ASSERT_TRUE(job.PlanUntil(moved_and_idle));
  ASSERT_TRUE(job.PlanUntil(moved_and_idle));
  const int64_t refused = job.Count(&AgentCounters::plans_refused);

  coordinator_.Kill();
  coordinator_.Start();
  ASSERT_TRUE(job.PlanUntil(
      [&](const AgentJob::Round&) { return job.agent(0).attached(); }));
  // Plans by the first homes would move experts, and would be refused.
  for (int i = 0; i < 20; ++i) {
    const AgentJob::Round round = job.PlanNextLayer();
    EXPECT_TRUE(round.idle);
    EXPECT_NE(round.routings[0].home_of_expert, at_first);
  }
  EXPECT_EQ(job.Count(&AgentCounters::plans_refused), refused);
}

TEST_F(AgentCoordinatorTest, PolicyThatMovesNeedsAJobThatDoes) {
  AgentJob::Options options = JobOptions(kPatient);
  options.policy = "pairwise-moves";
  AgentJob job(options);
  EXPECT_THAT(job.Attach(), IsStatus(absl::StatusCode::kFailedPrecondition,
                                     HasSubstr("moves experts")));
}

TEST_F(AgentCoordinatorTest, PlansMadeAheadServeOnWhileTheCoordinatorIsAway) {
  AgentJob::Options options = JobOptions(kPatient);
  options.policy = "adaptive";
  options.ends_steps = true;
  AgentJob job(options);
  ASSERT_THAT(job.Attach(), IsOk());
  ASSERT_TRUE(job.PlanUntil(Used));
  EXPECT_EQ(job.agent(1).policy(), "adaptive@hybrid");

  coordinator_.Kill();
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(job.PlanNextLayer().used);
  const PlanId before = job.PlanNextLayer().routings[0].plan;

  // A coordinator that starts over counts its plans anew.
  coordinator_.Start();
  EXPECT_TRUE(job.PlanUntil([&](const AgentJob::Round& round) {
    return round.used && round.routings[0].plan != before;
  }));
  EXPECT_EQ(job.Count(&AgentCounters::plan_deadlines_missed), 0);
  EXPECT_EQ(job.Count(&AgentCounters::plans_refused), 0);
}

TEST_F(AgentCoordinatorTest, PolicyThatAnOperatorSetOutlivesTheCoordinator) {
  AgentJob job(JobOptions(kPatient));
  ASSERT_THAT(job.Attach(), IsOk());
  ASSERT_TRUE(job.PlanUntil(Used));
  const auto admin = v1::AdminService::NewStub(grpc::CreateChannel(
      coordinator_.address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(20));
  v1::SetPolicyRequest request;
  request.set_job_id("test-job");
  request.set_policy("static");
  v1::SetPolicyResponse response;
  ASSERT_TRUE(admin->SetPolicy(&context, request, &response).ok());
  const auto planned_by_static = [&](const AgentJob::Round& round) {
    return round.idle && job.agent(0).policy() == "static@inline" &&
           job.agent(2).policy() == "static@inline";
  };
  ASSERT_TRUE(job.PlanUntil(planned_by_static));
  coordinator_.Kill();
  coordinator_.Start();
  ASSERT_TRUE(job.PlanUntil([&](const AgentJob::Round& round) {
    return job.Count(&AgentCounters::reattached) == kWorkers &&
           round.routings[0].plan != PlanId(0);
  }));

  for (int i = 0; i < 20; ++i) {
    const AgentJob::Round round = job.PlanNextLayer();
    EXPECT_TRUE(round.idle);
    EXPECT_NE(round.routings[0].plan, PlanId(0));
  }
  EXPECT_EQ(job.agent(0).policy(), "static@inline");
}

TEST_F(AgentCoordinatorTest, KilledAndRestartedAtManyPointsPlansComeBack) {
  AgentJob job(JobOptions(kPatient));
  ASSERT_THAT(job.Attach(), IsOk());
  std::mt19937 random(1);
  for (int kill = 1; kill <= 10; ++kill) {
    ASSERT_TRUE(job.PlanUntil(Used));
    // In the middle of whatever the workers do then.
    std::thread killer([this, wait = random() % 2000] {
      const SteadyClock clock;
      const absl::Time end = clock.Now() + absl::Microseconds(wait);
      while (clock.Now() < end) {
      }
      coordinator_.Kill();
    });
    bool went_on = true;
    for (int i = 0; i < 30; ++i) went_on &= job.PlanNextLayer().status.ok();
    killer.join();
    ASSERT_TRUE(went_on);
    coordinator_.Start();
  }
  ASSERT_TRUE(job.PlanUntil(Used));

  // A connection that breaks ends the wait at once.
  EXPECT_EQ(job.Count(&AgentCounters::plan_deadlines_missed), 0);
  EXPECT_EQ(job.Count(&AgentCounters::plans_refused), 0);
}

TEST_F(AgentCoordinatorTest, StoppedCoordinatorCostsOneDeadlineInAll) {
  AgentJob job(JobOptions(kShort));
  ASSERT_THAT(job.Attach(), IsOk());
  ASSERT_TRUE(job.PlanUntil(Used));
  const int64_t missed = job.Count(&AgentCounters::plan_deadlines_missed);
  std::vector<int64_t> missed_before;
  for (int32_t rank = 0; rank < kWorkers; ++rank) {
    missed_before.push_back(job.agent(rank).counters().plan_deadlines_missed);
  }
  coordinator_.Signal(SIGSTOP);

  for (int i = 0; i < 200; ++i) {
    const AgentJob::Round round = job.PlanNextLayer();
    ASSERT_THAT(round.status, IsOk());
    EXPECT_TRUE(round.idle || i == 0);
  }
  // The workers wait at the same time; whoever has the plan by chance waits no
  // more either.
  EXPECT_GT(job.Count(&AgentCounters::plan_deadlines_missed), missed);
  for (int32_t rank = 0; rank < kWorkers; ++rank) {
    EXPECT_LE(job.agent(rank).counters().plan_deadlines_missed,
              missed_before[static_cast<size_t>(rank)] + 1);
    EXPECT_TRUE(job.agent(rank).attached());
  }

  coordinator_.Signal(SIGCONT);
  EXPECT_TRUE(job.PlanUntil(Used));
}

TEST_F(AgentCoordinatorTest, StoppedThenKilledThenRestarted) {
  AgentJob job(JobOptions(kShort));
  ASSERT_THAT(job.Attach(), IsOk());
  ASSERT_TRUE(job.PlanUntil(Used));
  coordinator_.Signal(SIGSTOP);
  for (int i = 0; i < 20; ++i) {
    ASSERT_THAT(job.PlanNextLayer().status, IsOk());
  }
  coordinator_.Kill();
  coordinator_.Start();

  EXPECT_TRUE(job.PlanUntil(Used));
  EXPECT_EQ(job.agent(0).counters().reattached, 1);
}

TEST_F(AgentCoordinatorTest, DrainedCoordinatorEndsAndItsSuccessorPlans) {
  AgentJob job(JobOptions(kPatient));
  ASSERT_THAT(job.Attach(), IsOk());
  ASSERT_TRUE(job.PlanUntil(Used));
  coordinator_.Signal(SIGTERM);
  std::thread waiter([this] { coordinator_.AwaitExit(); });
  bool went_on = true;
  for (int i = 0; i < 100; ++i) went_on &= job.PlanNextLayer().status.ok();
  waiter.join();
  ASSERT_TRUE(went_on);
  coordinator_.Start();

  EXPECT_TRUE(job.PlanUntil(Used));
  EXPECT_EQ(job.Count(&AgentCounters::plan_deadlines_missed), 0);
}

TEST_F(AgentCoordinatorTest, DetachUnderAStoppedCoordinatorTakesUnderASecond) {
  AgentJob job(JobOptions(kShort));
  ASSERT_THAT(job.Attach(), IsOk());
  ASSERT_TRUE(job.PlanUntil(Used));
  coordinator_.Signal(SIGSTOP);

  const SteadyClock clock;
  const absl::Time begin = clock.Now();
  job.agent(0).Detach();
  EXPECT_LT(clock.Now() - begin, absl::Seconds(1));
}

TEST_F(AgentCoordinatorTest, KilledWhileTheGroupForms) {
  AgentJob::Options options = JobOptions(kPatient);
  // The others have put their keys by then, or are about to.
  options.transport = [this](const GroupOptions& group,
                             Rendezvous& rendezvous) {
    if (group.rank == WorkerRank(2)) {
      coordinator_.Kill();
      coordinator_.Start();
    }
    return GlooFactory()(group, rendezvous);
  };
  AgentJob job(options);
  ASSERT_THAT(job.Attach(), IsOk());

  EXPECT_TRUE(job.PlanUntil(Used));
}

TEST_F(AgentCoordinatorTest, WorkerWithOtherNumbersIsRefused) {
  AgentJob job(JobOptions(kPatient));
  ASSERT_THAT(job.Attach(), IsOk());
  AgentOptions options = job.OptionsOf(1);
  options.layers = 7;

  EXPECT_THAT(Agent::Attach(std::move(options)),
              HasCode(absl::StatusCode::kFailedPrecondition));
}

TEST_F(AgentCoordinatorTest, AnotherRunUnderTheSameJobIdIsRefused) {
  AgentJob job(JobOptions(kPatient));
  ASSERT_THAT(job.Attach(), IsOk());
  AgentOptions options = job.OptionsOf(1);
  options.run_id = "run-2";

  EXPECT_THAT(Agent::Attach(std::move(options)),
              HasCode(absl::StatusCode::kAlreadyExists));
  EXPECT_TRUE(job.PlanUntil(Used));
}

TEST_F(AgentCoordinatorTest, UnknownPolicyIsRefused) {
  AgentJob job(JobOptions(kPatient));
  AgentOptions options = job.OptionsOf(0);
  options.policy = "magic";

  EXPECT_THAT(Agent::Attach(std::move(options)),
              IsStatus(absl::StatusCode::kInvalidArgument, HasSubstr("magic")));
}

}  // namespace
}  // namespace balancemoe::worker
