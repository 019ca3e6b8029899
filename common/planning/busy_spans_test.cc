#include "common/planning/busy_spans.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <random>

namespace balancemoe {
namespace {

// From 2 to 4 and from 6 to 10.
BusySpans TwoSpans() {
  BusySpans spans;
  spans.Add(2, 4);
  spans.Add(6, 10);
  return spans;
}

TEST(BusySpansTest, ComputeInFreeTimeGoesAtFullPace) {
  const BusySpans spans = TwoSpans();

  EXPECT_DOUBLE_EQ(spans.Advance(0, 1.5, 2), 1.5);
  EXPECT_DOUBLE_EQ(spans.Advance(0, 2, 2), 2);
  EXPECT_DOUBLE_EQ(spans.Advance(4, 2, 2), 6);
  EXPECT_DOUBLE_EQ(spans.Advance(11, 3, 2), 14);
}

TEST(BusySpansTest, ComputeWithinASpanIsSlower) {
  const BusySpans spans = TwoSpans();

  EXPECT_DOUBLE_EQ(spans.Advance(2, 1, 2), 4);
  EXPECT_DOUBLE_EQ(spans.Advance(7, 1, 2), 9);
  EXPECT_DOUBLE_EQ(spans.Advance(0, 2.5, 2), 3);
}

TEST(BusySpansTest, ComputeMayCrossSeveralSpans) {
  const BusySpans spans = TwoSpans();

  // 2 free, 1 in the first span, 2 free, 2 in the second, 3 after it.
  EXPECT_DOUBLE_EQ(spans.Advance(0, 10, 2), 13);
  // Half of the first span's remaining 1, 2 free, 2 in the second.
  EXPECT_DOUBLE_EQ(spans.Advance(3, 4.5, 2), 10);
}

TEST(BusySpansTest, NoWorkTakesNoTime) {
  EXPECT_DOUBLE_EQ(TwoSpans().Advance(3, 0, 2), 3);
  EXPECT_DOUBLE_EQ(BusySpans().Advance(3, 2, 2), 5);
}

TEST(BusySpansTest, BusyTimeCountsUpToTheGivenEnd) {
  const BusySpans spans = TwoSpans();

  EXPECT_DOUBLE_EQ(spans.BusyBefore(2), 0);
  EXPECT_DOUBLE_EQ(spans.BusyBefore(3), 1);
  EXPECT_DOUBLE_EQ(spans.BusyBefore(5), 2);
  EXPECT_DOUBLE_EQ(spans.BusyBefore(100), 6);
}

TEST(BusySpansTest, TimesBeforeZeroCountToo) {
  BusySpans spans;
  spans.Add(-5, -1);

  EXPECT_DOUBLE_EQ(spans.BusyBefore(0), 4);
  EXPECT_DOUBLE_EQ(spans.Advance(-6, 2, 2), -3);
}

TEST(BusySpansTest, OverlapsAndNeighboursCountOnce) {
  BusySpans spans;
  spans.Add(0, 2);
  spans.Add(2, 3);
  spans.Add(1, 5);
  spans.Add(4, 4.5);

  EXPECT_DOUBLE_EQ(spans.BusyBefore(10), 5);
}

TEST(BusySpansTest, LateSpanJoinsAllThatItCovers) {
  BusySpans spans = TwoSpans();
  spans.Add(12, 13);
  spans.Add(3, 12);

  EXPECT_DOUBLE_EQ(spans.BusyBefore(100), 11);
  EXPECT_DOUBLE_EQ(spans.Advance(2, 5.5, 2), 13);
}

TEST(BusySpansTest, ClearForgetsAll) {
  BusySpans spans = TwoSpans();
  EXPECT_FALSE(spans.empty());

  spans.Clear();

  EXPECT_TRUE(spans.empty());
  EXPECT_DOUBLE_EQ(spans.BusyBefore(100), 0);
}

TEST(BusySpansTest, RandomSpansMatchACountOfCells) {
  constexpr size_t kCells = 40;
  std::mt19937_64 random(1);
  for (int round = 0; round < 1'000; ++round) {
    BusySpans spans;
    std::array<bool, kCells> busy = {};
    for (int i = 0; i < 8; ++i) {
      const size_t begin = random() % (kCells - 1);
      const size_t end =
          begin + 1 + random() % std::min<size_t>(8, kCells - begin - 1);
      spans.Add(static_cast<double>(begin), static_cast<double>(end));
      std::fill(busy.begin() + static_cast<std::ptrdiff_t>(begin),
                busy.begin() + static_cast<std::ptrdiff_t>(end), true);
    }
    // Work that is done by the end of each cell.
    double work = 0;
    double busy_before = 0;
    for (size_t cell = 0; cell < kCells; ++cell) {
      work += busy[cell] ? 0.5 : 1;
      busy_before += busy[cell] ? 1 : 0;
      const auto end = static_cast<double>(cell + 1);
      ASSERT_DOUBLE_EQ(spans.Advance(0, work, 2), end) << "round " << round;
      ASSERT_DOUBLE_EQ(spans.BusyBefore(end), busy_before) << "round " << round;
    }
  }
}

}  // namespace
}  // namespace balancemoe
