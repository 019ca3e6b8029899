#include "worker/moe/capacity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <random>
#include <vector>

namespace balancemoe::worker {
namespace {

using ::testing::ElementsAre;

TEST(CapacityTest, IsTheFactorTimesAnEvenShareRoundedUp) {
  EXPECT_EQ(ExpertCapacity(1, 64, 8), 8);
  EXPECT_EQ(ExpertCapacity(1.25, 64, 8), 10);
  EXPECT_EQ(ExpertCapacity(1.26, 64, 8), 11);
  EXPECT_EQ(ExpertCapacity(1, 3, 8), 1);
  EXPECT_EQ(ExpertCapacity(1e300, 64, 8), 64);
  EXPECT_EQ(ExpertCapacity(1, 0, 8), 1);
}

TEST(CapacityTest, SecondChoicesAreDroppedBeforeFirstOnes) {
  // Three tokens of two choices; expert 0 is a first choice of the last two.
  std::vector<int64_t> choices = {1, 0, 0, 1, 0, 2};
  std::vector<int64_t> counts = {3, 2, 1};

  EXPECT_EQ(DropOverCapacity(2, 2, absl::MakeSpan(choices), counts), 1);

  EXPECT_THAT(choices, ElementsAre(1, kDropped, 0, 1, 0, 2));
  EXPECT_THAT(counts, ElementsAre(2, 2, 1));
}

TEST(CapacityTest, LaterTokensAreDroppedBeforeEarlierOnes) {
  std::vector<int64_t> choices = {0, 0, 1, 0};
  std::vector<int64_t> counts = {3, 1};

  EXPECT_EQ(DropOverCapacity(1, 1, absl::MakeSpan(choices), counts), 2);

  EXPECT_THAT(choices, ElementsAre(0, kDropped, 1, kDropped));
  EXPECT_THAT(counts, ElementsAre(1, 1));
}

TEST(CapacityTest, KeepsAsManyAsFitAndCountsTheRest) {
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    const size_t experts = 1 + random() % 9;
    const size_t tokens = random() % 60;
    std::vector<int64_t> choices;
    std::vector<int64_t> before(experts);
    for (size_t i = 0; i < tokens; ++i) {
      choices.push_back(static_cast<int64_t>(random() % experts));
      ++before[static_cast<size_t>(choices.back())];
    }
    const auto capacity = static_cast<int64_t>(1 + random() % 20);
    std::vector<int64_t> counts = before;

    const int64_t dropped =
        DropOverCapacity(capacity, 1, absl::MakeSpan(choices), counts);

    std::vector<int64_t> kept(experts);
    int64_t gone = 0;
    for (const int64_t choice : choices) {
      choice == kDropped ? ++gone : ++kept[static_cast<size_t>(choice)];
    }
    EXPECT_EQ(kept, counts);
    EXPECT_EQ(gone, dropped);
    for (size_t e = 0; e < experts; ++e) {
      EXPECT_EQ(counts[e], std::min(before[e], capacity));
    }
  }
}

}  // namespace
}  // namespace balancemoe::worker
