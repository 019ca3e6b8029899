#include "worker/transport/streamed/conductor_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace balancemoe::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Duration kTimeout = absl::Seconds(10);
constexpr absl::Time kStart = absl::UnixEpoch();

ControlMessage Send(uint64_t to, uint64_t bytes) {
  return ToMessage({{TransferCall{true, to, bytes}}});
}

ControlMessage Receive(uint64_t from, uint64_t bytes) {
  return ToMessage({{TransferCall{false, from, bytes}}});
}

ControlMessage Gather(uint64_t bytes) {
  return ToMessage(
      CollectiveCall{.kind = CollectiveKind::kAllGather, .bytes = bytes});
}

class ConductorStateTest : public ::testing::Test {
 protected:
  ConductorState::Answers Hear(int32_t from, const ControlMessage& message,
                               absl::Time now = kStart) {
    return state_.Hear(WorkerRank(from), message, now);
  }

  // What all three ranks are told.
  static void ExpectAllHear(const ConductorState::Answers& answers,
                            const ControlMessage& message) {
    ASSERT_THAT(answers, SizeIs(3));
    for (size_t rank = 0; rank < 3; ++rank) {
      EXPECT_EQ(answers[rank].to.index(), rank);
      EXPECT_EQ(answers[rank].message, message);
    }
  }

  ConductorState state_{3, kTimeout};
};

ControlMessage Abort(const std::string& reason, uint64_t differ = 0) {
  return {ControlKind::kAbort, {differ}, reason};
}

TEST_F(ConductorStateTest, GroupIsReadyWhenTheLastIsConnected) {
  EXPECT_THAT(Hear(1, {.kind = ControlKind::kConnected}), IsEmpty());
  EXPECT_THAT(Hear(0, {.kind = ControlKind::kConnected}), IsEmpty());

  ExpectAllHear(Hear(2, {.kind = ControlKind::kConnected}),
                {.kind = ControlKind::kReady});
}

TEST_F(ConductorStateTest, CollectiveGoesWhenTheLastHasCalledIt) {
  for (int round = 0; round < 2; ++round) {
    EXPECT_THAT(Hear(2, Gather(8)), IsEmpty());
    EXPECT_THAT(Hear(0, Gather(8)), IsEmpty());
    ExpectAllHear(Hear(1, Gather(8)), {.kind = ControlKind::kCollectiveGo});
  }
}

TEST_F(ConductorStateTest, OtherLengthsAreNamed) {
  Hear(0, Gather(8));
  Hear(1, Gather(8));

  ExpectAllHear(Hear(2, Gather(9)),
                Abort("worker 0 called all-gather of 8 bytes, worker 2 called "
                      "all-gather of 9 bytes",
                      1));
}

TEST_F(ConductorStateTest, OtherCollectivesAreNamed) {
  Hear(0, Gather(0));
  Hear(1, ToMessage(CollectiveCall{.kind = CollectiveKind::kBarrier}));

  ExpectAllHear(Hear(2, Gather(0)),
                Abort("worker 0 called all-gather of 0 bytes, worker 1 called "
                      "barrier of 0 bytes",
                      1));
}

TEST_F(ConductorStateTest, EverySizeOfAnAllToAllIsCompared) {
  CollectiveCall call = {.kind = CollectiveKind::kAllToAll,
                         .send_bytes = {1, 2, 3},
                         .receive_bytes = {1, 2, 3}};
  Hear(0, ToMessage(call));
  call = {.kind = CollectiveKind::kAllToAll,
          .send_bytes = {2, 0, 5},
          .receive_bytes = {2, 0, 0}};
  Hear(1, ToMessage(call));
  call = {.kind = CollectiveKind::kAllToAll,
          .send_bytes = {3, 0, 0},
          .receive_bytes = {3, 4, 0}};

  ExpectAllHear(Hear(2, ToMessage(call)),
                Abort("all-to-all: worker 1 sends 5 bytes to worker 2, which "
                      "expects 4",
                      1));
}

TEST_F(ConductorStateTest, BothEndsHearOfATransferWhenTheSecondHasStarted) {
  EXPECT_THAT(Hear(0, Send(2, 100)), IsEmpty());
  EXPECT_THAT(Hear(0, Send(2, 200)), IsEmpty());

  const auto answers = Hear(2, Receive(0, 100));

  ASSERT_THAT(answers, SizeIs(2));
  EXPECT_EQ(answers[0].to, WorkerRank(0));
  EXPECT_EQ(answers[1].to, WorkerRank(2));
  // The first ticket of either, and the bytes at the other end.
  for (const auto& answer : answers) {
    EXPECT_EQ(answer.message,
              (ControlMessage{ControlKind::kRound, {0, 100}, ""}));
  }
  EXPECT_THAT(Hear(2, Receive(0, 7))[1].message.numbers, ElementsAre(1, 200));
}

TEST_F(ConductorStateTest, OppositeDirectionsDoNotMeet) {
  EXPECT_THAT(Hear(0, Send(1, 1)), IsEmpty());
  EXPECT_THAT(Hear(1, Send(0, 1)), IsEmpty());
  EXPECT_THAT(Hear(1, Receive(2, 1)), IsEmpty());

  EXPECT_THAT(Hear(0, Receive(1, 1)), SizeIs(2));
}

