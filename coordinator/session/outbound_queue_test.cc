#include "coordinator/session/outbound_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace balancemoe::coordinator {
namespace {

using Kind = Outbound::Kind;
using ::testing::ElementsAre;

Outbound Message(Kind kind, int32_t layer, const std::string& text) {
  return {.kind = kind,
          .layer = LayerId(layer),
          .payload = std::make_shared<const std::string>(text)};
}

std::vector<std::string> PopAll(OutboundQueue& queue) {
  std::vector<std::string> texts;
  while (auto payload = queue.Pop()) texts.push_back(**payload);
  return texts;
}

TEST(OutboundQueueTest, NewestPlanOfALayerTakesThePlaceOfTheOneThatWaits) {
  OutboundQueue queue;
  queue.Push(Message(Kind::kPlan, 0, "layer 0, old"));
  queue.Push(Message(Kind::kPlan, 1, "layer 1"));
  queue.Push(Message(Kind::kPlan, 0, "layer 0, new"));

  EXPECT_THAT(PopAll(queue), ElementsAre("layer 0, new", "layer 1"));
}

TEST(OutboundQueueTest, NewestHeartbeatAndConfigUpdateWin) {
  OutboundQueue queue;
  for (const char* text : {"1", "2", "3"}) {
    queue.Push(Message(Kind::kHeartbeat, 0, text));
    queue.Push(Message(Kind::kConfigUpdate, 0, text));
  }

  EXPECT_THAT(PopAll(queue), ElementsAre("3", "3"));
}

TEST(OutboundQueueTest, NoticesAreAllKeptInOrder) {
  OutboundQueue queue;
  queue.Push(Message(Kind::kNotice, 0, "drain"));
  queue.Push(Message(Kind::kNotice, 0, "fence"));

  EXPECT_THAT(PopAll(queue), ElementsAre("drain", "fence"));
}

}  // namespace
}  // namespace balancemoe::coordinator
