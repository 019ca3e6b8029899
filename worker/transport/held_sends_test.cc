#include "worker/transport/held_sends.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "tests/fixtures/status_matchers.h"
#include "worker/transport/local_rendezvous.h"
#include "worker/transport/loopback/loopback_hub.h"

namespace balancemoe::worker {
namespace {

using ::testing::HasSubstr;

const WorkerRank kSender(0);
const WorkerRank kReceiver(1);
constexpr size_t kBytes = 4;

// Two ranks of this process; messages are words of four letters.
class HeldSendsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::thread other([&] { receiver_ = Join(kReceiver); });
    sender_ = Join(kSender);
    other.join();
    sends_ = std::make_unique<HeldSends>(*sender_);
  }

  std::unique_ptr<Transport> Join(WorkerRank rank) {
    auto transport = hub_.Factory()(
        {.rank = rank, .world_size = 2, .connect_timeout = absl::Seconds(20)},
        rendezvous_);
    EXPECT_TRUE(transport.ok()) << transport.status();
    return *std::move(transport);
  }

  static absl::Span<std::byte> Bytes(std::string& word) {
    return {reinterpret_cast<std::byte*>(word.data()), word.size()};
  }

  std::shared_ptr<HeldSend> Hold(std::string& word) {
    return sends_->Hold(kReceiver, Bytes(word));
  }

  // "aaaa", which is held, and "bbbb", which waits for its turn.
  std::pair<std::shared_ptr<HeldSend>, std::shared_ptr<HeldSend>>
  SecondOfTwoReleased() {
    const auto a = Hold(first_);
    const auto b = Hold(second_);
    sends_->Release(kReceiver, *b);
    return {a, b};
  }

  std::unique_ptr<TransferBatch> Receive(std::vector<std::string>& words) {
    std::vector<Transfer> transfers;
    for (std::string& word : words) {
      word.resize(kBytes);
      transfers.push_back(
          {Transfer::Direction::kReceive, kSender, Bytes(word)});
    }
    auto batch = receiver_->StartTransfers(transfers);
    EXPECT_TRUE(batch.ok()) << batch.status();
    return *std::move(batch);
  }

  LocalRendezvous rendezvous_;
  LoopbackHub hub_;
  std::unique_ptr<Transport> sender_;
  std::unique_ptr<Transport> receiver_;
  std::unique_ptr<HeldSends> sends_;
  std::string first_ = "aaaa";
  std::string second_ = "bbbb";
};

TEST_F(HeldSendsTest, ArriveInTheOrderOfTheirPlacesWhateverIsReleasedFirst) {
  std::string first = "aaaa";
  std::string second = "bbbb";
  std::string third = "cccc";
  const auto a = Hold(first);
  const auto b = Hold(second);
  const auto c = Hold(third);
  std::vector<std::string> words(3);
  const auto batch = Receive(words);

  sends_->Release(kReceiver, *c);
  sends_->Release(kReceiver, *b);
  EXPECT_FALSE(batch->Done(0));
  EXPECT_FALSE(batch->Done(2));
  first = "late";
  sends_->Release(kReceiver, *a);

  for (const auto& send : {a, b, c}) EXPECT_THAT(send->Wait(), IsOk());
  EXPECT_THAT(batch->Wait(2, {}), IsOk());
  EXPECT_THAT(words, ::testing::ElementsAre("late", "bbbb", "cccc"));
}

TEST_F(HeldSendsTest, WhatIsGivenUpLetsTheNextOnesGo) {
  const auto [a, b] = SecondOfTwoReleased();
  std::vector<std::string> words(1);
  const auto batch = Receive(words);

  sends_->GiveUp(kReceiver, *a, absl::DataLossError("came damaged"));

  EXPECT_THAT(a->Wait(),
              IsStatus(absl::StatusCode::kDataLoss, HasSubstr("came damaged")));
  EXPECT_THAT(b->Wait(), IsOk());
  EXPECT_THAT(batch->Wait(0, {}), IsOk());
  EXPECT_EQ(words[0], "bbbb");
}

TEST_F(HeldSendsTest, WhatWaitsForItsTurnCanBeGivenUpAndWhatHasStartedCannot) {
  const auto [a, b] = SecondOfTwoReleased();
  std::vector<std::string> words(1);
  const auto batch = Receive(words);

  sends_->GiveUp(kReceiver, *b, absl::CancelledError("no more"));
  sends_->Release(kReceiver, *a);
  sends_->GiveUp(kReceiver, *a, absl::CancelledError("no more"));

  EXPECT_THAT(b->Wait(), HasCode(absl::StatusCode::kCancelled));
  EXPECT_THAT(a->Wait(), IsOk());
  EXPECT_THAT(batch->Wait(0, {}), IsOk());
  EXPECT_EQ(words[0], "aaaa");
}

TEST_F(HeldSendsTest, AfterAnAbortEachSaysWhy) {
  std::string first = "aaaa";
  const auto a = Hold(first);
  receiver_->Abort(absl::InternalError("out of paper"));

  sends_->Release(kReceiver, *a);

  EXPECT_THAT(a->Wait(), IsStatus(absl::StatusCode::kUnavailable,
                                  HasSubstr("out of paper")));
}

// Each word is released by a thread of its own, in any order.
TEST_F(HeldSendsTest, ThreadsMayReleaseAtOnce) {
  constexpr size_t kWords = 64;
  std::vector<std::string> sent(kWords);
  std::vector<std::shared_ptr<HeldSend>> held;
  for (size_t i = 0; i < kWords; ++i) {
    sent[i] = std::string(kBytes, static_cast<char>('0' + i));
    held.push_back(Hold(sent[i]));
  }
  std::vector<std::string> words(kWords);
  const auto batch = Receive(words);

  std::vector<std::thread> threads;
  for (size_t i = 0; i < kWords; ++i) {
    threads.emplace_back([&, i] { sends_->Release(kReceiver, *held[i]); });
  }
  for (std::thread& thread : threads) thread.join();

  for (size_t i = 0; i < kWords; ++i) EXPECT_THAT(batch->Wait(i, {}), IsOk());
  EXPECT_EQ(words, sent);
}

}  // namespace
}  // namespace balancemoe::worker
