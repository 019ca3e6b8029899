#include "worker/agent/reconnect_backoff.h"

#include <gtest/gtest.h>

#include "absl/time/time.h"

namespace balancemoe::worker {
namespace {

TEST(ReconnectBackoffTest, DoublesFrom50MillisecondsTo2SecondsLessUpToHalf) {
  ReconnectBackoff backoff(/*seed=*/1);
  for (const int full_ms : {50, 100, 200, 400, 800, 1600, 2000, 2000, 2000}) {
    const absl::Duration wait = backoff.Next();
    EXPECT_LE(wait, absl::Milliseconds(full_ms));
    EXPECT_GE(wait, absl::Milliseconds(full_ms) / 2);
  }
}

TEST(ReconnectBackoffTest, ResetStartsOver) {
  ReconnectBackoff backoff(/*seed=*/1);
  for (int i = 0; i < 10; ++i) backoff.Next();
  backoff.Reset();

  EXPECT_LE(backoff.Next(), absl::Milliseconds(50));
}

TEST(ReconnectBackoffTest, SeedDecides) {
  ReconnectBackoff first(/*seed=*/1);
  ReconnectBackoff same(/*seed=*/1);
  ReconnectBackoff other(/*seed=*/2);

  const absl::Duration wait = first.Next();
  EXPECT_EQ(wait, same.Next());
  EXPECT_NE(wait, other.Next());
}

}  // namespace
}  // namespace balancemoe::worker
