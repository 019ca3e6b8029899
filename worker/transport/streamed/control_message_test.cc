#include "worker/transport/streamed/control_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe::worker {
namespace {

using ::testing::ElementsAre;

TEST(ControlMessageTest, ArrivesWhateverWayItIsCut) {
  const std::vector<ControlMessage> sent = {
      {ControlKind::kHello, {7}, ""},
      {ControlKind::kReady, {}, ""},
      {ControlKind::kAbort, {1}, "worker 1 aborted: disk full"}};
  std::string bytes;
  for (const ControlMessage& message : sent) bytes += Encode(message);

  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    ControlMessageReader reader;
    std::vector<ControlMessage> received;
    for (size_t begin = 0; begin < bytes.size(); begin += piece) {
      reader.Add(bytes.substr(begin, piece));
      while (true) {
        auto next = reader.Next();
        ASSERT_THAT(next, IsOk());
        if (!next->has_value()) break;
        received.push_back(**std::move(next));
      }
    }
    EXPECT_EQ(received, sent) << "pieces of " << piece;
  }
}

TEST(ControlMessageTest, AbsurdLengthsAreRefusedBeforeTheyAreReserved) {
  ControlMessageReader reader;
  reader.Add("GET / HTTP/1.1\r\n");

  EXPECT_THAT(reader.Next(), HasCode(absl::StatusCode::kInvalidArgument));
}

TEST(ControlMessageTest, CollectiveComesBack) {
  const auto call = ToCollective(ToMessage(
      CollectiveCall{CollectiveKind::kAllToAll, 5, 6, {1, 2, 3}, {4, 5, 6}}));

  ASSERT_THAT(call, IsOk());
  EXPECT_EQ(call->kind, CollectiveKind::kAllToAll);
  EXPECT_EQ(call->bytes, 5u);
  EXPECT_EQ(call->root, 6u);
  EXPECT_THAT(call->send_bytes, ElementsAre(1, 2, 3));
  EXPECT_THAT(call->receive_bytes, ElementsAre(4, 5, 6));
}

TEST(ControlMessageTest, TransfersComeBack) {
  const auto calls =
      ToTransfers(ToMessage({{TransferCall{true, 3, 100}, {false, 1, 0}}}));

  ASSERT_THAT(calls, IsOk());
  ASSERT_EQ(calls->size(), 2u);
  EXPECT_TRUE((*calls)[0].sends);
  EXPECT_EQ((*calls)[0].peer, 3u);
  EXPECT_EQ((*calls)[0].bytes, 100u);
  EXPECT_FALSE((*calls)[1].sends);
}

TEST(ControlMessageTest, OtherMessagesAreNoCalls) {
  EXPECT_THAT(ToCollective({ControlKind::kCollective, {1, 2}, ""}),
              HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ToTransfers({ControlKind::kTransfers, {1, 2}, ""}),
              HasCode(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ToTransfers({ControlKind::kHello, {}, ""}),
              HasCode(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace balancemoe::worker
