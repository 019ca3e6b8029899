#include "worker/agent/outbound_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace balancemoe::worker {
namespace {

using ::testing::ElementsAre;
using Queue = OutboundQueue<std::string>;

std::vector<std::string> PopAll(Queue& queue) {
  std::vector<std::string> messages;
  while (auto message = queue.Pop()) messages.push_back(*message);
  return messages;
}

TEST(OutboundQueueTest, FirstInFirstOut) {
  Queue queue(4);
  queue.Push(Queue::Kind::kEssential, "hello");
  queue.Push(Queue::Kind::kTelemetry, "report");

  EXPECT_THAT(PopAll(queue), ElementsAre("hello", "report"));
}

TEST(OutboundQueueTest, FullQueueDropsTheOldestTelemetry) {
  Queue queue(3);
  queue.Push(Queue::Kind::kEssential, "calibration");
  queue.Push(Queue::Kind::kTelemetry, "report 1");
  queue.Push(Queue::Kind::kTelemetry, "report 2");
  queue.Push(Queue::Kind::kTelemetry, "report 3");

  EXPECT_EQ(queue.dropped(), 1);
  EXPECT_THAT(PopAll(queue),
              ElementsAre("calibration", "report 2", "report 3"));
}

TEST(OutboundQueueTest, NewHeartbeatReplacesTheOneThatWaits) {
  Queue queue(3);
  queue.Push(Queue::Kind::kHeartbeat, "heartbeat 1");
  queue.Push(Queue::Kind::kTelemetry, "report");
  queue.Push(Queue::Kind::kHeartbeat, "heartbeat 2");

  EXPECT_EQ(queue.dropped(), 0);
  EXPECT_THAT(PopAll(queue), ElementsAre("report", "heartbeat 2"));
}

}  // namespace
}  // namespace balancemoe::worker
