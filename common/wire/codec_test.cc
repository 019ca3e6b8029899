#include "common/wire/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "balancemoe/v1/plan.pb.h"
#include "common/checksum.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

using ::testing::IsEmpty;

constexpr int64_t kExpertBytes = 4096;

Plan ExamplePlan() {
  Plan plan;
  plan.id = PlanId(std::numeric_limits<uint64_t>::max());
  plan.epoch = JobEpoch(3);
  plan.generation = Generation(4);
  plan.iteration = Iteration(5'000'000'000);
  plan.layer = LayerId(6);
  plan.policy = "pairwise@inline";
  plan.decision.moves = {{ExpertId(1), WorkerRank(4), WorkerRank(0)},
                         {ExpertId(0), WorkerRank(2), WorkerRank(3)}};
  plan.decision.lends = {{ExpertId(7), WorkerRank(0), WorkerRank(1)},
                         {ExpertId(2), WorkerRank(3), WorkerRank(2)}};
  plan.decision.predicted_before_us = 412.125;
  plan.decision.predicted_after_us = 0.1;
  plan.decision.reason = "because";
  return plan;
}

TEST(PlanCodecTest, DecodingGivesBackWhatWasEncoded) {
  const absl::StatusOr<Plan> decoded =
      DecodePlan(EncodePlan(ExamplePlan()), kExpertBytes);

  ASSERT_THAT(decoded, IsOk());
  EXPECT_EQ(*decoded, ExamplePlan());
}

TEST(PlanCodecTest, PlanWithoutTransfersSurvivesToo) {
  Plan plan = ExamplePlan();
  plan.decision.moves.clear();
  plan.decision.lends.clear();

  const absl::StatusOr<Plan> decoded =
      DecodePlan(EncodePlan(plan), kExpertBytes);

  ASSERT_THAT(decoded, IsOk());
  EXPECT_THAT(decoded->decision.lends, IsEmpty());
  EXPECT_EQ(*decoded, plan);
}

CostModel ExampleCostModel() {
  CostModel model;
  model.us_per_token = 0.25;
  model.intra_node = {.latency_us = 3, .us_per_byte = 0.5};
  model.inter_node = {.latency_us = 5, .us_per_byte = 0.75};
  model.expert_bytes = kExpertBytes;
  return model;
}

TEST(PlanCodecTest, FanOutAndWhatItIsChosenByGoWithExpertsForSeveralWorkers) {
  Plan plan = ExamplePlan();
  plan.decision.fan_out = FanOut::kOneByOne;
  plan.decision.lends = {{ExpertId(7), WorkerRank(0), WorkerRank(1)},
                         {ExpertId(7), WorkerRank(0), WorkerRank(2)}};
  plan.cost = ExampleCostModel();

  const absl::StatusOr<Plan> decoded =
      DecodePlan(EncodePlan(plan), kExpertBytes);

  ASSERT_THAT(decoded, IsOk());
  EXPECT_EQ(*decoded, plan);
}

TEST(PlanCodecTest, CostModelStaysAtHomeWhereNoExpertGoesToSeveralWorkers) {
  Plan plan = ExamplePlan();
  plan.cost = ExampleCostModel();

  EXPECT_EQ(EncodePlan(plan), EncodePlan(ExamplePlan()));
}

TEST(PlanCodecTest, UnknownFanOutIsRefused) {
  v1::Plan proto;
  ASSERT_TRUE(proto.ParseFromString(EncodePlan(ExamplePlan())));
  proto.set_fan_out(static_cast<v1::FanOut>(9));

  EXPECT_THAT(DecodePlan(proto.SerializeAsString(), kExpertBytes),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       ::testing::HasSubstr("fan-out 9")));
}

