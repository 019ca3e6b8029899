#include "common/replay/replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "common/fake_clock.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;

// An expert has 1,000 parameters; it computes a token in 1 us and travels in 5
// + 100 us; a token travels in 1 us, and 5 us of latency per exchange.
Profile HandyProfile() {
  return {.name = "handy",
          .hidden = 10,
          .ffn = 50,
          .gated = false,
          .dtype_bytes = 2,
          .optimizer_bytes_per_parameter = 12,
          .tflops = 0.002,
          .expert_launch_us = 10,
          .intra_node = {5, 0.02},
          .inter_node = {50, 0.002},
          .workers_per_node = 2,
          .overlap_slowdown = 1,
          .backward_factor = 2,
          .plan_latency_us = 300,
          .host_cpu_s_per_gb = 0,
          .watts = {100, 10}};
}

TraceRecord RecordOf(int64_t iteration, int32_t layer,
                     const std::vector<std::vector<int64_t>>& rows) {
  TraceRecord record;
  record.iteration = Iteration(iteration);
  record.layer = LayerId(layer);
  record.tokens = LoadMatrix(static_cast<int32_t>(rows.size()),
                             static_cast<int32_t>(rows.front().size()));
  for (size_t i = 0; i < rows.size(); ++i) {
    std::copy(
        rows[i].begin(), rows[i].end(),
        record.tokens.MutableRow(WorkerRank(static_cast<int32_t>(i))).begin());
  }
  return record;
}

Trace TraceOf(std::vector<TraceRecord> records, int32_t ranks) {
  Trace trace;
  trace.name = "trace.csv";
  trace.num_experts = records.front().tokens.num_experts();
  trace.num_ranks = ranks;
  trace.records = std::move(records);
  for (const TraceRecord& record : trace.records) {
    trace.layers.push_back(record.layer);
  }
  std::sort(trace.layers.begin(), trace.layers.end());
  trace.layers.erase(std::unique(trace.layers.begin(), trace.layers.end()),
                     trace.layers.end());
  return trace;
}

// Experts 0 and 1 live on worker 0, 2 and 3 on worker 1.
Trace TwoIterations() {
  return TraceOf({RecordOf(1, 0, {{30, 10, 0, 20}, {10, 0, 10, 0}}),
                  RecordOf(2, 0, {{100, 0, 0, 0}, {0, 0, 0, 100}})},
                 2);
}

ReplayOptions TwoWorkers(std::vector<std::string> policies) {
  ReplayOptions options;
  options.workers = 2;
  options.policies = std::move(policies);
  return options;
}

absl::StatusOr<ReplayReport> ReplayHandy(const Trace& trace,
                                         const ReplayOptions& options,
                                         const ReplayObserver& observer = {}) {
  return Replay(trace, HandyProfile(), options, observer, FakeClock());
}

TEST(ReplayTest, StaticTakesWhatIsWorkedOutByHand) {
  const absl::StatusOr<ReplayReport> report =
      ReplayHandy(TwoIterations(), TwoWorkers({"static"}));

  ASSERT_THAT(report, IsOk());
  EXPECT_EQ(report->trace, "trace.csv");
  EXPECT_EQ(report->iterations, 2);
  EXPECT_EQ(report->layers, 1);
  EXPECT_EQ(report->experts, 4);
  EXPECT_EQ(report->workers, 2);
  EXPECT_EQ(report->mode, "native");
  EXPECT_EQ(report->profile, "handy");
  ASSERT_EQ(report->policies.size(), 1U);
  const PolicyReplay& policy = report->policies.front();
  EXPECT_EQ(policy.policy, "static");
  EXPECT_EQ(policy.mode, "inline");
  // First: worker 0 computes 50 tokens in 2 experts, an exchange of 20 tokens
  // takes 25: 25 + 70 + 25 and 25 + 140 + 25. Second: 110 and 220.
  EXPECT_DOUBLE_EQ(policy.layer_time_mean_us, (310 + 330) / 2.0);
  EXPECT_DOUBLE_EQ(policy.layer_time_p95_us, 330);
  EXPECT_DOUBLE_EQ(policy.exposed_transfer_mean_us, 0);
  EXPECT_DOUBLE_EQ(policy.speedup_over_static, 1);
  // 50 of 80, and 100 of 200.
  EXPECT_DOUBLE_EQ(policy.imbalance.mean, (1.25 + 1) / 2);
  EXPECT_DOUBLE_EQ(policy.imbalance.p50, 1);
  EXPECT_DOUBLE_EQ(policy.imbalance.p95, 1.25);
  EXPECT_DOUBLE_EQ(policy.imbalance.max, 1.25);
  EXPECT_DOUBLE_EQ(policy.imbalance.token_weighted_mean, 300.0 / 280);
  EXPECT_DOUBLE_EQ(policy.peak_tokens_mean, 75);
  EXPECT_EQ(policy.peak_tokens_max, 100);
  EXPECT_DOUBLE_EQ(policy.moves_per_decision, 0);
  EXPECT_DOUBLE_EQ(policy.lends_per_decision, 0);
  EXPECT_DOUBLE_EQ(policy.renewals_per_decision, 0);
  EXPECT_DOUBLE_EQ(policy.bytes_per_decision, 0);
  EXPECT_DOUBLE_EQ(policy.solve_p99_us, 0);
}

