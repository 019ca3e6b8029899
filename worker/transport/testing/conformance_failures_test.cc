#include <barrier>
#include <thread>

#include "tests/fixtures/status_matchers.h"
#include "worker/transport/testing/conformance.h"

namespace balancemoe::worker {
namespace {

using ::testing::HasSubstr;

using Bytes = std::vector<std::byte>;

constexpr absl::StatusCode kUnavailable = absl::StatusCode::kUnavailable;

TEST_P(TransportConformanceTest, MissingRankIsNamedWhenTheGroupDoesNotForm) {
  if (world_size() < 2) GTEST_SKIP() << "nobody can be missing";
  const int32_t missing = world_size() - 1;
  std::vector<std::thread> ranks;
  for (int32_t rank = 0; rank < missing; ++rank) {
    ranks.emplace_back([this, rank, missing] {
      GroupOptions options = Options(rank);
      options.connect_timeout = absl::Milliseconds(200);
      EXPECT_THAT(Make(options).status().message(),
                  HasSubstr(std::to_string(missing)));
    });
  }
  for (std::thread& rank : ranks) rank.join();
}

TEST_P(TransportConformanceTest, RefusesAGroupThatMakesNoSense) {
  EXPECT_THAT(Make(Options(world_size())),
              HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Make(Options(-1)), HasCode(absl::StatusCode::kInvalidArgument));
}

TEST_P(TransportConformanceTest, AbortEndsEverybodyWithItsReason) {
  if (world_size() < 2) GTEST_SKIP() << "needs a peer";
  OnAllRanks([&](Transport& transport) {
    const int32_t self = transport.rank().value();
    if (self == 0) {
      transport.Abort(absl::InternalError("disk full on gpu-0"));
      EXPECT_THAT(transport.Barrier(),
                  IsStatus(kUnavailable, HasSubstr("disk full on gpu-0")));
      return;
    }
    Bytes bytes(5000);
    auto batch = transport.StartTransfers({ReceiveFrom(0, bytes)});
    EXPECT_THAT(transport.Barrier(),
                IsStatus(kUnavailable, HasSubstr("disk full on gpu-0")));
    EXPECT_THAT(batch.ok() ? (*batch)->Wait(0, {}) : batch.status(),
                IsStatus(kUnavailable, HasSubstr("disk full on gpu-0")));
    EXPECT_THAT(transport.StartTransfers({}), HasCode(kUnavailable));
  });
}

TEST_P(TransportConformanceTest, ASilentPeerEndsTheGroupInTheEnd) {
  if (world_size() < 2) GTEST_SKIP() << "needs a peer";
  std::barrier all_failed(world_size());
  std::vector<std::thread> ranks;
  for (int32_t rank = 0; rank < world_size(); ++rank) {
    ranks.emplace_back([&, rank] {
      GroupOptions options = Options(rank);
      options.operation_timeout = absl::Milliseconds(100);
      auto transport = Make(options);
      EXPECT_THAT(transport, IsOk());
      if (transport.ok() && rank != 0) {
        EXPECT_THAT((*transport)->Barrier(),
                    IsStatus(kUnavailable, HasSubstr("100ms")));
      }
      all_failed.arrive_and_wait();
    });
  }
  for (std::thread& rank : ranks) rank.join();
}

TEST_P(TransportConformanceTest, CollectivesThatDifferEndTheGroup) {
  if (world_size() < 2) GTEST_SKIP() << "needs a peer";
  OnAllRanks([&](Transport& transport) {
    // The last rank brings one byte more than the others expect.
    const bool odd = transport.rank().value() == world_size() - 1;
    for (const size_t bytes : {100, 100000}) {
      const Bytes mine(bytes + (odd ? 1 : 0));
      Bytes all(mine.size() * world_size());
      const absl::Status status =
          transport.AllGather(mine, absl::MakeSpan(all), {});
      EXPECT_TRUE(absl::IsDataLoss(status) || absl::IsUnavailable(status))
          << status;
      EXPECT_THAT(transport.Barrier(), HasCode(kUnavailable));
      if (bytes == 100) {
        ASSERT_THAT(transport.Rebuild(Generation(2)), IsOk());
      }
    }
  });
}

TEST_P(TransportConformanceTest, RebuildsAfterAnAbort) {
  // An abort overtakes what is under way, so it waits until all have checked.
  std::barrier all_checked(world_size());
  OnAllRanks([&](Transport& transport) {
    for (uint64_t next = 2; next < 6; ++next) {
      all_checked.arrive_and_wait();
      if (transport.rank().value() == 0) {
        transport.Abort(absl::CancelledError("test"));
      }
      while (transport.Barrier().ok()) {
      }
      EXPECT_THAT(transport.Rebuild(Generation(next)), IsOk());
      EXPECT_EQ(transport.generation(), Generation(next));
      const Bytes mine = Pattern(10000, transport.rank().value(), 0, next);
      Bytes all(mine.size() * world_size());
      EXPECT_THAT(transport.AllGather(mine, absl::MakeSpan(all), {}), IsOk());
      const Bytes last(all.end() - static_cast<ptrdiff_t>(mine.size()),
                       all.end());
      EXPECT_EQ(last, Pattern(10000, world_size() - 1, 0, next));
    }
  });
}

TEST_P(TransportConformanceTest, RebuildsWithoutAnAbortToo) {
  OnAllRanks([&](Transport& transport) {
    ASSERT_THAT(transport.Barrier(), IsOk());
    ASSERT_THAT(transport.Rebuild(Generation(7)), IsOk());
    EXPECT_THAT(transport.Barrier(), IsOk());
    EXPECT_THAT(transport.Rebuild(Generation(7)),
                HasCode(absl::StatusCode::kInvalidArgument));
    EXPECT_THAT(transport.Barrier(), IsOk());
  });
}

TEST_P(TransportConformanceTest, ARankThatLeavesIsNamed) {
  if (world_size() < 2) GTEST_SKIP() << "needs a peer";
  OnAllRanksOwning([&](std::unique_ptr<Transport> transport) {
    ASSERT_THAT(transport->Barrier(), IsOk());
    const int32_t leaver = world_size() - 1;
    if (transport->rank().value() == leaver) return;
    EXPECT_THAT(
        transport->Barrier(),
        IsStatus(kUnavailable, HasSubstr("worker " + std::to_string(leaver))));
  });
}

TEST_P(TransportConformanceTest, WhatWasSentArrivesAfterItsSenderHasLeft) {
  if (world_size() < 2) GTEST_SKIP() << "needs a peer";
  OnAllRanksOwning([&](std::unique_ptr<Transport> transport) {
    const int32_t self = transport->rank().value();
    const int32_t last = world_size() - 1;
    for (uint64_t number = 0; number < 10; ++number) {
      Bytes bytes = Pattern(200000, 0, 0, number);
      if (self != 0) bytes.assign(bytes.size(), std::byte{0});
      ASSERT_THAT(
          transport->Broadcast(absl::MakeSpan(bytes), WorkerRank(0), {}),
          IsOk());
      EXPECT_EQ(bytes, Pattern(200000, 0, 0, number));
    }
    // The last two still talk after all others have gone.
    Bytes bytes = Pattern(1000000, 1, 0);
    if (world_size() > 2 && self == last) {
      auto batch = transport->StartTransfers({SendTo(last - 1, bytes)});
      ASSERT_THAT(batch, IsOk());
      EXPECT_THAT((*batch)->Wait(0, {}), IsOk());
    } else if (world_size() > 2 && self == last - 1) {
      Bytes received(bytes.size());
      auto batch = transport->StartTransfers({ReceiveFrom(last, received)});
      ASSERT_THAT(batch, IsOk());
      EXPECT_THAT((*batch)->Wait(0, {}), IsOk());
      EXPECT_EQ(received, bytes);
    }
  });
}

TEST_P(TransportConformanceTest, DestructionEndsPendingTransfers) {
  if (world_size() < 2) GTEST_SKIP() << "needs a peer";
  OnAllRanksOwning([&](std::unique_ptr<Transport> transport) {
    const int32_t self = transport->rank().value();
    Bytes small(10);
    Bytes big(1 << 20);
    // Nobody sends what these wait for.
    const int32_t peer = (self + 1) % world_size();
    auto batch = transport->StartTransfers(
        {ReceiveFrom(peer, small), ReceiveFrom(peer, big)});
    transport.reset();
    if (!batch.ok()) return;  // A quicker rank has left already.
    EXPECT_THAT((*batch)->Wait(0, {}), HasCode(kUnavailable));
    EXPECT_THAT((*batch)->Wait(1, {}), HasCode(kUnavailable));
  });
}

TEST_P(TransportConformanceTest, ABatchInFlightEndsWhenAnotherThreadAborts) {
  if (world_size() < 2) GTEST_SKIP() << "needs a peer";
  OnAllRanks([&](Transport& transport) {
    Bytes bytes(1 << 20);
    const int32_t peer = (transport.rank().value() + 1) % world_size();
    auto batch = transport.StartTransfers({ReceiveFrom(peer, bytes)});
    std::thread aborter(
        [&] { transport.Abort(absl::CancelledError("enough")); });
    if (batch.ok()) {
      EXPECT_THAT((*batch)->Wait(0, {}),
                  IsStatus(kUnavailable, HasSubstr("enough")));
    }
    aborter.join();
  });
}

}  // namespace
}  // namespace balancemoe::worker
