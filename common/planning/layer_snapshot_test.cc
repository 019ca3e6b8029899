#include "common/planning/layer_snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;

// Two workers, three experts.
LayerSnapshot Valid() {
  return {.tokens = LoadMatrix(2, 3),
          .home_of_expert = ContiguousPlacement(2, 3),
          .spare_slots = {4, 0},
          .cost = {.us_per_token = 1}};
}

Replica ReplicaOf(int32_t expert, int32_t worker) {
  return {ExpertId(expert), WorkerRank(worker)};
}

TEST(LayerSnapshotTest, ValidSnapshotPasses) {
  EXPECT_THAT(ValidateSnapshot(Valid()), IsOk());
}

TEST(LayerSnapshotTest, EveryPartMayBeFilled) {
  LayerSnapshot snapshot = Valid();
  snapshot.iteration = Iteration(8);
  snapshot.history = {{Iteration(6), {1, 2, 3}},
                      {Iteration(7), {2 * kMostTokens, 0, 0}}};
  snapshot.replicas = {ReplicaOf(0, 1), ReplicaOf(2, 0)};
  snapshot.spare_bytes = {1000, 0};
  snapshot.node_of_worker = {1, 0};

  EXPECT_THAT(ValidateSnapshot(snapshot), IsOk());
}

TEST(LayerSnapshotTest, HistoryAloneIsEnoughToPlanAhead) {
  LayerSnapshot snapshot = Valid();
  snapshot.tokens = LoadMatrix();
  snapshot.history = {{Iteration(7), {1, 2, 3}}};

  EXPECT_THAT(ValidateSnapshot(snapshot), IsOk());
}

struct WrongSnapshot {
  std::string name;
  std::function<void(LayerSnapshot&)> spoil;
  std::string message;
};

class WrongSnapshotTest : public ::testing::TestWithParam<WrongSnapshot> {};

