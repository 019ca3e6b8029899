#include "common/mutex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <thread>
#include <vector>

namespace balancemoe {
namespace {

TEST(MutexTest, OneThreadAtATimeHoldsIt) {
  Mutex mutex;
  int64_t counter = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 10'000; ++round) {
        MutexLock lock(&mutex);
        ++counter;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(counter, 40'000);
}

TEST(CondVarTest, WaiterSeesWhatWasSetBeforeTheNotice) {
  Mutex mutex;
  CondVar changed;
  bool ready = false;
  int seen = 0;
  std::thread waiter([&] {
    MutexLock lock(&mutex);
    while (!ready) changed.Wait(&mutex);
    seen = 1;
  });
  {
    MutexLock lock(&mutex);
    ready = true;
  }
  changed.NotifyOne();
  waiter.join();

  EXPECT_EQ(seen, 1);
}

TEST(CondVarTest, OneNoticeToAllWakesAll) {
  Mutex mutex;
  CondVar changed;
  bool ready = false;
  int woken = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      MutexLock lock(&mutex);
      while (!ready) changed.Wait(&mutex);
      ++woken;
    });
  }
  {
    MutexLock lock(&mutex);
    ready = true;
  }
  changed.NotifyAll();
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(woken, 3);
}

TEST(CondVarTest, TimeoutThatHasPassedReturnsFalseWithTheMutexHeld) {
  Mutex mutex;
  CondVar changed;
  MutexLock lock(&mutex);

  // Nobody notifies; the loop is for spurious wake-ups.
  while (changed.WaitFor(&mutex, -absl::Seconds(1))) {
  }
}

TEST(CondVarTest, EndlessTimeoutWaitsForTheNotice) {
  Mutex mutex;
  CondVar changed;
  bool ready = false;
  std::thread notifier([&] {
    MutexLock lock(&mutex);
    ready = true;
    changed.NotifyAll();
  });
  {
    MutexLock lock(&mutex);
    while (!ready) {
      EXPECT_TRUE(changed.WaitFor(&mutex, absl::InfiniteDuration()));
    }
  }
  notifier.join();
}

}  // namespace
}  // namespace balancemoe
