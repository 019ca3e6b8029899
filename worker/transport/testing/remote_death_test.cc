#include <gmock/gmock.h>

#include <barrier>
#include <thread>

#include "tests/fixtures/status_matchers.h"
#include "worker/transport/testing/remote_death.h"

namespace balancemoe::worker {

using ::testing::HasSubstr;

using Bytes = std::vector<std::byte>;

// A second on a quiet machine. What it must not be is the operation time-out,
// which is minutes.
constexpr absl::Duration kSoon = absl::Seconds(5);
// Starting a process on a GPU takes seconds.
constexpr absl::Duration kConnectTimeout = absl::Seconds(15);

std::string RemotePoolName(
    const ::testing::TestParamInfo<RemotePoolUnderTest>& pool) {
  return pool.param.name;
}

RemoteDeathTest::RemoteDeathTest()
    : factory_(RemoteFactory(GetParam().pool())), transports_(kRanks) {}

RemoteDeathTest::~RemoteDeathTest() {
  OnRanks(kRanks, [&](int32_t self) { transports_[self] = nullptr; });
}

void RemoteDeathTest::Form(int32_t rank, Generation generation) {
  auto transport = factory_({.rank = WorkerRank(rank),
                             .world_size = kRanks,
                             .generation = generation,
                             .connect_timeout = kConnectTimeout},
                            unused_);
  ASSERT_THAT(transport, IsOk());
  transports_[rank] = *std::move(transport);
}

void RemoteDeathTest::OnRanks(int32_t count,
                              const std::function<void(int32_t)>& body) {
  std::vector<std::thread> threads;
  for (int32_t rank = 0; rank < count; ++rank) threads.emplace_back(body, rank);
  for (std::thread& thread : threads) thread.join();
}

void RemoteDeathTest::FormAll(Generation generation) {
  OnRanks(kRanks, [&](int32_t rank) { Form(rank, generation); });
  for (const auto& transport : transports_) ASSERT_NE(transport, nullptr);
}

void RemoteDeathTest::KillVictim() {
  killed_ = clock_.Now();
  static_cast<RemoteTransport&>(*transports_[kVictim]).process().Kill();
}

void RemoteDeathTest::ExpectVictimNamed(const absl::Status& status) {
  EXPECT_LT(clock_.Now() - killed_, kSoon);
  EXPECT_THAT(status,
              IsStatus(absl::StatusCode::kUnavailable, HasSubstr("worker 2")));
}

void RemoteDeathTest::ReplaceAndGoOn() {
  const Generation next(2);
  transports_[kVictim] = nullptr;
  OnRanks(kRanks, [&](int32_t self) {
    if (self == kVictim) {
      Form(self, next);
    } else {
      EXPECT_THAT(rank(self).Rebuild(next), IsOk());
    }
    if (transports_[self] == nullptr) return;
    const Bytes mine(100000, static_cast<std::byte>(self + 1));
    Bytes all(mine.size() * kRanks);
    EXPECT_THAT(rank(self).AllGather(mine, absl::MakeSpan(all), {}), IsOk());
    EXPECT_EQ(all[0], std::byte{1});
    EXPECT_EQ(all.back(), std::byte{kRanks});
  });
}

namespace {

TEST_P(RemoteDeathTest, IsToldToWhoWaitsInABarrier) {
  ASSERT_NO_FATAL_FAILURE(FormAll(Generation(1)));
  std::barrier survivors_begin(kVictim + 1);
  std::thread killer([&] {
    survivors_begin.arrive_and_wait();
    KillVictim();
  });

  OnRanks(kVictim, [&](int32_t self) {
    survivors_begin.arrive_and_wait();
    ExpectVictimNamed(rank(self).Barrier());
  });

  killer.join();
  ReplaceAndGoOn();
}

TEST_P(RemoteDeathTest, IsToldToWhoGathersBytes) {
  ASSERT_NO_FATAL_FAILURE(FormAll(Generation(1)));
  std::barrier all_gathered_once(kRanks);
  OnRanks(kRanks, [&](int32_t self) {
    const Bytes mine(4 << 20);
    Bytes all(mine.size() * kRanks);
    absl::Status status = rank(self).AllGather(mine, absl::MakeSpan(all), {});
    EXPECT_THAT(status, IsOk());
    all_gathered_once.arrive_and_wait();
    if (self == kVictim) return KillVictim();
    while (status.ok()) {
      status = rank(self).AllGather(mine, absl::MakeSpan(all), {});
    }
    ExpectVictimNamed(status);
  });
  ReplaceAndGoOn();
}

TEST_P(RemoteDeathTest, IsToldToWhoHasTransfersUnderWay) {
  ASSERT_NO_FATAL_FAILURE(FormAll(Generation(1)));
  std::barrier transfers_started(kRanks);
  OnRanks(kRanks, [&](int32_t self) {
    Bytes bytes(8 << 20);
    // Rank 0 is about to receive, rank 1 waits for what nobody sends.
    const int32_t peer = self == kVictim ? 0 : kVictim;
    auto batch = rank(self).StartTransfers(
        {{self == kVictim ? Transfer::Direction::kSend
                          : Transfer::Direction::kReceive,
          WorkerRank(peer), absl::MakeSpan(bytes)}});
    EXPECT_THAT(batch, IsOk());
    transfers_started.arrive_and_wait();
    if (self == kVictim) return KillVictim();
    if (!batch.ok()) return;
    const absl::Status status = (*batch)->Wait(0, {});
    if (self == 1) ExpectVictimNamed(status);
  });
  ReplaceAndGoOn();
}

}  // namespace
}  // namespace balancemoe::worker
