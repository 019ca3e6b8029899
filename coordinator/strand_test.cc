#include "coordinator/strand.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace balancemoe::coordinator {
namespace {

using ::testing::ElementsAre;

TEST(StrandTest, TaskHasRunWhenPostReturns) {
  Strand strand;
  bool ran = false;
  strand.Post([&] { ran = true; });

  EXPECT_TRUE(ran);
}

TEST(StrandTest, TaskPostedByATaskRunsAfterIt) {
  Strand strand;
  std::vector<int> order;
  strand.Post([&] {
    strand.Post([&] { order.push_back(2); });
    order.push_back(1);
  });

  EXPECT_THAT(order, ElementsAre(1, 2));
}

TEST(StrandTest, TasksOfManyThreadsRunOneAtATimeAndInOrder) {
  constexpr int kThreads = 4;
  constexpr int kTasks = 2000;
  Strand strand;
  // Not atomic: the strand is what protects them.
  std::vector<std::vector<int>> order(kThreads);
  int total = 0;
  std::atomic<int> left = kThreads * kTasks;

  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kTasks; ++i) {
        strand.Post([&, t, i] {
          order[static_cast<size_t>(t)].push_back(i);
          ++total;
          --left;
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(left, 0);
  EXPECT_EQ(total, kThreads * kTasks);
  for (const std::vector<int>& one : order) {
    ASSERT_EQ(one.size(), static_cast<size_t>(kTasks));
    EXPECT_TRUE(std::is_sorted(one.begin(), one.end()));
  }
}

}  // namespace
}  // namespace balancemoe::coordinator
