// What the conformance suite cannot see: the order of issue, and bytes that go
// wrong on the device.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <barrier>
#include <thread>

#include "tests/fixtures/status_matchers.h"
#include "worker/transport/local_rendezvous.h"
#include "worker/transport/streamed/streamed_transport.h"
#include "worker/transport/streamed/testing/fake_stream_device.h"

namespace balancemoe::worker {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

using Bytes = std::vector<std::byte>;

class StreamedOrderTest : public ::testing::Test {
 protected:
  static constexpr int32_t kRanks = 2;

  void OnBothRanks(const std::function<void(Transport&)>& body) {
    std::vector<std::thread> threads;
    for (int32_t rank = 0; rank < kRanks; ++rank) {
      threads.emplace_back([&, rank] {
        const auto factory =
            StreamedFactory({.name = "streamed", .open_device = [this, rank] {
                               return OpenDevice(rank);
                             }});
        auto transport = factory(
            {.rank = WorkerRank(rank), .world_size = kRanks}, rendezvous_);
        ASSERT_THAT(transport, IsOk());
        body(**transport);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  static WorkerRank Peer(Transport& transport) {
    return WorkerRank(1 - transport.rank().value());
  }

  // The device of a rank whose transport is there.
  StreamDevice& device(Transport& transport) {
    return *devices_[transport.rank().index()];
  }

  FakeFabric fabric_;

 private:
  std::unique_ptr<StreamDevice> OpenDevice(int32_t rank) {
    auto device = OpenFakeStreamDevice(fabric_);
    devices_[rank] = device.get();
    return device;
  }

  std::array<StreamDevice*, kRanks> devices_ = {};
  LocalRendezvous rendezvous_;
};

TEST_F(StreamedOrderTest, IsTheSameOnEveryRankWhateverTheThreadsDo) {
  OnBothRanks([&](Transport& transport) {
    std::thread beside([&] {
      for (int number = 0; number < 200; ++number) {
        Bytes out(10);
        Bytes in(10);
        auto batch = transport.StartTransfers(
            {{Transfer::Direction::kSend, Peer(transport), absl::MakeSpan(out)},
             {Transfer::Direction::kReceive, Peer(transport),
              absl::MakeSpan(in)}});
        ASSERT_THAT(batch, IsOk());
        EXPECT_THAT((*batch)->Wait(1, {}), IsOk());
      }
    });
    for (int number = 0; number < 200; ++number) {
      std::vector<float> values(3);
      EXPECT_THAT(transport.AllReduceSum(absl::MakeSpan(values), {}), IsOk());
    }
    beside.join();
  });

  EXPECT_EQ(fabric_.IssueOrder(0), fabric_.IssueOrder(1));
  // Two exchanges for an all-reduce, and at least one group for two transfers.
  EXPECT_GE(fabric_.IssueOrder(0).size(), 600u);
}

TEST_F(StreamedOrderTest, ManyTransfersShareGroups) {
  OnBothRanks([&](Transport& transport) {
    std::vector<Bytes> buffers(40, Bytes(10));
    std::vector<Transfer> transfers;
    for (Bytes& buffer : buffers) {
      transfers.push_back({transport.rank() == WorkerRank(0)
                               ? Transfer::Direction::kSend
                               : Transfer::Direction::kReceive,
                           Peer(transport), absl::MakeSpan(buffer)});
    }
    EXPECT_THAT(transport.StartTransfers(transfers), IsOk());
  });

  // 16 transfers are 32 operations.
  EXPECT_EQ(fabric_.IssueOrder(0), "ttt");
  EXPECT_EQ(fabric_.IssueOrder(1), "ttt");
}

TEST_F(StreamedOrderTest, BytesThatChangeOnTheirWayAreDataLoss) {
  fabric_.CorruptNextTransfer();
  OnBothRanks([&](Transport& transport) {
    for (int number = 0; number < 2; ++number) {
      Bytes bytes(1000);
      const bool sends = transport.rank() == WorkerRank(0);
      auto batch = transport.StartTransfers(
          {{sends ? Transfer::Direction::kSend : Transfer::Direction::kReceive,
            Peer(transport), absl::MakeSpan(bytes)}});
      ASSERT_THAT(batch, IsOk());
      const absl::Status status = (*batch)->Wait(0, {});
      if (sends || number > 0) {
        EXPECT_THAT(status, IsOk());
      } else {
        EXPECT_THAT(status, IsStatus(absl::StatusCode::kDataLoss,
                                     HasSubstr("another checksum")));
      }
    }
  });
}

TEST_F(StreamedOrderTest, AStreamGoesOnBeforeItsTransferHasEnded) {
  fabric_.HoldTransfers(true);
  fabric_.CorruptNextTransfer();
  std::barrier both_went_on(kRanks);
  OnBothRanks([&](Transport& transport) {
    constexpr size_t kBytes = 1000;
    int stream = 0;
    DeviceMemory& memory = device(transport).memory();
    std::byte* const bytes = *memory.Allocate(MemoryPlace::kDevice, kBytes);
    const bool sends = transport.rank() == WorkerRank(0);
    auto batch = transport.StartTransfers(
        {{sends ? Transfer::Direction::kSend : Transfer::Direction::kReceive,
          Peer(transport), absl::MakeSpan(bytes, kBytes)}});
    ASSERT_THAT(batch, IsOk());
    EXPECT_THAT((*batch)->Wait(0, {.native = &stream}), IsOk());
    both_went_on.arrive_and_wait();
    if (!sends) {
      EXPECT_FALSE((*batch)->Done(0));
      fabric_.HoldTransfers(false);
      EXPECT_THAT(
          (*batch)->Wait(0, {}),
          IsStatus(absl::StatusCode::kDataLoss, HasSubstr("another checksum")));
      EXPECT_TRUE((*batch)->Done(0));
    }
    // What the stream goes on with is wrong, and nobody else would say so.
    absl::Status status;
    while (status.ok()) status = transport.Barrier();
    EXPECT_THAT(status, IsStatus(absl::StatusCode::kUnavailable,
                                 HasSubstr("another checksum")));
    *batch = nullptr;
    memory.Free(MemoryPlace::kDevice, bytes);
  });
}

}  // namespace
}  // namespace balancemoe::worker
