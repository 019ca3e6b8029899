#include "coordinator/session/iteration_gather.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace balancemoe::coordinator {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Time kStart = absl::FromUnixSeconds(3600);
constexpr JobShape kShape = {
    .world_size = 2, .layers = 2, .experts = 2, .expert_bytes = 1};
constexpr int64_t kMaxInt64 = std::numeric_limits<int64_t>::max();

class IterationGatherTest : public ::testing::Test {
 protected:
  ReportOutcome Report(int32_t rank, int64_t iteration,
                       const std::vector<int32_t>& layers,
                       const std::vector<int64_t>& tokens,
                       absl::Time now = kStart) {
    return gather_.Add(WorkerRank(rank),
                       {.iteration = Iteration(iteration),
                        .layers = layers,
                        .tokens_per_expert = tokens},
                       now);
  }
  // Both workers report layer 0 of `iteration`.
  void Complete(int64_t iteration) {
    Report(0, iteration, {0}, {1, 2});
    EXPECT_THAT(Report(1, iteration, {0}, {3, 4}).complete, SizeIs(1));
  }

  const IterationGather::Options options_ = {
      .report_deadline = absl::Milliseconds(50),
      .open_per_layer = 2,
      .open_bytes = 1 << 20,
      .farthest_lead = 100};
  IterationGather gather_{options_, kShape};
};

TEST_F(IterationGatherTest, LastReportCompletesTheMatrix) {
  EXPECT_THAT(Report(0, 5, {1}, {1, 2}).complete, IsEmpty());
  const ReportOutcome outcome =
      Report(1, 5, {1}, {3, 4}, kStart + absl::Milliseconds(1));

  ASSERT_THAT(outcome.complete, SizeIs(1));
  const CompleteGather& complete = outcome.complete[0];
  EXPECT_EQ(complete.iteration, Iteration(5));
  EXPECT_EQ(complete.layer, LayerId(1));
  EXPECT_EQ(complete.opened, kStart);
  EXPECT_EQ(complete.tokens.At(WorkerRank(0), ExpertId(1)), 2);
  EXPECT_EQ(complete.tokens.At(WorkerRank(1), ExpertId(0)), 3);
}

TEST_F(IterationGatherTest, OneReportMayHoldAllLayers) {
  Report(0, 5, {0, 1}, {1, 2, 3, 4});
  EXPECT_THAT(Report(1, 5, {0, 1}, {5, 6, 7, 8}).complete, SizeIs(2));
}

TEST_F(IterationGatherTest, ReportsByOtherHomesDoNotMix) {
  const auto report = [&](int32_t rank, uint64_t placement_version) {
    return gather_.Add(WorkerRank(rank),
                       {.iteration = Iteration(5),
                        .layers = {0},
                        .tokens_per_expert = {1, 2},
                        .placement_version = placement_version},
                       kStart);
  };
  report(0, 3);
  const ReportOutcome other = report(1, 4);
  EXPECT_EQ(other.rejection, ReportRejection::kOtherPlacement);
  EXPECT_EQ(other.message,
            "placement 4; others report placement 3 for iteration 5");
  EXPECT_FALSE(IsNonsense(*other.rejection));

  const ReportOutcome same = report(1, 3);
  ASSERT_THAT(same.complete, SizeIs(1));
  EXPECT_EQ(same.complete[0].placement_version, 3u);
}

struct BadReport {
  std::string name;
  int64_t iteration;
  std::vector<int32_t> layers;
  std::vector<int64_t> tokens;
  ReportRejection rejection;
};

TEST_F(IterationGatherTest, NonsenseIsRefusedWithItsReasonAndHasNoEffect) {
  Complete(10);
  const std::vector<BadReport> bad_reports = {
      {"no layer", 11, {}, {}, ReportRejection::kWrongLength},
      {"short", 11, {0}, {1}, ReportRejection::kWrongLength},
      {"long", 11, {0}, {1, 2, 3}, ReportRejection::kWrongLength},
      {"negative", 11, {0}, {1, -1}, ReportRejection::kNegative},
      {"smallest",
       11,
       {0},
       {std::numeric_limits<int64_t>::min(), 0},
       ReportRejection::kNegative},
      {"largest", 11, {0}, {kMaxInt64, kMaxInt64}, ReportRejection::kAbsurd},
      {"sum over int32",
       11,
       {0},
       {int64_t{1} << 30, int64_t{1} << 30},
       ReportRejection::kAbsurd},
      {"layer below", 11, {-1}, {1, 1}, ReportRejection::kUnknownLayer},
      {"layer above", 11, {2}, {1, 1}, ReportRejection::kUnknownLayer},
      {"layer twice",
       11,
       {0, 0},
       {1, 1, 1, 1},
       ReportRejection::kRepeatedLayer},
      {"more rows than layers",
       11,
       {0, 1, 0},
       {1, 1, 1, 1, 1, 1},
       ReportRejection::kRepeatedLayer},
      {"before the first", -1, {0}, {1, 1}, ReportRejection::kFarFuture},
      {"far future", 111, {0}, {1, 1}, ReportRejection::kFarFuture},
      {"end of numbers", kMaxInt64, {0}, {1, 1}, ReportRejection::kFarFuture},
      // The good row before the bad one must not count either.
      {"second row", 11, {0, 1}, {1, 1, 1, -5}, ReportRejection::kNegative},
  };
  for (const BadReport& bad : bad_reports) {
    const ReportOutcome outcome =
        Report(0, bad.iteration, bad.layers, bad.tokens);
    EXPECT_EQ(outcome.rejection, bad.rejection) << bad.name;
    EXPECT_TRUE(IsNonsense(bad.rejection)) << bad.name;
    EXPECT_EQ(gather_.next_deadline(), absl::InfiniteFuture()) << bad.name;
  }
  Complete(11);
}