TEST_F(ConductorStateTest, LostRankAbortsTheGroupOnce) {
  ExpectAllHear(state_.Lose(WorkerRank(1)),
                Abort("worker 1 is gone: its connection broke"));

  EXPECT_TRUE(state_.over());
  EXPECT_THAT(state_.Lose(WorkerRank(2)), IsEmpty());
  EXPECT_THAT(Hear(0, Gather(1)), IsEmpty());
}

TEST_F(ConductorStateTest, AbortIsPassedOnWithItsReason) {
  ExpectAllHear(Hear(1, Abort("worker 1 aborted: disk full")),
                Abort("worker 1 aborted: disk full"));
}

TEST_F(ConductorStateTest, WhoLeavesMayBeLost) {
  const auto answers = Hear(1, {.kind = ControlKind::kLeave});

  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(answers[0].to, WorkerRank(1));
  EXPECT_EQ(answers[0].message.kind, ControlKind::kGoodbye);
  EXPECT_THAT(state_.Lose(WorkerRank(1)), IsEmpty());
  EXPECT_FALSE(state_.over());
}

TEST_F(ConductorStateTest, OthersGoOnUntilTheyNeedWhoHasLeft) {
  Hear(1, {.kind = ControlKind::kLeave});
  Hear(0, Send(2, 1));
  EXPECT_THAT(Hear(2, Receive(0, 1)), SizeIs(2));

  const auto answers = Hear(0, Gather(1));

  ASSERT_THAT(answers, SizeIs(2));
  EXPECT_EQ(answers[0].message, Abort("worker 1 has left the group"));
}

TEST_F(ConductorStateTest, LeavingWithATransferUnderWayAborts) {
  Hear(0, Receive(1, 1));

  ExpectAllHear(Hear(1, {.kind = ControlKind::kLeave}),
                Abort("worker 1 has left the group with transfers under way"));
}

TEST_F(ConductorStateTest, IsOverWhenAllHaveLeft) {
  for (int32_t rank = 0; rank < 3; ++rank) {
    EXPECT_FALSE(state_.over());
    Hear(rank, {.kind = ControlKind::kLeave});
  }
  EXPECT_TRUE(state_.over());
}

TEST_F(ConductorStateTest, SilentRanksAreNamedTheInstantTheTimeIsUp) {
  EXPECT_EQ(state_.NextTick(), absl::InfiniteFuture());
  Hear(1, Gather(1), kStart);
  Hear(2, Gather(1), kStart + absl::Seconds(1));
  EXPECT_EQ(state_.NextTick(), kStart + kTimeout);

  EXPECT_THAT(state_.Tick(kStart + kTimeout - absl::Nanoseconds(1)), IsEmpty());
  ExpectAllHear(
      state_.Tick(kStart + kTimeout),
      Abort("workers 0 were silent for 10s while others waited for them"));
}

TEST_F(ConductorStateTest, TransferThatNobodyMeetsEndsTheGroupInTheEnd) {
  Hear(1, Receive(2, 1), kStart);
  EXPECT_EQ(state_.NextTick(), kStart + kTimeout);

  ExpectAllHear(
      state_.Tick(kStart + kTimeout),
      Abort(
          "worker 2 was silent for 10s while worker 1 waited for a transfer"));
}

TEST_F(ConductorStateTest, NonsenseAbortsTheGroup) {
  ExpectAllHear(Hear(1, Send(3, 1)),
                Abort("worker 1 has a transfer with worker 3"));
}

std::vector<MatchedTransfer> RandomTransfers(std::mt19937_64& random,
                                             size_t ranks, size_t count) {
  std::vector<MatchedTransfer> transfers(count);
  for (size_t i = 0; i < count; ++i) {
    const size_t sender = random() % ranks;
    const size_t receiver = (sender + 1 + random() % (ranks - 1)) % ranks;
    transfers[i].sender = {sender, i, 1};
    transfers[i].receiver = {receiver, i, 1};
  }
  return transfers;
}

TEST(SplitIntoRoundsTest, KeepsOrderAndBudget) {
  constexpr uint64_t kSeed = 20260404;
  std::mt19937_64 random(kSeed);
  for (int trial = 0; trial < 100; ++trial) {
    const size_t ranks = 2 + random() % 6;
    const auto transfers = RandomTransfers(random, ranks, random() % 200);

    uint64_t next = 0;
    for (const auto& round : SplitIntoRounds(transfers, 16)) {
      std::vector<int> count(ranks);
      for (const MatchedTransfer& transfer : round) {
        EXPECT_EQ(transfer.sender.ticket, next++);
        ++count[transfer.sender.rank];
        ++count[transfer.receiver.rank];
      }
      EXPECT_LE(*std::max_element(count.begin(), count.end()), 16);
    }
    EXPECT_EQ(next, transfers.size());
  }
}

TEST(SplitIntoRoundsTest, FillsRounds) {
  std::vector<MatchedTransfer> transfers(33);
  for (MatchedTransfer& transfer : transfers) transfer.receiver.rank = 1;

  EXPECT_THAT(SplitIntoRounds(transfers, 16),
              ElementsAre(SizeIs(16), SizeIs(16), SizeIs(1)));
}

}  // namespace
}  // namespace balancemoe::worker
