#include "coordinator/cluster/rendezvous_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr RendezvousKeys::Limits kLimits = {.names = 2,
                                            .name_bytes = 8,
                                            .value_bytes = 4,
                                            .total_bytes = 6,
                                            .waiters = 2};

TEST(RendezvousKeysTest, ValueIsThereForWhoAsksLater) {
  RendezvousKeys keys(kLimits, 2);

  EXPECT_THAT(*keys.Put("a", "1"), IsEmpty());
  EXPECT_EQ(*keys.Get("a", WaiterId(1)), "1");
}

TEST(RendezvousKeysTest, PutWakesWhoWaitedForThatKeyOnly) {
  RendezvousKeys keys(kLimits, 2);
  EXPECT_EQ(*keys.Get("a", WaiterId(1)), std::nullopt);
  EXPECT_EQ(*keys.Get("b", WaiterId(2)), std::nullopt);

  EXPECT_THAT(*keys.Put("a", "1"), ElementsAre(WaiterId(1)));
}

TEST(RendezvousKeysTest, LaterValueTakesThePlaceOfTheEarlier) {
  RendezvousKeys keys(kLimits, 2);
  ASSERT_THAT(keys.Put("a", "1111"), IsOk());

  // Would be over the total if the first still counted.
  EXPECT_THAT(keys.Put("a", "2222"), IsOk());
  EXPECT_EQ(*keys.Get("a", WaiterId(1)), "2222");
}

TEST(RendezvousKeysTest, BarrierOpensWhenTheLastRankComesAndStaysOpen) {
  RendezvousKeys keys(kLimits, 2);

  EXPECT_THAT(*keys.Barrier("b", WorkerRank(0), WaiterId(1)), IsEmpty());
  // The same rank, once more: its first call was cut off.
  EXPECT_THAT(*keys.Barrier("b", WorkerRank(0), WaiterId(2)), IsEmpty());
  keys.Forget(WaiterId(1));
  EXPECT_THAT(*keys.Barrier("b", WorkerRank(1), WaiterId(3)),
              ElementsAre(WaiterId(2), WaiterId(3)));
  EXPECT_THAT(*keys.Barrier("b", WorkerRank(0), WaiterId(4)),
              ElementsAre(WaiterId(4)));
}

TEST(RendezvousKeysTest, EveryLimitIsHeldAndNamed) {
  RendezvousKeys keys(kLimits, 2);
  const auto exhausted = absl::StatusCode::kResourceExhausted;

  EXPECT_THAT(keys.Put("", "1"), HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(keys.Put("a long name", "1"),
              HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(keys.Put("a", "12345"), IsStatus(exhausted, HasSubstr("4")));
  ASSERT_THAT(keys.Put("a", "1234"), IsOk());
  EXPECT_THAT(keys.Put("b", "123"), IsStatus(exhausted, HasSubstr("6")));
  ASSERT_THAT(keys.Put("b", "12"), IsOk());
  EXPECT_THAT(keys.Put("c", ""), IsStatus(exhausted, HasSubstr("2 keys")));
}

TEST(RendezvousKeysTest, WaitersAreLimitedAndAForgottenOneMakesRoom) {
  RendezvousKeys keys(kLimits, 2);
  ASSERT_THAT(keys.Get("a", WaiterId(1)), IsOk());
  ASSERT_THAT(keys.Get("b", WaiterId(2)), IsOk());

  EXPECT_THAT(keys.Get("a", WaiterId(3)),
              HasCode(absl::StatusCode::kResourceExhausted));
  keys.Forget(WaiterId(2));
  EXPECT_THAT(keys.Get("a", WaiterId(3)), IsOk());
}

TEST(RendezvousKeysTest, ClearForgetsEverythingAndTellsWhoWaited) {
  RendezvousKeys keys(kLimits, 2);
  ASSERT_THAT(keys.Put("a", "1"), IsOk());
  ASSERT_THAT(keys.Barrier("b", WorkerRank(0), WaiterId(7)), IsOk());

  EXPECT_THAT(keys.Clear(), ElementsAre(WaiterId(7)));
  EXPECT_EQ(*keys.Get("a", WaiterId(8)), std::nullopt);
}

}  // namespace
}  // namespace balancemoe::coordinator