TEST(PlanCodecTest, QuotasAndSplitRulesSurvive) {
  for (const SplitRule split :
       {SplitRule::kExact, SplitRule::kShares, SplitRule::kMinMax}) {
    Plan plan = ExamplePlan();
    plan.decision.split = split;
    plan.decision.lends = {
        {ExpertId(7), WorkerRank(0), WorkerRank(1), 0},
        {ExpertId(7), WorkerRank(0), WorkerRank(2),
         std::numeric_limits<int64_t>::max()},
        {ExpertId(2), WorkerRank(3), WorkerRank(2), kAllTokens}};

    const absl::StatusOr<Plan> decoded =
        DecodePlan(EncodePlan(plan), kExpertBytes);

    ASSERT_THAT(decoded, IsOk());
    EXPECT_EQ(*decoded, plan);
  }
}

TEST(PlanCodecTest, OtherQuotasAreAnotherPlan) {
  Plan one = ExamplePlan();
  one.decision.lends[0].tokens = 40;
  Plan other = one;
  other.decision.lends[0].tokens = 41;
  Plan by_min_max = one;
  by_min_max.decision.split = SplitRule::kMinMax;

  EXPECT_NE(EncodePlan(one), EncodePlan(ExamplePlan()));
  EXPECT_NE(EncodePlan(one), EncodePlan(other));
  EXPECT_NE(EncodePlan(one), EncodePlan(by_min_max));
}

TEST(PlanCodecTest, QuotasForSomeOfTheLendsAreRefused) {
  v1::Plan proto;
  ASSERT_TRUE(proto.ParseFromString(EncodePlan(ExamplePlan())));
  proto.set_plan_id(9);
  proto.add_lend_tokens(5);

  EXPECT_THAT(DecodePlan(proto.SerializeAsString(), kExpertBytes),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "plan 9: 1 quotas for 2 lends; one each, or none"));
}

TEST(PlanCodecTest, MovesOfUnequalLengthAreRefused) {
  v1::Plan proto;
  ASSERT_TRUE(proto.ParseFromString(EncodePlan(ExamplePlan())));
  proto.set_plan_id(9);
  proto.add_move_to(5);

  EXPECT_THAT(DecodePlan(proto.SerializeAsString(), kExpertBytes),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "plan 9: 2 experts to move, 2 old homes and 3 new ones; "
                       "each move needs one of each"));
}

TEST(PlacementCodecTest, DecodingGivesBackWhatWasEncoded) {
  JobPlacement placement = FirstPlacement(2, 3, 5);
  ApplyMoves({{LayerId(1), {{ExpertId(0), WorkerRank(0), WorkerRank(2)}}}},
             placement);

  const auto decoded = FromProto(ToProto(placement), 2, 3, 5);

  ASSERT_THAT(decoded, IsOk());
  EXPECT_EQ(*decoded, placement);
}

TEST(PlacementCodecTest, PlacementOfAnotherJobIsRefused) {
  v1::Placement proto = ToProto(FirstPlacement(2, 3, 5));
  EXPECT_THAT(FromProto(proto, 2, 3, 6),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "home_of_expert: 10 entries instead of 12"));
  proto.set_home_of_expert(7, 3);
  EXPECT_THAT(
      FromProto(proto, 2, 3, 5),
      IsStatus(absl::StatusCode::kInvalidArgument,
               "placement of layer 1: expert 2 at worker 3; the job has "
               "workers 0 to 2"));
}

TEST(PlanCodecTest, SplitRuleFromTheFutureIsRefused) {
  v1::Plan proto;
  proto.set_split(static_cast<v1::SplitRule>(3));

  EXPECT_THAT(DecodePlan(proto.SerializeAsString(), kExpertBytes),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "split rule 3 is unknown; rules are 0 to 2"));
}

TEST(PlanCodecTest, EqualPlansHaveEqualBytesAndOtherPlansOtherDigests) {
  Plan other = ExamplePlan();
  other.decision.lends[1].to = WorkerRank(1);

  EXPECT_EQ(EncodePlan(ExamplePlan()), EncodePlan(ExamplePlan()));
  EXPECT_NE(Checksum(EncodePlan(ExamplePlan())), Checksum(EncodePlan(other)));
}

