#include "coordinator/fanout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace balancemoe::coordinator {
namespace {

// Counts what it gets; as a real stream does, holds the fanout of a write.
class FakeStream final : public SessionStream {
 public:
  void Send(Outbound message, std::shared_ptr<Fanout> fanout) override {
    ++sends;
    payload = std::move(message.payload);
    write = std::move(fanout);
  }
  void ReadNext() override {}
  void ReadAfterWrite() override {}
  void Close(absl::Status) override {}
  void Cancel() override {}
  absl::Time stalled_since() const override { return absl::InfiniteFuture(); }

  std::atomic<int> sends = 0;
  Payload payload;
  std::shared_ptr<Fanout> write;
};

constexpr size_t kStreams = 1000;

class FanoutTest : public ::testing::Test {
 protected:
  FanoutTest() {
    for (size_t i = 0; i < kStreams; ++i) {
      streams_.push_back(std::make_shared<FakeStream>());
    }
    fanout_ =
        std::make_shared<Fanout>(Outbound{.kind = Outbound::Kind::kPlan,
                                          .layer = LayerId(0),
                                          .payload = payload_},
                                 std::vector<std::shared_ptr<SessionStream>>(
                                     streams_.begin(), streams_.end()));
  }
  // What streams hold would hold them for ever.
  ~FanoutTest() override {
    for (const auto& stream : streams_) stream->write.reset();
  }

  const Payload payload_ = std::make_shared<const std::string>("plan");
  std::vector<std::shared_ptr<FakeStream>> streams_;
  std::shared_ptr<Fanout> fanout_;
};

TEST_F(FanoutTest, AllHaveTheSameBytesWhenNobodyHelps) {
  fanout_->Continue();

  for (const auto& stream : streams_) {
    EXPECT_EQ(stream->sends, 1);
    EXPECT_EQ(stream->payload, payload_);
  }
}

TEST_F(FanoutTest, EveryStreamGetsTheMessageOnceWhoeverHelps) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] { fanout_->Continue(); });
  }
  for (std::thread& thread : threads) thread.join();

  for (const auto& stream : streams_) EXPECT_EQ(stream->sends, 1);
}

TEST_F(FanoutTest, HelpThatComesTooLateSendsNothing) {
  fanout_->Continue();
  streams_.front()->write->Continue();

  for (const auto& stream : streams_) EXPECT_EQ(stream->sends, 1);
}

}  // namespace
}  // namespace balancemoe::coordinator
