#include "common/statistics.h"

#include <gtest/gtest.h>

namespace balancemoe {
namespace {

TEST(StatisticsTest, NothingHasNoValue) {
  EXPECT_EQ(Mean({}), 0);
  EXPECT_EQ(Quantile({}, 0.5), 0);
  EXPECT_EQ(Median({}), 0);
}

TEST(StatisticsTest, MedianStandsInTheMiddle) {
  EXPECT_EQ(Median({5, 1, 3}), 3);
  EXPECT_EQ(Median({4, 1, 3, 9}), 3.5);
}

TEST(StatisticsTest, QuantileIsOneOfTheValues) {
  const std::vector<double> values = {8, 1, 3, 2, 9, 7, 6, 5};

  EXPECT_EQ(Quantile(values, 0), 1);
  EXPECT_EQ(Quantile(values, 0.25), 2);
  EXPECT_EQ(Quantile(values, 0.26), 3);
  EXPECT_EQ(Quantile(values, 1), 9);
  EXPECT_EQ(Mean(values), 5.125);
}

}  // namespace
}  // namespace balancemoe