TEST(ReplayTest, BoundAndBalancedLoadTakeWhatIsWorkedOutByHand) {
  const absl::StatusOr<ReplayReport> report =
      ReplayHandy(TwoIterations(), TwoWorkers({"static"}));

  ASSERT_THAT(report, IsOk());
  // 80 tokens in 4 experts, 200 in 2, three times over for forward and
  // backward, on two workers.
  EXPECT_DOUBLE_EQ(report->lower_bound_mean_us, (180 + 330) / 2.0);
  // 20 tokens per expert: exchanges of 25, compute of 60. Then 50 per expert:
  // exchanges of 55, compute of 120.
  EXPECT_DOUBLE_EQ(report->balanced_mean_us, (280 + 580) / 2.0);
}

TEST(ReplayTest, MemoryAndEnergyAreWorkedOutByHand) {
  const absl::StatusOr<ReplayReport> report =
      ReplayHandy(TwoIterations(), TwoWorkers({"static"}));

  ASSERT_THAT(report, IsOk());
  const PolicyReplay& policy = report->policies.front();
  // Two experts of 1,000 * (2 + 2 + 12) bytes, and (20 + 100) * 2 per token, of
  // which there are 50 and 100.
  EXPECT_DOUBLE_EQ(policy.peak_memory_mean_bytes, (44'000 + 56'000) / 2.0);
  EXPECT_EQ(policy.peak_memory_max_bytes, 56'000);
  // 10 W of both workers for 310 and 330 us, 90 W more while they compute: 360
  // and 660 us.
  EXPECT_DOUBLE_EQ(policy.energy_j_per_iteration, (0.0386 + 0.066) / 2);
}

TEST(ReplayTest, EveryIterationIsAPoint) {
  const absl::StatusOr<ReplayReport> report =
      ReplayHandy(TwoIterations(), TwoWorkers({"static"}));

  ASSERT_THAT(report, IsOk());
  const auto& points = report->policies.front().points;
  ASSERT_EQ(points.size(), 2U);
  EXPECT_EQ(points[0].iteration, Iteration(1));
  EXPECT_DOUBLE_EQ(points[0].imbalance, 1.25);
  EXPECT_DOUBLE_EQ(points[0].layer_time_us, 310);
  EXPECT_EQ(points[1].iteration, Iteration(2));
  EXPECT_DOUBLE_EQ(points[1].imbalance, 1);
  EXPECT_DOUBLE_EQ(points[1].layer_time_us, 330);
}

TEST(ReplayTest, LendsInlineCostPlanningTransfersAndMemory) {
  const Trace trace = TraceOf({RecordOf(1, 0, {{60, 20, 40, 0}})}, 0);

  const absl::StatusOr<ReplayReport> report =
      ReplayHandy(trace, TwoWorkers({"pairwise"}));

  ASSERT_THAT(report, IsOk());
  const PolicyReplay& policy = report->policies.front();
  // Expert 1 goes to worker 1 and arrives at 35 + 105: 140 + 30 + 35 forward,
  // and backward 35 + 160 + 35. Without the transfer 150 forward. Static: 190
  // and 290.
  EXPECT_DOUBLE_EQ(policy.layer_time_mean_us, 300 + 205 + 230);
  EXPECT_DOUBLE_EQ(policy.exposed_transfer_mean_us, 205 - 150);
  EXPECT_DOUBLE_EQ(policy.speedup_over_static, 480.0 / 735);
  EXPECT_DOUBLE_EQ(policy.imbalance.mean, 1);
  EXPECT_DOUBLE_EQ(policy.lends_per_decision, 1);
  EXPECT_DOUBLE_EQ(policy.renewals_per_decision, 0);
  // Parameters there, gradient home.
  EXPECT_DOUBLE_EQ(policy.bytes_per_decision, 4000);
  // Worker 1: two experts at home, parameters and gradient of a third.
  EXPECT_DOUBLE_EQ(policy.peak_memory_mean_bytes, 32'000 + 4000 + 60 * 240);
}

TEST(ReplayTest, LendPlannedInlineAgainIsANewOne) {
  const Trace trace = TraceOf(
      {RecordOf(1, 0, {{60, 20, 40, 0}}), RecordOf(2, 0, {{60, 20, 40, 0}})},
      0);

  const absl::StatusOr<ReplayReport> report =
      ReplayHandy(trace, TwoWorkers({"pairwise"}));

  ASSERT_THAT(report, IsOk());
  EXPECT_DOUBLE_EQ(report->policies.front().lends_per_decision, 1);
  EXPECT_DOUBLE_EQ(report->policies.front().renewals_per_decision, 0);
}

TEST(ReplayTest, ObserverSeesEveryAssignmentWithTokensInOrder) {
  const Trace trace = TraceOf({RecordOf(1, 3, {{60, 20, 40, 0}})}, 0);
  std::vector<
      std::tuple<std::string, int64_t, int32_t, int32_t, int32_t, int64_t>>
      seen;
  ReplayObserver observer;
  observer.assignment = [&](const Assignment& assignment) {
    seen.emplace_back(assignment.policy, assignment.iteration.value(),
                      assignment.layer.value(), assignment.expert.value(),
                      assignment.worker.value(), assignment.tokens);
  };

  ASSERT_THAT(ReplayHandy(trace, TwoWorkers({"pairwise", "static"}), observer),
              IsOk());

  EXPECT_THAT(seen, ElementsAre(std::tuple("pairwise", 1, 3, 0, 0, 60),
                                std::tuple("pairwise", 1, 3, 1, 1, 20),
                                std::tuple("pairwise", 1, 3, 2, 1, 40),
                                std::tuple("static", 1, 3, 0, 0, 60),
                                std::tuple("static", 1, 3, 1, 0, 20),
                                std::tuple("static", 1, 3, 2, 1, 40)));
}

TEST(ReplayTest, ProgressReachesItsTotal) {
  std::vector<std::pair<int64_t, int64_t>> seen;
  ReplayObserver observer;
  observer.progress = [&](int64_t done, int64_t total) {
    seen.emplace_back(done, total);
  };

  ASSERT_THAT(ReplayHandy(TwoIterations(), TwoWorkers({"static"}), observer),
              IsOk());

  // Static runs once more, as what all are measured against.
  EXPECT_THAT(seen, ElementsAre(std::pair(1, 4), std::pair(2, 4),
                                std::pair(3, 4), std::pair(4, 4)));
}

Trace ThreeIterationsOfTwoLayers() {
  std::vector<TraceRecord> records;
  for (const int64_t iteration : {10, 20, 30}) {
    for (const int32_t layer : {0, 6}) {
      records.push_back(RecordOf(iteration, layer, {{iteration, layer}}));
    }
  }
  return TraceOf(std::move(records), 0);
}

TEST(ReplayTest, OnlySelectedIterationsAndLayersAreReplayed) {
  ReplayOptions options = TwoWorkers({"static"});
  options.first_iteration = Iteration(15);
  options.end_iteration = Iteration(30);
  options.layers = {LayerId(6)};

  const absl::StatusOr<ReplayReport> report =
      ReplayHandy(ThreeIterationsOfTwoLayers(), options);

  ASSERT_THAT(report, IsOk());
  EXPECT_EQ(report->iterations, 1);
  EXPECT_EQ(report->layers, 1);
  EXPECT_EQ(report->policies.front().peak_tokens_max, 20);
}

TEST(ReplayTest, ModeIsThatOfThePoliciesOrTheOneAskedFor) {
  ReplayOptions options = TwoWorkers({"static"});
  options.mode = "hybrid";

  const absl::StatusOr<ReplayReport> report =
      ReplayHandy(TwoIterations(), options);

  ASSERT_THAT(report, IsOk());
  EXPECT_EQ(report->mode, "hybrid");
  EXPECT_EQ(report->policies.front().mode, "hybrid");
  EXPECT_DOUBLE_EQ(report->policies.front().layer_time_mean_us, 320);
}

struct WrongReplay {
  std::string name;
  std::function<void(ReplayOptions&)> spoil;
  absl::StatusCode code;
  std::string message;
};

// Else it prints bytes, addresses among them.
void PrintTo(const WrongReplay& wrong, std::ostream* out) {
  *out << wrong.name;
}

class WrongReplayTest : public ::testing::TestWithParam<WrongReplay> {};

TEST_P(WrongReplayTest, IsRefusedWithTheReason) {
  ReplayOptions options = TwoWorkers({"static"});
  GetParam().spoil(options);

  EXPECT_THAT(ReplayHandy(TwoIterations(), options),
              IsStatus(GetParam().code, GetParam().message));
}

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

INSTANTIATE_TEST_SUITE_P(
    Each, WrongReplayTest,
    ::testing::Values(
        WrongReplay{"NoWorkers", [](ReplayOptions& o) { o.workers = 0; },
                    kInvalid,
                    "workers: 0; 1 to 4, the number of experts in trace.csv"},
        WrongReplay{"MoreWorkersThanExperts",
                    [](ReplayOptions& o) { o.workers = 8; }, kInvalid,
                    "workers: 8; 1 to 4, the number of experts in trace.csv"},
        WrongReplay{"UnequalParts", [](ReplayOptions& o) { o.workers = 3; },
                    kInvalid,
                    "workers: 3 do not divide the 4 experts of trace.csv into "
                    "equal parts"},
        WrongReplay{"NoPolicy", [](ReplayOptions& o) { o.policies.clear(); },
                    kInvalid, "policy: name at least one"},
        WrongReplay{
            "UnknownMode", [](ReplayOptions& o) { o.mode = "later"; }, kInvalid,
            "policy \"static@later\": there is no mode \"later\"; there "
            "are ahead, hybrid, inline"},
        WrongReplay{"ModeThatThePolicyCannotRunIn",
                    [](ReplayOptions& o) {
                      o.policies = {"pairwise"};
                      o.mode = "ahead";
                    },
                    absl::StatusCode::kFailedPrecondition,
                    "policy \"pairwise@ahead\": pairwise cannot run in mode "
                    "ahead, only inline"},
        WrongReplay{"UnknownObjective",
                    [](ReplayOptions& o) { o.objective = "fame"; }, kInvalid,
                    "objective: there is no \"fame\"; there are time and "
                    "imbalance"},
        WrongReplay{"TargetBelowBalance",
                    [](ReplayOptions& o) { o.target_imbalance = 0.9; },
                    kInvalid, "target_imbalance: 0.9; 1 or more"},
        WrongReplay{"NegativeSlots", [](ReplayOptions& o) { o.slots = -1; },
                    kInvalid, "slots: -1; 0 or more"},
        WrongReplay{"NoSuchIteration",
                    [](ReplayOptions& o) { o.first_iteration = Iteration(3); },
                    kInvalid,
                    "iterations: none of trace.csv are selected; it has 1 to 2 "
                    "of 1 layers"},
        WrongReplay{"NoSuchLayer",
                    [](ReplayOptions& o) { o.layers = {LayerId(1)}; }, kInvalid,
                    "iterations: none of trace.csv are selected; it has 1 to 2 "
                    "of 1 layers"}),
    [](const auto& test_case) { return test_case.param.name; });

TEST(ReplayTest, UnknownPolicyIsRefused) {
  EXPECT_THAT(ReplayHandy(TwoIterations(), TwoWorkers({"static", "statik"})),
              HasCode(absl::StatusCode::kInvalidArgument));
}

TEST(ReplayTest, RanksThatMakeNoWorkersAreRefused) {
  const Trace trace = TraceOf({RecordOf(1, 0, {{1, 1}, {1, 1}, {1, 1}})}, 3);

  EXPECT_THAT(ReplayHandy(trace, TwoWorkers({"static"})),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "workers: 2 and the 3 ranks of trace.csv; one must be a "
                       "multiple of the other"));
}

TEST(ReplayTest, WrongProfileIsRefused) {
  Profile profile = HandyProfile();
  profile.tflops = 0;

  EXPECT_THAT(
      Replay(TwoIterations(), profile, TwoWorkers({"static"}), {}, FakeClock()),
      IsStatus(absl::StatusCode::kInvalidArgument,
               "tflops is 0; it must be a number > 0"));
}

}  // namespace
}  // namespace balancemoe