TEST(PlanCodecTest, GarbageIsRefused) {
  EXPECT_THAT(DecodePlan("no plan at all", kExpertBytes),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "plan: 14 bytes are not a Plan message"));
}

TEST(PlanCodecTest, CutOffPlansAreRefusedOrWhole) {
  // A cut between two fields leaves a message that parses; the digest, which
  // covers all bytes, tells it apart.
  const std::string bytes = EncodePlan(ExamplePlan());
  for (size_t length = 0; length < bytes.size(); ++length) {
    const absl::StatusOr<Plan> decoded =
        DecodePlan(bytes.substr(0, length), kExpertBytes);
    if (decoded.ok()) {
      EXPECT_NE(*decoded, ExamplePlan()) << length;
    } else {
      EXPECT_THAT(decoded, HasCode(absl::StatusCode::kInvalidArgument));
    }
  }
}

TEST(PlanCodecTest, ArraysOfUnequalLengthAreRefused) {
  v1::Plan proto;
  proto.set_plan_id(9);
  proto.add_lend_expert(1);
  proto.add_lend_expert(2);
  proto.add_lend_from(0);
  proto.add_lend_from(0);
  proto.add_lend_to(1);

  EXPECT_THAT(DecodePlan(proto.SerializeAsString(), kExpertBytes),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "plan 9: 2 experts, 2 senders and 1 receivers; each "
                       "lend needs one of each"));
}

TEST(FencingCodecTest, FencingComesBackAsItWas) {
  const Fencing fencing = {
      .job_id = "job",
      .rank = WorkerRank(3),
      .session = SessionId(std::numeric_limits<uint64_t>::max()),
      .epoch = JobEpoch(2),
      .coordinator = Incarnation(5),
      .worker = Incarnation(7),
      .generation = Generation(11)};

  EXPECT_EQ(FromProto(ToProto(fencing)), fencing);
}

constexpr CostModel kModel = {.expert_launch_us = 1.5,
                              .us_per_token = 0.25,
                              .backward_factor = 2.125,
                              .intra_node = {80, 1e-3},
                              .inter_node = {120, 4e-3},
                              .overlap_slowdown = 1.05,
                              .host_cpu_us_per_byte = 2.5e-4,
                              .expert_bytes = 2'097'152,
                              .token_bytes = 1024,
                              .optimizer_bytes = 6'291'456,
                              .plan_latency_us = 300};

TEST(CalibrationCodecTest, CostModelComesBackToTheLastBit) {
  const absl::StatusOr<CostModel> decoded =
      FromProto(ToProto(kModel), kModel.expert_bytes);

  ASSERT_THAT(decoded, IsOk());
  EXPECT_EQ(*decoded, kModel);
}

TEST(CalibrationCodecTest, ModelThatIsNotValidIsRefused) {
  v1::Calibration proto = ToProto(kModel);
  proto.set_link_latency_us(-1);

  EXPECT_THAT(FromProto(proto, kModel.expert_bytes),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "cost model: intra_node.latency_us is -1; it must be a "
                       "number >= 0"));
}

TEST(CalibrationCodecTest, SenderThatKnowsOneLinkMeansItForBothClasses) {
  v1::Calibration proto = ToProto(kModel);
  proto.clear_inter_latency_us();
  proto.clear_inter_us_per_byte();

  const absl::StatusOr<CostModel> decoded =
      FromProto(proto, kModel.expert_bytes);

  ASSERT_THAT(decoded, IsOk());
  EXPECT_EQ(decoded->intra_node, kModel.intra_node);
  EXPECT_EQ(decoded->inter_node, kModel.intra_node);
}

TEST(CalibrationCodecTest, FreeLinkBetweenNodesIsNotTakenForOneLeftOut) {
  CostModel model = kModel;
  model.inter_node = {};

  const absl::StatusOr<CostModel> decoded =
      FromProto(ToProto(model), model.expert_bytes);

  ASSERT_THAT(decoded, IsOk());
  EXPECT_EQ(decoded->inter_node, Link());
}

}  // namespace
}  // namespace balancemoe
