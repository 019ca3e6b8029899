// The life of an agent's session: attach, losing the coordinator, detach,
// fork().
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/clock.h"
#include "tests/fixtures/status_matchers.h"
#include "tests/integration/agent_job.h"
#include "tests/integration/agent_scripted_coordinator.h"

namespace balancemoe::worker {
namespace {

using Occasion = ScriptedCoordinator::Occasion;
using Messages = ScriptedCoordinator::Messages;
using ::testing::HasSubstr;

constexpr int32_t kWorkers = 2;

bool Used(const AgentJob::Round& round) { return round.used; }

class AgentSessionTest : public ::testing::Test {
 protected:
  AgentSessionTest() {
    StartCoordinator();
    job_.emplace(AgentJob::Options{.world_size = kWorkers,
                                   .coordinator = coordinator_->address(),
                                   .plan_deadline = absl::Seconds(10),
                                   .policy = "",
                                   .transport = nullptr});
  }

  // On the same port as the one before, if there was one.
  void StartCoordinator() {
    const int port = coordinator_.has_value() ? coordinator_->port() : 0;
    coordinator_.reset();
    coordinator_.emplace(ScriptedCoordinator::Options{
        .world_size = kWorkers,
        .port = port,
        .script = [this](const Occasion& occasion) -> Messages {
          if (silent_) {
            ++withheld_;
            return {};
          }
          return {Push(occasion.good_plan)};
        }});
  }

  std::atomic<bool> silent_ = false;
  std::atomic<int> withheld_ = 0;
  std::optional<ScriptedCoordinator> coordinator_;
  std::optional<AgentJob> job_;
};

TEST_F(AgentSessionTest, WithoutCoordinatorLayersArePlannedByNobody) {
  ASSERT_THAT(job_->Attach(), IsOk());
  coordinator_->Stop();
  ASSERT_TRUE(job_->PlanUntil([&](const auto&) {
    return !job_->agent(0).attached() && !job_->agent(1).attached();
  }));

  for (int i = 0; i < 100; ++i) {
    const AgentJob::Round round = job_->PlanNextLayer();
    ASSERT_THAT(round.status, IsOk());
    EXPECT_TRUE(round.idle);
    EXPECT_EQ(round.routings[1].tokens.TokensOfExpert(ExpertId(0)), 1000);
  }
  EXPECT_EQ(job_->Count(&AgentCounters::plan_deadlines_missed), 0);
}

TEST_F(AgentSessionTest, PlansComeBackAfterEachRestartOnTheSamePort) {
  ASSERT_THAT(job_->Attach(), IsOk());
  for (int restart = 1; restart <= 5; ++restart) {
    ASSERT_TRUE(job_->PlanUntil(Used));
    StartCoordinator();
    ASSERT_TRUE(job_->PlanUntil(Used));
    for (int32_t rank = 0; rank < kWorkers; ++rank) {
      EXPECT_EQ(job_->agent(rank).counters().reattached, restart);
    }
  }
  EXPECT_EQ(job_->Count(&AgentCounters::plan_deadlines_missed), 0);
}

TEST_F(AgentSessionTest, WaitEndsWhenTheCoordinatorDies) {
  ASSERT_THAT(job_->Attach(), IsOk());
  silent_ = true;
  std::thread killer([&] {
    const SteadyClock clock;
    const absl::Time end = clock.Now() + absl::Seconds(20);
    while (withheld_ < kWorkers && clock.Now() < end) std::this_thread::yield();
    coordinator_->Stop();
  });
  const AgentJob::Round round = job_->PlanNextLayer();
  killer.join();

  ASSERT_THAT(round.status, IsOk());
  EXPECT_TRUE(round.idle);
  EXPECT_EQ(job_->Count(&AgentCounters::plan_deadlines_missed), 0);
  EXPECT_EQ(job_->Count(&AgentCounters::plans_none), 2);
}

TEST_F(AgentSessionTest, DetachSaysGoodbye) {
  ASSERT_THAT(job_->Attach(), IsOk());
  ASSERT_TRUE(job_->PlanUntil(Used));
  for (int32_t rank = 0; rank < kWorkers; ++rank) job_->agent(rank).Detach();

  EXPECT_EQ(coordinator_->detached(), kWorkers);
  EXPECT_FALSE(job_->agent(0).attached());
  // Training may go on without plans.
  EXPECT_TRUE(job_->PlanNextLayer().idle);
}

TEST_F(AgentSessionTest, DetachEndsWithoutCoordinator) {
  ASSERT_THAT(job_->Attach(), IsOk());
  coordinator_->Stop();

  const SteadyClock clock;
  const absl::Time begin = clock.Now();
  job_->agent(0).Detach();
  EXPECT_LT(clock.Now() - begin, absl::Seconds(1));
}

TEST_F(AgentSessionTest, ForkedChildDoesNothingAndEndsCleanly) {
  ASSERT_THAT(job_->Attach(), IsOk());
  ASSERT_TRUE(job_->PlanUntil(Used));
  const pid_t child = fork();
  if (child == 0) {
    // A hang must not outlive the test.
    alarm(20);
    Agent& agent = job_->agent(0);
    agent.BeginIteration(Iteration(1000));
    agent.ReportCostModel({});
    const bool nothing =
        agent.PlanLayer(LayerId(0), {1, 1, 1, 1}).status().code() ==
            absl::StatusCode::kFailedPrecondition &&
        !agent.attached() && agent.counters().plans_used == 0;
    agent.Detach();
    job_.reset();
    _exit(nothing ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);

  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(coordinator_->detached(), 0);
  EXPECT_TRUE(job_->PlanUntil(Used));
}

TEST_F(AgentSessionTest, ProxyVariablesAreIgnored) {
  setenv("http_proxy", "http://127.0.0.1:1", /*overwrite=*/1);
  const absl::Status status = job_->Attach();
  unsetenv("http_proxy");

  EXPECT_THAT(status, IsOk());
}

TEST_F(AgentSessionTest, AttachWithoutCoordinatorIsUnavailable) {
  coordinator_->Stop();
  AgentOptions options = job_->OptionsOf(0);
  options.attach_timeout = absl::Milliseconds(200);

  EXPECT_THAT(Agent::Attach(std::move(options)),
              IsStatus(absl::StatusCode::kUnavailable,
                       HasSubstr(coordinator_->address())));
}

TEST_F(AgentSessionTest, AttachWithWrongOptionsIsInvalid) {
  AgentOptions options = job_->OptionsOf(0);
  options.expert_bytes = 0;

  EXPECT_THAT(Agent::Attach(std::move(options)),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       HasSubstr("expert_bytes is 0")));
}

TEST_F(AgentSessionTest, LinesForPeopleAreFew) {
  std::atomic<int> lines = 0;
  AgentJob::Options one_worker;
  one_worker.world_size = 1;
  one_worker.coordinator = coordinator_->address();
  AgentJob alone(one_worker);
  AgentOptions options = alone.OptionsOf(0);
  options.log = [&](absl::string_view) { ++lines; };
  auto agent = Agent::Attach(std::move(options));
  ASSERT_THAT(agent, IsOk());
  coordinator_->Stop();
  for (int i = 0; i < 1000; ++i) {
    (*agent)->BeginIteration(Iteration(i));
    ASSERT_THAT((*agent)->PlanLayer(LayerId(0), {1, 1}), IsOk());
  }
  agent->reset();

  // Attached; gone.
  EXPECT_LE(lines, 2);
}

}  // namespace
}  // namespace balancemoe::worker