TEST_F(IterationGatherTest, ReportAtTheWrongTimeIsRefusedButNoNonsense) {
  Complete(10);
  Report(0, 11, {0}, {1, 1});

  EXPECT_EQ(Report(0, 9, {0}, {1, 1}).rejection,
            ReportRejection::kStaleIteration);
  EXPECT_EQ(Report(0, 10, {0}, {1, 1}).rejection, ReportRejection::kDuplicate);
  EXPECT_EQ(Report(0, 11, {0}, {9, 9}).rejection, ReportRejection::kDuplicate);
  EXPECT_FALSE(IsNonsense(ReportRejection::kStaleIteration));
  EXPECT_FALSE(IsNonsense(ReportRejection::kDuplicate));
  EXPECT_FALSE(IsNonsense(ReportRejection::kLate));
  // The duplicate had no effect.
  const ReportOutcome outcome = Report(1, 11, {0}, {2, 2});
  EXPECT_EQ(outcome.complete[0].tokens.At(WorkerRank(0), ExpertId(0)), 1);
}

TEST_F(IterationGatherTest, DeadlineGivesUpExactlyThenAndNamesWhoIsMissing) {
  Report(1, 3, {0}, {1, 1});
  const absl::Time deadline = kStart + options_.report_deadline;

  EXPECT_EQ(gather_.next_deadline(), deadline);
  EXPECT_THAT(gather_.Expire(deadline - absl::Nanoseconds(1)), IsEmpty());
  const std::vector<MissedGather> missed = gather_.Expire(deadline);
  ASSERT_THAT(missed, SizeIs(1));
  EXPECT_EQ(missed[0].iteration, Iteration(3));
  EXPECT_EQ(missed[0].cause, "deadline");
  EXPECT_EQ(missed[0].reason, "no report from worker 0 within 50ms");
  EXPECT_EQ(Report(0, 3, {0}, {1, 1}).rejection, ReportRejection::kLate);
}

TEST_F(IterationGatherTest, CompletingALaterIterationGivesUpTheEarlier) {
  Report(0, 3, {0}, {1, 1});
  Report(0, 4, {0}, {1, 1});
  const ReportOutcome outcome = Report(1, 4, {0}, {1, 1});

  ASSERT_THAT(outcome.missed, SizeIs(1));
  EXPECT_EQ(outcome.missed[0].iteration, Iteration(3));
  EXPECT_EQ(outcome.missed[0].cause, "superseded");
}

// A worker that runs ahead must not keep the job from planning, nor cost
// memory.
TEST_F(IterationGatherTest, LowerIterationsWinWhenTooManyAreOpen) {
  Report(0, 50, {0}, {1, 1});
  Report(0, 60, {0}, {1, 1});

  EXPECT_EQ(Report(0, 70, {0}, {1, 1}).rejection,
            ReportRejection::kTooManyOpen);
  const ReportOutcome lower = Report(1, 3, {0}, {1, 1});
  EXPECT_EQ(lower.rejection, std::nullopt);
  ASSERT_THAT(lower.missed, SizeIs(1));
  EXPECT_EQ(lower.missed[0].iteration, Iteration(60));
  EXPECT_THAT(Report(0, 3, {0}, {1, 1}).complete, SizeIs(1));
}

TEST_F(IterationGatherTest, WorkerThatIsBackMayBeFarAhead) {
  Complete(10);
  gather_.ForgetPosition();

  EXPECT_EQ(Report(0, 100'000, {0}, {1, 1}).rejection, std::nullopt);
}

TEST_F(IterationGatherTest, ClearForgetsWhatWasReported) {
  Complete(10);
  Report(0, 11, {0}, {1, 1});
  gather_.Clear();

  EXPECT_EQ(gather_.next_deadline(), absl::InfiniteFuture());
  EXPECT_THAT(Report(1, 11, {0}, {1, 1}).complete, IsEmpty());
  // A job that resumes from a checkpoint goes back.
  EXPECT_EQ(Report(0, 2, {0}, {1, 1}).rejection, std::nullopt);
}

}  // namespace
}  // namespace balancemoe::coordinator
