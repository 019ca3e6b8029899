#include <random>
#include <thread>

#include "tests/fixtures/status_matchers.h"
#include "worker/transport/testing/conformance.h"

namespace balancemoe::worker {
namespace {

using Bytes = std::vector<std::byte>;

constexpr uint64_t kSeed = 20260202;

// Messages of one worker and what it must have received at the end.
struct Exchange {
  std::vector<Bytes> buffers;
  std::vector<Bytes> expected;
  std::vector<Transfer> transfers;
};

// Every rank sends `messages` messages to every other rank, with sizes drawn
// from `seed`, in an order of peers that differs from rank to rank.
Exchange AllPairs(int32_t self, int32_t world_size, uint64_t messages,
                  uint64_t seed) {
  const auto& sizes = ConformanceSizes();
  Exchange exchange;
  // Spans point into the buffers, which must therefore never move.
  exchange.buffers.reserve(2 * messages * world_size);
  for (uint64_t number = 0; number < messages; ++number) {
    for (int32_t step = 1; step < world_size; ++step) {
      const int32_t peer = (self + step) % world_size;
      const auto bytes = [&](int32_t from, int32_t to) {
        std::mt19937_64 random(seed + number * 4096 + from * 64 + to);
        return sizes[random() % sizes.size()];
      };
      const size_t out = bytes(self, peer);
      const size_t in = bytes(peer, self);
      exchange.buffers.push_back(Pattern(out, self, peer, number));
      exchange.expected.push_back(exchange.buffers.back());
      exchange.transfers.push_back(SendTo(peer, exchange.buffers.back()));
      exchange.buffers.push_back(Bytes(in));
      exchange.expected.push_back(Pattern(in, peer, self, number));
      exchange.transfers.push_back(ReceiveFrom(peer, exchange.buffers.back()));
    }
  }
  return exchange;
}

void RunAndCheck(Transport& transport, Exchange& exchange) {
  auto batch = transport.StartTransfers(exchange.transfers);
  ASSERT_THAT(batch, IsOk());
  for (size_t i = 0; i < exchange.transfers.size(); ++i) {
    ASSERT_THAT((*batch)->Wait(i, {}), IsOk());
    EXPECT_TRUE((*batch)->Done(i));
    EXPECT_EQ(exchange.buffers[i], exchange.expected[i]) << "transfer " << i;
  }
}

TEST_P(TransportConformanceTest, TransfersOfAnySizeArriveBetweenAllPairs) {
  OnAllRanks([&](Transport& transport) {
    Exchange exchange =
        AllPairs(transport.rank().value(), world_size(), 5, kSeed);
    RunAndCheck(transport, exchange);
  });
}

TEST_P(TransportConformanceTest, BatchesMayBeUnderWayTogether) {
  OnAllRanks([&](Transport& transport) {
    const int32_t self = transport.rank().value();
    std::vector<Exchange> exchanges;
    std::vector<std::unique_ptr<TransferBatch>> batches;
    for (uint64_t seed = kSeed; seed < kSeed + 4; ++seed) {
      exchanges.push_back(AllPairs(self, world_size(), 2, seed));
      auto batch = transport.StartTransfers(exchanges.back().transfers);
      ASSERT_THAT(batch, IsOk());
      batches.push_back(*std::move(batch));
    }
    for (size_t b = batches.size(); b-- > 0;) {
      for (size_t i = 0; i < exchanges[b].transfers.size(); ++i) {
        EXPECT_THAT(batches[b]->Wait(i, {}), IsOk());
      }
      EXPECT_EQ(exchanges[b].buffers, exchanges[b].expected);
    }
  });
}

TEST_P(TransportConformanceTest, NthSendMeetsNthReceive) {
  if (world_size() < 2) GTEST_SKIP() << "needs a peer";
  OnAllRanks([&](Transport& transport) {
    const int32_t self = transport.rank().value();
    if (self > 1) return;
    for (uint64_t number = 0; number < 200; ++number) {
      Bytes bytes = self == 0 ? Pattern(100, 0, 1, number) : Bytes(100);
      const Transfer transfer =
          self == 0 ? SendTo(1, bytes) : ReceiveFrom(0, bytes);
      auto batch = transport.StartTransfers({transfer});
      ASSERT_THAT(batch, IsOk());
      ASSERT_THAT((*batch)->Wait(0, {}), IsOk());
      EXPECT_EQ(bytes, Pattern(100, 0, 1, number));
    }
  });
}

TEST_P(TransportConformanceTest, TransfersEndWithoutAnybodyWaiting) {
  OnAllRanks([&](Transport& transport) {
    Exchange exchange =
        AllPairs(transport.rank().value(), world_size(), 2, kSeed);
    auto batch = transport.StartTransfers(exchange.transfers);
    ASSERT_THAT(batch, IsOk());
    for (size_t i = 0; i < exchange.transfers.size(); ++i) {
      EXPECT_TRUE(Eventually([&] { return (*batch)->Done(i); }));
      EXPECT_GT((*batch)->Elapsed(i), absl::ZeroDuration());
    }
    EXPECT_EQ(exchange.buffers, exchange.expected);
  });
}

TEST_P(TransportConformanceTest, TransferIsNotDoneBeforeItsPeerStarts) {
  if (world_size() < 2) GTEST_SKIP() << "needs a peer";
  OnAllRanks([&](Transport& transport) {
    Bytes bytes(1000);
    std::unique_ptr<TransferBatch> batch;
    if (transport.rank() == WorkerRank(0)) {
      auto started = transport.StartTransfers({ReceiveFrom(1, bytes)});
      ASSERT_THAT(started, IsOk());
      batch = *std::move(started);
      EXPECT_FALSE(batch->Done(0));
      EXPECT_EQ(batch->Elapsed(0), absl::ZeroDuration());
    }
    ASSERT_THAT(transport.Barrier(), IsOk());
    if (transport.rank() == WorkerRank(1)) {
      auto started = transport.StartTransfers({SendTo(0, bytes)});
      ASSERT_THAT(started, IsOk());
      batch = *std::move(started);
    }
    if (batch != nullptr) EXPECT_THAT(batch->Wait(0, {}), IsOk());
  });
}

TEST_P(TransportConformanceTest, TransfersRunBesideCollectives) {
  OnAllRanks([&](Transport& transport) {
    const int32_t self = transport.rank().value();
    std::thread beside([&] {
      for (uint64_t seed = kSeed; seed < kSeed + 8; ++seed) {
        Exchange exchange = AllPairs(self, world_size(), 2, seed);
        RunAndCheck(transport, exchange);
      }
    });
    for (uint64_t number = 0; number < 60; ++number) {
      const size_t bytes = 1 + number * 997;
      const Bytes mine = Pattern(bytes, self, 0, number);
      Bytes all(bytes * world_size());
      EXPECT_THAT(transport.AllGather(mine, absl::MakeSpan(all), {}), IsOk());
      for (int32_t rank = 0; rank < world_size(); ++rank) {
        const Bytes theirs(all.begin() + rank * bytes,
                           all.begin() + (rank + 1) * bytes);
        EXPECT_EQ(theirs, Pattern(bytes, rank, 0, number));
      }
    }
    beside.join();
  });
}

TEST_P(TransportConformanceTest, ABatchMayBeEmptyAndWaitsWhenDestroyed) {
  OnAllRanks([&](Transport& transport) {
    EXPECT_THAT(transport.StartTransfers({}), IsOk());
    Exchange exchange =
        AllPairs(transport.rank().value(), world_size(), 2, kSeed);
    EXPECT_THAT(transport.StartTransfers(exchange.transfers), IsOk());
    EXPECT_EQ(exchange.buffers, exchange.expected);
  });
}

TEST_P(TransportConformanceTest, OtherLengthsAreDataLossAndTheGroupLivesOn) {
  if (world_size() < 2) GTEST_SKIP() << "needs a peer";
  OnAllRanks([&](Transport& transport) {
    const int32_t self = transport.rank().value();
    const auto& sizes = ConformanceSizes();
    for (size_t i = 0; i + 1 < sizes.size() && self < 2; ++i) {
      // Longer than expected, then shorter.
      const size_t sent = i % 2 == 0 ? sizes[i + 1] : sizes[i];
      const size_t wanted = i % 2 == 0 ? sizes[i] : sizes[i + 1];
      Bytes bytes(self == 0 ? sent : wanted);
      auto batch = transport.StartTransfers(
          {self == 0 ? SendTo(1, bytes) : ReceiveFrom(0, bytes)});
      ASSERT_THAT(batch, IsOk());
      EXPECT_THAT((*batch)->Wait(0, {}),
                  HasCode(self == 0 ? absl::StatusCode::kOk
                                    : absl::StatusCode::kDataLoss));
    }
    ASSERT_THAT(transport.Barrier(), IsOk());
    Exchange exchange = AllPairs(self, world_size(), 2, kSeed);
    RunAndCheck(transport, exchange);
  });
}

TEST_P(TransportConformanceTest, RefusesTransfersWithNobody) {
  OnAllRanks([&](Transport& transport) {
    Bytes bytes(4);
    const int32_t self = transport.rank().value();
    for (const int32_t peer : {-1, self, world_size()}) {
      EXPECT_THAT(transport.StartTransfers({SendTo(peer, bytes)}),
                  HasCode(absl::StatusCode::kInvalidArgument));
    }
  });
}

}  // namespace
}  // namespace balancemoe::worker
