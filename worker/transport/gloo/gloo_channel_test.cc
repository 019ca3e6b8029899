#include "worker/transport/gloo/gloo_channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "tests/fixtures/status_matchers.h"
#include "worker/transport/gloo/gloo_device.h"
#include "worker/transport/gloo/gloo_mesh.h"
#include "worker/transport/local_rendezvous.h"

namespace balancemoe::worker {
namespace {

using ::testing::HasSubstr;

using Bytes = std::vector<std::byte>;

constexpr GlooMessageKind kTransfer = GlooMessageKind::kTransfer;

// Two ends of a channel, both in this thread once they are connected.
class GlooChannelTest : public ::testing::Test {
 protected:
  GlooChannelTest() {
    auto device = CreateGlooDevice({});
    EXPECT_THAT(device, IsOk());
    LocalRendezvous rendezvous;
    std::thread threads[2];
    for (int32_t rank = 0; rank < 2; ++rank) {
      threads[rank] = std::thread([&, rank] {
        const GroupOptions options = {.rank = WorkerRank(rank),
                                      .world_size = 2};
        auto mesh =
            ConnectGlooMesh(options, Generation(1), *device, rendezvous);
        ASSERT_THAT(mesh, IsOk());
        groups_[rank] = std::make_unique<GlooGroup>(options, *std::move(mesh));
        channels_[rank] = std::make_unique<GlooChannel>(
            *groups_[rank], GlooPurpose::kTransfers, WorkerRank(1 - rank));
        channels_[rank]->Open();
        EXPECT_THAT(groups_[rank]->Greet(absl::Seconds(20)), IsOk());
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  GlooChannel& sender() { return *channels_[0]; }
  GlooChannel& receiver() { return *channels_[1]; }

 private:
  std::unique_ptr<GlooGroup> groups_[2];
  std::unique_ptr<GlooChannel> channels_[2];
};

TEST_F(GlooChannelTest, BytesThatChangeOnTheirWayAreDataLoss) {
  Bytes sent(GlooChannel::kInlineBytes + 1, std::byte{1});
  Bytes received(sent.size());

  // The body waits at the sender until the receiver asks for it.
  sender().StartSend(kTransfer, sent);
  sent[1000] = std::byte{2};

  EXPECT_THAT(
      receiver().ReceiveUnexpected(kTransfer, absl::MakeSpan(received)),
      IsStatus(absl::StatusCode::kDataLoss, HasSubstr("another checksum")));
  EXPECT_THAT(sender().FinishSend(), IsOk());
}

TEST_F(GlooChannelTest, AnotherKindIsDataLossAndNamesBoth) {
  const Bytes sent(8);
  Bytes received(8);

  sender().StartSend(GlooMessageKind::kBroadcast, sent);

  EXPECT_THAT(
      receiver().ReceiveUnexpected(kTransfer, absl::MakeSpan(received)),
      IsStatus(absl::StatusCode::kDataLoss,
               HasSubstr("worker 0 sent broadcast 0 of 8 bytes, worker 1 "
                         "expected transfer 0 of 8")));
  EXPECT_THAT(sender().FinishSend(), IsOk());
}

TEST_F(GlooChannelTest, AMessageThatIsTooLongIsPassedOver) {
  const Bytes sent(100000, std::byte{7});
  Bytes received(50000, std::byte{1});

  sender().StartSend(kTransfer, sent);
  EXPECT_THAT(receiver().ReceiveUnexpected(kTransfer, absl::MakeSpan(received)),
              HasCode(absl::StatusCode::kDataLoss));
  EXPECT_THAT(sender().FinishSend(), IsOk());
  EXPECT_EQ(received, Bytes(50000, std::byte{1}));

  received.resize(sent.size());
  sender().StartSend(kTransfer, sent);
  EXPECT_THAT(receiver().ReceiveUnexpected(kTransfer, absl::MakeSpan(received)),
              IsOk());
  EXPECT_EQ(received, sent);
  EXPECT_THAT(sender().FinishSend(), IsOk());
}

}  // namespace
}  // namespace balancemoe::worker
