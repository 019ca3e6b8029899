#include "worker/transport/delayed_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <time.h>

#include <array>
#include <functional>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "tests/fixtures/status_matchers.h"
#include "worker/transport/loopback/loopback_hub.h"
#include "worker/transport/testing/conformance.h"

namespace balancemoe::worker {
namespace {

using Bytes = std::vector<std::byte>;

TransportFactory DelayedLoopback(const LinkDelay& delay,
                                 const DelayedNodes& nodes = {}) {
  // Lives as long as any copy of the factory.
  auto hub = std::make_shared<LoopbackHub>();
  return DelayedFactory(
      [hub](const GroupOptions& group, Rendezvous& rendezvous) {
        return hub->Factory()(group, rendezvous);
      },
      delay, nodes);
}

INSTANTIATE_TEST_SUITE_P(Delayed, TransportConformanceTest,
                         ConformanceCases({"delayed",
                                           [] {
                                             return DelayedLoopback(
                                                 {.latency =
                                                      absl::Microseconds(50),
                                                  .bandwidth_bytes_per_s = 1e9,
                                                  .delay_collectives = true});
                                           }}),
                         ConformanceCaseName);

// 20 ms of latency and 100 ms for each MB.
constexpr LinkDelay kSlow = {.latency = absl::Milliseconds(20),
                             .bandwidth_bytes_per_s = 1e7};
constexpr size_t kMegabyte = 1000000;
constexpr absl::Duration kMegabyteTime = absl::Milliseconds(120);

void OnRanks(int32_t world_size, const LinkDelay& delay,
             const std::function<void(Transport&)>& body,
             const DelayedNodes& nodes = {}) {
  const TransportFactory factory = DelayedLoopback(delay, nodes);
  LocalRendezvous rendezvous;
  std::vector<std::thread> threads;
  for (int32_t rank = 0; rank < world_size; ++rank) {
    threads.emplace_back([&, rank] {
      auto transport = factory(
          {.rank = WorkerRank(rank), .world_size = world_size}, rendezvous);
      ASSERT_THAT(transport, IsOk());
      body(**transport);
      EXPECT_THAT((*transport)->Barrier(), IsOk());
    });
  }
  for (std::thread& thread : threads) thread.join();
}

absl::Duration ThreadCpuTime() {
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return absl::DurationFromTimespec(now);
}

TEST(LinkDelayTest, TimeIsLatencyAndBytesOverBandwidth) {
  EXPECT_EQ(kSlow.TimeOf(kMegabyte), kMegabyteTime);
  EXPECT_EQ(LinkDelay{}.TimeOf(kMegabyte), absl::ZeroDuration());
}

TEST(DelayedTransportTest, ATransferArrivesNoEarlierThanTheLinkAllows) {
  OnRanks(2, kSlow, [](Transport& transport) {
    Bytes bytes(kMegabyte);
    const bool sends = transport.rank().value() == 0;
    auto batch = transport.StartTransfers(
        {sends ? SendTo(1, bytes) : ReceiveFrom(0, bytes)});
    ASSERT_THAT(batch, IsOk());
    EXPECT_FALSE((*batch)->Done(0));
    EXPECT_THAT((*batch)->Wait(0, {}), IsOk());
    EXPECT_TRUE((*batch)->Done(0));
    if (sends) {
      EXPECT_GE((*batch)->Elapsed(0), kMegabyteTime);
    }
  });
}

TEST(DelayedTransportTest, WhatArrivedDuringTheDelayCostsNoMoreWaiting) {
  OnRanks(2, kSlow, [](Transport& transport) {
    Bytes bytes(kMegabyte);
    const bool sends = transport.rank().value() == 0;
    auto batch = transport.StartTransfers(
        {sends ? SendTo(1, bytes) : ReceiveFrom(0, bytes)});
    ASSERT_THAT(batch, IsOk());
    EXPECT_TRUE(Eventually([&] { return (*batch)->Done(0); }));
  });
}

TEST(DelayedTransportTest, TransfersOfASendingLaneQueueUp) {
  OnRanks(3, kSlow, [](Transport& transport) {
    std::array<Bytes, 2> bytes = {Bytes(kMegabyte), Bytes(kMegabyte)};
    const int32_t self = transport.rank().value();
    std::vector<Transfer> transfers = {SendTo(1, bytes[0]),
                                       SendTo(2, bytes[1])};
    if (self != 0) transfers = {ReceiveFrom(0, bytes[0])};
    auto batch = transport.StartTransfers(transfers);
    ASSERT_THAT(batch, IsOk());
    for (size_t i = 0; i < transfers.size(); ++i) {
      ASSERT_THAT((*batch)->Wait(i, {}), IsOk());
    }
    if (self == 0) {
      EXPECT_GE((*batch)->Elapsed(1), 2 * kMegabyteTime);
    }
  });
}

TEST(DelayedTransportTest, TransfersOfAReceivingLaneQueueUp) {
  const SteadyClock clock;
  const absl::Time started = clock.Now();
  OnRanks(3, kSlow, [&](Transport& transport) {
    std::array<Bytes, 2> bytes = {Bytes(kMegabyte), Bytes(kMegabyte)};
    const int32_t self = transport.rank().value();
    std::vector<Transfer> transfers = {ReceiveFrom(1, bytes[0]),
                                       ReceiveFrom(2, bytes[1])};
    if (self != 0) transfers = {SendTo(0, bytes[0])};
    auto batch = transport.StartTransfers(transfers);
    ASSERT_THAT(batch, IsOk());
    for (size_t i = 0; i < transfers.size(); ++i) {
      ASSERT_THAT((*batch)->Wait(i, {}), IsOk());
    }
    if (self == 0) {
      EXPECT_GE(clock.Now() - started, 2 * kMegabyteTime);
    }
  });
}

TEST(DelayedTransportTest, WaitingCostsNoCpu) {
  OnRanks(2, {.latency = absl::Milliseconds(300)}, [](Transport& transport) {
    Bytes bytes(10);
    const bool sends = transport.rank().value() == 0;
    const absl::Duration before = ThreadCpuTime();
    auto batch = transport.StartTransfers(
        {sends ? SendTo(1, bytes) : ReceiveFrom(0, bytes)});
    ASSERT_THAT(batch, IsOk());
    ASSERT_THAT((*batch)->Wait(0, {}), IsOk());
    EXPECT_LT(ThreadCpuTime() - before, absl::Milliseconds(100));
  });
}

TEST(DelayedTransportTest, AnAbortEndsTheWaiting) {
  const TransportFactory factory = DelayedLoopback({.latency = absl::Hours(1)});
  LocalRendezvous rendezvous;
  std::vector<std::thread> threads;
  for (int32_t rank = 0; rank < 2; ++rank) {
    threads.emplace_back([&, rank] {
      auto transport =
          factory({.rank = WorkerRank(rank), .world_size = 2}, rendezvous);
      ASSERT_THAT(transport, IsOk());
      Bytes bytes(10);
      auto batch = (*transport)
                       ->StartTransfers({rank == 0 ? SendTo(1, bytes)
                                                   : ReceiveFrom(0, bytes)});
      ASSERT_THAT(batch, IsOk());
      // All bytes are there; only the delay is left.
      ASSERT_THAT((*transport)->Barrier(), IsOk());
      std::thread aborter(
          [&] { (*transport)->Abort(absl::CancelledError("enough")); });
      EXPECT_THAT((*batch)->Wait(0, {}),
                  IsStatus(absl::StatusCode::kUnavailable,
                           ::testing::HasSubstr("enough")));
      aborter.join();
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(DelayedTransportTest, ExchangesOfTokensHaveALinkOfTheirOwn) {
  const SteadyClock clock;
  LinkDelay delay = {.latency = absl::Milliseconds(20)};
  delay.exchange_seconds_per_byte = 1e-4;
  OnRanks(2, delay, [&](Transport& transport) {
    // Rank 0 sends 1,000 bytes and gets 400; what stays does not count.
    const bool first = transport.rank().value() == 0;
    const std::vector<size_t> send = first ? std::vector<size_t>{5000, 1000}
                                           : std::vector<size_t>{400, 5000};
    const std::vector<size_t> receive = first ? std::vector<size_t>{5000, 400}
                                              : std::vector<size_t>{1000, 5000};
    Bytes out(send[0] + send[1]);
    Bytes in(receive[0] + receive[1]);
    const absl::Time started = clock.Now();
    ASSERT_THAT(transport.AllToAllV(out, send, absl::MakeSpan(in), receive, {}),
                IsOk());
    EXPECT_GE(clock.Now() - started, absl::Milliseconds(120));
    const absl::Time before = clock.Now();
    std::vector<float> values(100000);
    ASSERT_THAT(transport.AllReduceSum(absl::MakeSpan(values), {}), IsOk());
    // 400,000 bytes would take 40 s.
    EXPECT_LT(clock.Now() - before, absl::Seconds(20));
  });
}

// Workers 0 and 1 on one node, 2 on another.
DelayedNodes TwoNodes(const LinkDelay& between) {
  return {.node_of_rank = {0, 0, 1}, .between = between};
}

TEST(DelayedTransportTest, LinksBetweenNodesAreOfTheirOwnKind) {
  const LinkDelay none = {};
  OnRanks(
      3, none,
      [](Transport& transport) {
        std::array<Bytes, 2> bytes = {Bytes(kMegabyte), Bytes(kMegabyte)};
        const int32_t self = transport.rank().value();
        std::vector<Transfer> transfers = {SendTo(2, bytes[0]),
                                           SendTo(1, bytes[1])};
        if (self != 0) transfers = {ReceiveFrom(0, bytes[0])};
        auto batch = transport.StartTransfers(transfers);
        ASSERT_THAT(batch, IsOk());
        if (self == 2) {
          EXPECT_FALSE((*batch)->Done(0));
        }
        for (size_t i = 0; i < transfers.size(); ++i) {
          ASSERT_THAT((*batch)->Wait(i, {}), IsOk());
        }
        if (self != 0) return;
        EXPECT_GE((*batch)->Elapsed(0), kMegabyteTime);
        // Not behind the one on the slow link.
        EXPECT_LT((*batch)->Elapsed(1), (*batch)->Elapsed(0));
      },
      TwoNodes(kSlow));
}

TEST(DelayedTransportTest, AnExchangeTakesAsLongAsItsSlowerKindOfLinks) {
  const SteadyClock clock;
  LinkDelay within = {};
  within.exchange_seconds_per_byte = 1e-9;
  LinkDelay between = {.latency = absl::Milliseconds(20)};
  between.exchange_seconds_per_byte = 1e-4;
  OnRanks(
      3, within,
      [&](Transport& transport) {
        // 500 bytes from each of two workers to the third.
        const bool far = transport.rank().value() == 2;
        const std::vector<size_t> send =
            far ? std::vector<size_t>{0, 0, 0} : std::vector<size_t>{0, 0, 500};
        const std::vector<size_t> receive =
            far ? std::vector<size_t>{500, 500, 0}
                : std::vector<size_t>{0, 0, 0};
        Bytes out(far ? 0 : 500);
        Bytes in(far ? 1000 : 0);
        const absl::Time started = clock.Now();
        ASSERT_THAT(
            transport.AllToAllV(out, send, absl::MakeSpan(in), receive, {}),
            IsOk());
        EXPECT_GE(clock.Now() - started, absl::Milliseconds(far ? 120 : 70));
      },
      TwoNodes(between));
}

TEST(DelayedTransportTest, CollectivesAreDelayedOnlyOnRequest) {
  const SteadyClock clock;
  for (const bool delayed : {false, true}) {
    LinkDelay delay = {.latency = absl::Milliseconds(100)};
    delay.delay_collectives = delayed;
    absl::Duration took = absl::InfiniteDuration();
    OnRanks(2, delay, [&](Transport& transport) {
      std::vector<float> values(10);
      const absl::Time started = clock.Now();
      ASSERT_THAT(transport.AllReduceSum(absl::MakeSpan(values), {}), IsOk());
      if (transport.rank().value() == 0) took = clock.Now() - started;
    });
    if (delayed) {
      EXPECT_GE(took, delay.latency);
    }
  }
}

}  // namespace
}  // namespace balancemoe::worker
