#include "common/strong_int.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <sstream>
#include <string>
#include <type_traits>
#include <unordered_set>

#include "absl/hash/hash_testing.h"
#include "common/ids.h"

namespace balancemoe {
namespace {

TEST(StrongIntTest, KindsDoNotMix) {
  EXPECT_FALSE((std::is_convertible_v<WorkerRank, ExpertId>));
  EXPECT_FALSE((std::is_constructible_v<WorkerRank, ExpertId>));
  EXPECT_FALSE((std::is_convertible_v<int32_t, WorkerRank>));
  EXPECT_FALSE((std::is_convertible_v<WorkerRank, int32_t>));
}

TEST(StrongIntTest, StartsAtZero) { EXPECT_EQ(PlanId(), PlanId(0)); }

TEST(StrongIntTest, OrdersByValue) {
  EXPECT_LT(Iteration(-1), Iteration(2));
  EXPECT_GT(Generation(3), Generation(2));
  EXPECT_NE(ExpertId(1), ExpertId(2));
}

TEST(StrongIntTest, KeepsTheWholeRangeOfItsRepresentation) {
  constexpr uint64_t kLargest = std::numeric_limits<uint64_t>::max();

  EXPECT_EQ(SessionId(kLargest).value(), kLargest);
  EXPECT_EQ(ExpertId(7).index(), 7U);
}

TEST(StrongIntTest, PrintsItsValue) {
  std::ostringstream text;
  text << WorkerRank(12) << ' ' << Iteration(-3);

  EXPECT_EQ(text.str(), "12 -3");
}

TEST(StrongIntTest, IsAKeyOfHashedContainers) {
  EXPECT_TRUE(absl::VerifyTypeImplementsAbslHashCorrectly(
      {LayerId(0), LayerId(1), LayerId(-1), LayerId(1)}));
  const std::unordered_set<LayerId> layers = {LayerId(1), LayerId(1),
                                              LayerId(2)};
  EXPECT_EQ(layers.size(), 2U);
}

}  // namespace
}  // namespace balancemoe
