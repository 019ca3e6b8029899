#include "coordinator/plan_cycle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <functional>
#include <vector>

#include "common/fake_clock.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe::coordinator {
namespace {

using State = PlanCycle::ReportState;

class PlanCycleTest : public ::testing::Test {
 protected:
  State Report(int32_t rank, int64_t iteration) {
    v1::LoadReport report;
    report.set_iteration(iteration);
    report.add_layers(0);
    report.add_tokens_per_expert(1);
    report.add_tokens_per_expert(2);
    const auto state =
        cycle_.TakeReport(WorkerRank(rank), report, Generation(1), push_);
    EXPECT_THAT(state, IsOk());
    return *state;
  }
  void PassDeadline() {
    clock_.Advance(options_.gather.report_deadline);
    cycle_.Expire(push_);
  }

  const JobOptions options_;
  FakeClock clock_;
  prometheus::Registry registry_;
  CoordinatorMetrics all_metrics_{registry_};
  JobMetrics metrics_{all_metrics_, "job"};
  const JobEnvironment environment_ = {.options = options_,
                                       .clock = clock_,
                                       .metrics = all_metrics_,
                                       .coordinator = Incarnation(1),
                                       .recorder = nullptr,
                                       .next_epoch = {},
                                       .wake_by = {},
                                       .register_anew = {},
                                       .job_ended = {}};
  std::vector<Outbound> pushed_;
  const std::function<void(const Outbound&)> push_ =
      [this](const Outbound& message) { pushed_.push_back(message); };
  PlanCycle cycle_{
      environment_,
      metrics_,
      "job",
      {.world_size = 2, .layers = 1, .experts = 2, .expert_bytes = 1},
      JobEpoch(1),
      {"static", "inline"}};
};

TEST_F(PlanCycleTest, ReportThatWaitsForOthersEndsInOnePush) {
  EXPECT_EQ(Report(0, 1), State::kWaiting);
  EXPECT_TRUE(pushed_.empty());
  EXPECT_EQ(Report(1, 1), State::kDone);
  EXPECT_EQ(pushed_.size(), 1u);
}

TEST_F(PlanCycleTest, RefusedReportIsDone) {
  Report(0, 1);

  EXPECT_EQ(Report(0, 1), State::kDone);
}

// Or one worker's messages would pile up, one deadline each, behind the reports
// that another does not send.
TEST_F(PlanCycleTest, AfterAMissedLayerNoReportWaitsUntilTheNextPlan) {
  EXPECT_EQ(Report(0, 1), State::kWaiting);
  PassDeadline();
  EXPECT_EQ(pushed_.size(), 1u);

  EXPECT_EQ(Report(0, 2), State::kDone);
  EXPECT_EQ(Report(1, 2), State::kDone);
  EXPECT_EQ(Report(0, 3), State::kWaiting);
}

}  // namespace
}  // namespace balancemoe::coordinator
