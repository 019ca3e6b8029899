#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>

#include "tests/fixtures/status_matchers.h"
#include "worker/transport/testing/conformance.h"

namespace balancemoe::worker {
namespace {

using Bytes = std::vector<std::byte>;

constexpr uint64_t kSeed = 20260101;

// Values over many magnitudes, so that another order of summing shows.
std::vector<float> Floats(size_t count, int32_t rank) {
  std::mt19937_64 random(kSeed + static_cast<uint64_t>(rank));
  std::normal_distribution<float> mantissa;
  std::uniform_int_distribution<int> exponent(-12, 12);
  std::vector<float> values(count);
  for (float& value : values) {
    value = std::ldexp(mantissa(random), exponent(random));
  }
  return values;
}

std::vector<float> SumInRankOrder(size_t count, int32_t world_size) {
  std::vector<float> sum = Floats(count, 0);
  for (int32_t rank = 1; rank < world_size; ++rank) {
    const std::vector<float> addend = Floats(count, rank);
    for (size_t i = 0; i < count; ++i) sum[i] += addend[i];
  }
  return sum;
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() &&
         (a.empty() ||
          std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

size_t Total(const std::vector<size_t>& bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), size_t{0});
}

void Append(Bytes& bytes, const Bytes& more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

// Runs an all-to-all with the given sizes, [from][to], and checks every byte.
void CheckAllToAll(Transport& transport,
                   const std::vector<std::vector<size_t>>& sizes,
                   uint64_t number) {
  const int32_t self = transport.rank().value();
  std::vector<size_t> receive_bytes;
  Bytes send;
  Bytes expected;
  for (int32_t peer = 0; peer < transport.world_size(); ++peer) {
    const size_t to_peer = sizes[self][peer];
    const size_t from_peer = sizes[peer][self];
    receive_bytes.push_back(from_peer);
    Append(send, Pattern(to_peer, self, peer, number));
    Append(expected, Pattern(from_peer, peer, self, number));
  }
  Bytes received(Total(receive_bytes));
  ASSERT_THAT(transport.AllToAllV(send, sizes[self], absl::MakeSpan(received),
                                  receive_bytes, {}),
              IsOk());
  EXPECT_EQ(received, expected);
}

std::vector<std::vector<size_t>> RandomSizes(std::mt19937_64& random,
                                             int32_t world_size) {
  const auto& sizes = ConformanceSizes();
  std::vector<std::vector<size_t>> chosen(world_size,
                                          std::vector<size_t>(world_size));
  for (auto& row : chosen) {
    for (size_t& bytes : row) bytes = sizes[random() % (sizes.size() - 1)];
  }
  return chosen;
}

TEST_P(TransportConformanceTest, KnowsItsPlaceInTheGroup) {
  OnAllRanks([&](Transport& transport) {
    EXPECT_EQ(transport.world_size(), world_size());
    EXPECT_LT(transport.rank().value(), world_size());
    EXPECT_EQ(transport.generation(), Generation(1));
  });
}

TEST_P(TransportConformanceTest, AllGatherPutsBlocksInRankOrder) {
  OnAllRanks([&](Transport& transport) {
    for (const size_t bytes : ConformanceSizes()) {
      const Bytes mine = Pattern(bytes, transport.rank().value(), 0);
      Bytes expected;
      for (int32_t rank = 0; rank < world_size(); ++rank) {
        Append(expected, Pattern(bytes, rank, 0));
      }
      Bytes all(expected.size());
      ASSERT_THAT(transport.AllGather(mine, absl::MakeSpan(all), {}), IsOk());
      EXPECT_EQ(all, expected) << bytes << " bytes";
    }
  });
}

TEST_P(TransportConformanceTest, AllToAllDeliversBlocksOfAnySize) {
  OnAllRanks([&](Transport& transport) {
    std::mt19937_64 random(kSeed);
    for (uint64_t number = 0; number < 20; ++number) {
      CheckAllToAll(transport, RandomSizes(random, world_size()), number);
    }
  });
}

TEST_P(TransportConformanceTest, AllToAllOfNothingReturns) {
  OnAllRanks([&](Transport& transport) {
    const std::vector<std::vector<size_t>> nothing(
        world_size(), std::vector<size_t>(world_size()));
    CheckAllToAll(transport, nothing, 0);
  });
}

TEST_P(TransportConformanceTest, AllReduceSumsInRankOrderOnEveryRank) {
  OnAllRanks([&](Transport& transport) {
    for (const size_t count : {0, 1, 3, 1000, 16384, 16385, 700001}) {
      std::vector<float> values = Floats(count, transport.rank().value());
      ASSERT_THAT(transport.AllReduceSum(absl::MakeSpan(values), {}), IsOk());
      EXPECT_TRUE(SameBits(values, SumInRankOrder(count, world_size())))
          << count << " values";
    }
  });
}

TEST_P(TransportConformanceTest, BroadcastDeliversFromEveryRoot) {
  OnAllRanks([&](Transport& transport) {
    for (int32_t root = 0; root < world_size(); ++root) {
      for (const size_t bytes : {0, 1, 4065, 1000003}) {
        const Bytes expected = Pattern(bytes, root, 0);
        Bytes received = transport.rank().value() == root
                             ? expected
                             : Bytes(static_cast<size_t>(bytes));
        ASSERT_THAT(
            transport.Broadcast(absl::MakeSpan(received), WorkerRank(root), {}),
            IsOk());
        EXPECT_EQ(received, expected);
      }
    }
  });
}

TEST_P(TransportConformanceTest, BarrierReturnsOnlyWhenAllRanksCame) {
  std::atomic<int32_t> came = 0;
  OnAllRanks([&](Transport& transport) {
    for (int32_t round = 1; round <= 50; ++round) {
      ++came;
      ASSERT_THAT(transport.Barrier(), IsOk());
      EXPECT_GE(came, round * world_size());
    }
  });
}

TEST_P(TransportConformanceTest, CollectivesMixInAnyOrder) {
  OnAllRanks([&](Transport& transport) {
    std::mt19937_64 random(kSeed);
    for (uint64_t number = 0; number < 60; ++number) {
      switch (random() % 3) {
        case 0:
          CheckAllToAll(transport, RandomSizes(random, world_size()), number);
          break;
        case 1: {
          std::vector<float> values =
              Floats(random() % 5000, transport.rank().value());
          const auto expected = SumInRankOrder(values.size(), world_size());
          ASSERT_THAT(transport.AllReduceSum(absl::MakeSpan(values), {}),
                      IsOk());
          EXPECT_TRUE(SameBits(values, expected));
          break;
        }
        default:
          ASSERT_THAT(transport.Barrier(), IsOk());
      }
    }
  });
}

TEST_P(TransportConformanceTest, RefusesCollectivesThatMakeNoSense) {
  OnAllRanks([&](Transport& transport) {
    Bytes bytes(4);
    Bytes wrong(4 * world_size() + 1);
    const std::vector<size_t> sizes(world_size() + 1, 0);

    EXPECT_THAT(transport.AllGather(bytes, absl::MakeSpan(wrong), {}),
                HasCode(absl::StatusCode::kInvalidArgument));
    EXPECT_THAT(
        transport.AllToAllV({}, sizes, absl::Span<std::byte>(), sizes, {}),
        HasCode(absl::StatusCode::kInvalidArgument));
    EXPECT_THAT(transport.Broadcast(absl::MakeSpan(bytes),
                                    WorkerRank(world_size()), {}),
                HasCode(absl::StatusCode::kInvalidArgument));
    EXPECT_THAT(transport.Barrier(), IsOk());
  });
}

}  // namespace
}  // namespace balancemoe::worker