TEST_P(WrongSnapshotTest, IsRefusedWithTheReason) {
  LayerSnapshot snapshot = Valid();
  GetParam().spoil(snapshot);

  EXPECT_THAT(ValidateSnapshot(snapshot),
              IsStatus(absl::StatusCode::kInvalidArgument, GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Each, WrongSnapshotTest,
    ::testing::Values(
        WrongSnapshot{"NoWorkers",
                      [](LayerSnapshot& s) { s.spare_slots.clear(); },
                      "snapshot: 0 workers and 3 experts; at least one of "
                      "each"},
        WrongSnapshot{"NoExperts",
                      [](LayerSnapshot& s) { s.home_of_expert.clear(); },
                      "snapshot: 2 workers and 0 experts; at least one of "
                      "each"},
        WrongSnapshot{"LoadsOfTooManyWorkers",
                      [](LayerSnapshot& s) { s.tokens = LoadMatrix(3, 3); },
                      "snapshot: loads of 3 workers and 3 experts; the layer "
                      "has 2 and 3"},
        WrongSnapshot{"LoadsOfTooFewExperts",
                      [](LayerSnapshot& s) { s.tokens = LoadMatrix(2, 2); },
                      "snapshot: loads of 2 workers and 2 experts; the layer "
                      "has 2 and 3"},
        WrongSnapshot{"NeitherLoadsNorHistory",
                      [](LayerSnapshot& s) { s.tokens = LoadMatrix(); },
                      "snapshot: loads of 0 workers and 0 experts; the layer "
                      "has 2 and 3"},
        WrongSnapshot{"NodesMissing",
                      [](LayerSnapshot& s) { s.node_of_worker = {0}; },
                      "snapshot: 1 nodes for 2 workers"},
        WrongSnapshot{"NodeOutOfRange",
                      [](LayerSnapshot& s) {
                        s.node_of_worker = {0, 2};
                      },
                      "snapshot: worker 1 is on node 2; nodes are 0 to 1"},
        WrongSnapshot{"NodeNegative",
                      [](LayerSnapshot& s) {
                        s.node_of_worker = {-1, 0};
                      },
                      "snapshot: worker 0 is on node -1; nodes are 0 to 1"},
        WrongSnapshot{"BytesMissing",
                      [](LayerSnapshot& s) {
                        s.spare_bytes = {1, 2, 3};
                      },
                      "snapshot: 3 byte counts for 2 workers"},
        WrongSnapshot{"BytesNegative",
                      [](LayerSnapshot& s) {
                        s.spare_bytes = {0, -5};
                      },
                      "snapshot: worker 1 has -5 spare bytes"},
        WrongSnapshot{"ReplicaOfNoExpert",
                      [](LayerSnapshot& s) { s.replicas = {ReplicaOf(3, 0)}; },
                      "snapshot: replica of expert 3 on worker 0 is out of "
                      "range"},
        WrongSnapshot{"ReplicaOnNoWorker",
                      [](LayerSnapshot& s) { s.replicas = {ReplicaOf(0, -1)}; },
                      "snapshot: replica of expert 0 on worker -1 is out of "
                      "range"},
        WrongSnapshot{"ReplicaAtHome",
                      [](LayerSnapshot& s) { s.replicas = {ReplicaOf(2, 1)}; },
                      "snapshot: replica of expert 2 on worker 1 is at home "
                      "there"},
        WrongSnapshot{
            "ReplicaTwice",
            [](LayerSnapshot& s) {
              s.replicas = {ReplicaOf(0, 1), ReplicaOf(0, 1)};
            },
            "snapshot: replica of expert 0 on worker 1 is out of order or "
            "there twice"},
        WrongSnapshot{
            "ReplicasNotRising",
            [](LayerSnapshot& s) {
              s.replicas = {ReplicaOf(2, 0), ReplicaOf(0, 1)};
            },
            "snapshot: replica of expert 0 on worker 1 is out of order or "
            "there twice"},
        WrongSnapshot{"HistoryOfTooFewExperts",
                      [](LayerSnapshot& s) {
                        s.history = {{Iteration(7), {1, 2}}};
                      },
                      "snapshot: loads of 2 experts in iteration 7; the layer "
                      "has 3"},
        WrongSnapshot{"HistoryNegative",
                      [](LayerSnapshot& s) {
                        s.history = {{Iteration(6), {1, 2, 3}},
                                     {Iteration(7), {1, 2, -3}}};
                      },
                      "snapshot: a load of -3 in iteration 7; loads are 0 to "
                      "1099511627776 per worker"},
        WrongSnapshot{
            "HistoryAbsurd",
            [](LayerSnapshot& s) {
              s.history = {{Iteration(7), {2 * kMostTokens + 1, 0, 0}}};
            },
            "snapshot: a load of 2199023255553 in iteration 7; loads "
            "are 0 to 1099511627776 per worker"},
        WrongSnapshot{
            "HomeOutOfRange",
            [](LayerSnapshot& s) { s.home_of_expert[1] = WorkerRank(2); },
            "snapshot: expert 1 lives on worker 2; workers are 0 to 1"},
        WrongSnapshot{
            "HomeNegative",
            [](LayerSnapshot& s) { s.home_of_expert[1] = WorkerRank(-1); },
            "snapshot: expert 1 lives on worker -1; workers are 0 to 1"},
        WrongSnapshot{"SlotsNegative",
                      [](LayerSnapshot& s) { s.spare_slots[1] = -3; },
                      "snapshot: worker 1 has -3 spare slots"},
        WrongSnapshot{"LoadNegative",
                      [](LayerSnapshot& s) {
                        s.tokens.MutableRow(WorkerRank(1))[2] = -7;
                      },
                      "snapshot: worker 1 has a load of -7 for one expert; "
                      "loads are 0 to "
                      "1099511627776"},
        WrongSnapshot{
            "LoadAbsurd",
            [](LayerSnapshot& s) {
              s.tokens.MutableRow(WorkerRank(0))[1] = kMostTokens + 1;
            },
            "snapshot: worker 0 has a load of 1099511627777 for one expert; "
            "loads are 0 to 1099511627776"},
        WrongSnapshot{"CostUnmeasured",
                      [](LayerSnapshot& s) { s.cost = CostModel(); },
                      "cost model: us_per_token is 0; a token takes some "
                      "time"}),
    [](const auto& test_case) { return test_case.param.name; });

std::vector<int32_t> Homes(int32_t workers, int32_t experts) {
  std::vector<int32_t> homes;
  for (const WorkerRank home : ContiguousPlacement(workers, experts)) {
    homes.push_back(home.value());
  }
  return homes;
}

TEST(UsableSlotsTest, WithoutByteCountsOnlySlotsCount) {
  EXPECT_THAT(UsableSlots(Valid()), ElementsAre(4, 0));
}

TEST(UsableSlotsTest, EveryBorrowedExpertNeedsParametersAndAGradient) {
  LayerSnapshot snapshot = Valid();
  snapshot.spare_slots = {4, 4};
  snapshot.cost.expert_bytes = 100;

  snapshot.spare_bytes = {599, 600};
  EXPECT_THAT(UsableSlots(snapshot), ElementsAre(2, 3));
  snapshot.spare_bytes = {199, 1'000'000'000'000};
  EXPECT_THAT(UsableSlots(snapshot), ElementsAre(0, 4));
}

TEST(UsableSlotsTest, ExpertsOfNoSizeFitAnywhere) {
  LayerSnapshot snapshot = Valid();
  snapshot.spare_bytes = {0, 0};

  EXPECT_THAT(UsableSlots(snapshot), ElementsAre(4, 0));
}

TEST(ContiguousPlacementTest, NeighboursShareAWorker) {
  EXPECT_THAT(Homes(2, 4), ElementsAre(0, 0, 1, 1));
}

TEST(ContiguousPlacementTest, UnevenCountsDifferByAtMostOne) {
  EXPECT_THAT(Homes(3, 7), ElementsAre(0, 0, 0, 1, 1, 2, 2));
  EXPECT_THAT(Homes(3, 2), ElementsAre(0, 1));
}

}  // namespace
}  // namespace balancemoe
