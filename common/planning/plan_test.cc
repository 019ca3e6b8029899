#include "common/planning/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;

// Experts 0 and 1 live on worker 0, expert 2 on worker 1; worker 2 has none.
const std::vector<WorkerRank> kHomes = {WorkerRank(0), WorkerRank(0),
                                        WorkerRank(1)};
const std::vector<int32_t> kSlots = {0, 1, 2};

Lend LendOf(int32_t expert, int32_t from, int32_t to) {
  return {ExpertId(expert), WorkerRank(from), WorkerRank(to)};
}

TEST(ValidateLendsTest, LendsWithinTheSlotsPass) {
  EXPECT_THAT(ValidateLends({}, kHomes, kSlots), IsOk());
  EXPECT_THAT(ValidateLends({LendOf(0, 0, 2), LendOf(2, 1, 2), LendOf(1, 0, 1)},
                            kHomes, kSlots),
              IsOk());
}

struct WrongLends {
  std::string name;
  std::vector<Lend> lends;
  std::string message;
};

class WrongLendsTest : public ::testing::TestWithParam<WrongLends> {};

TEST_P(WrongLendsTest, AreRefusedWithTheReason) {
  EXPECT_THAT(ValidateLends(GetParam().lends, kHomes, kSlots),
              IsStatus(absl::StatusCode::kInvalidArgument, GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Each, WrongLendsTest,
    ::testing::Values(
        WrongLends{"ExpertOutOfRange",
                   {LendOf(3, 0, 1)},
                   "lend of expert 3 from worker 0 to 1: the layer has experts "
                   "0 to 2"},
        WrongLends{"ExpertNegative",
                   {LendOf(-1, 0, 1)},
                   "lend of expert -1 from worker 0 to 1: the layer has "
                   "experts 0 to 2"},
        WrongLends{"WorkerOutOfRange",
                   {LendOf(0, 0, 3)},
                   "lend of expert 0 from worker 0 to 3: the job has workers 0 "
                   "to 2"},
        WrongLends{"WorkerNegative",
                   {LendOf(0, 0, -1)},
                   "lend of expert 0 from worker 0 to -1: the job has workers "
                   "0 to 2"},
        WrongLends{"NotTheHome",
                   {LendOf(0, 1, 2)},
                   "lend of expert 0 from worker 1 to 2: its home is worker 0"},
        WrongLends{"ToItself",
                   {LendOf(0, 0, 0)},
                   "lend of expert 0 from worker 0 to 0: it is at home there"},
        WrongLends{"Twice",
                   {LendOf(0, 0, 2), LendOf(0, 0, 1)},
                   "lend of expert 0 from worker 0 to 1: it is lent twice"},
        WrongLends{"NoSlotLeft",
                   {LendOf(0, 0, 1), LendOf(1, 0, 1)},
                   "lend of expert 1 from worker 0 to 1: worker 1 has only 1 "
                   "spare slots"}),
    [](const auto& test_case) { return test_case.param.name; });

TEST(ComputingWorkersTest, LentExpertsAreComputedByTheBorrower) {
  EXPECT_THAT(ComputingWorkers(kHomes, {LendOf(1, 0, 2)}),
              ElementsAre(WorkerRank(0), WorkerRank(2), WorkerRank(1)));
}

}  // namespace
}  // namespace balancemoe
