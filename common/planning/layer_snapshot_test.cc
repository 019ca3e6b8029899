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

TEST(LayerSnapshotTest, ValidSnapshotPasses) {
  EXPECT_THAT(ValidateSnapshot(Valid()), IsOk());
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
                      [](LayerSnapshot& s) { s.tokens = LoadMatrix(0, 3); },
                      "snapshot: loads of 0 workers and 3 experts; at least "
                      "one of each"},
        WrongSnapshot{"NoExperts",
                      [](LayerSnapshot& s) { s.tokens = LoadMatrix(2, 0); },
                      "snapshot: loads of 2 workers and 0 experts; at least "
                      "one of each"},
        WrongSnapshot{"HomeMissing",
                      [](LayerSnapshot& s) { s.home_of_expert.pop_back(); },
                      "snapshot: 2 homes for 3 experts"},
        WrongSnapshot{"SlotsMissing",
                      [](LayerSnapshot& s) { s.spare_slots.pop_back(); },
                      "snapshot: 1 slot counts for 2 workers"},
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

TEST(ContiguousPlacementTest, NeighboursShareAWorker) {
  EXPECT_THAT(Homes(2, 4), ElementsAre(0, 0, 1, 1));
}

TEST(ContiguousPlacementTest, UnevenCountsDifferByAtMostOne) {
  EXPECT_THAT(Homes(3, 7), ElementsAre(0, 0, 0, 1, 1, 2, 2));
  EXPECT_THAT(Homes(3, 2), ElementsAre(0, 1));
}

}  // namespace
}  // namespace balancemoe
