#include "worker/expert/move_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <barrier>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/planning/layer_snapshot.h"
#include "tests/fixtures/status_matchers.h"
#include "worker/transport/local_rendezvous.h"
#include "worker/transport/loopback/loopback_hub.h"

namespace balancemoe::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr ExpertShape kShape = {.hidden = 3, .ffn = 5};
constexpr int32_t kWorkers = 3;
constexpr int32_t kExperts = 6;
constexpr WorkerRank kA(0);
constexpr WorkerRank kB(1);
constexpr WorkerRank kC(2);

// A swap, and one more expert to worker 2.
const std::vector<Move>& SwapAndOneMore() {
  static const auto* const moves = new std::vector<Move>{
      {ExpertId(0), kA, kB}, {ExpertId(3), kB, kA}, {ExpertId(1), kA, kC}};
  return *moves;
}

// All that is kept of an expert, as one vector.
torch::Tensor Everything(const ExpertStore& store, ExpertId expert) {
  std::vector<torch::Tensor> parts;
  for (size_t i = 0; i < ExpertTensors::kNames.size(); ++i) {
    parts.push_back(store.Find(expert)->all[i].detach().flatten());
    parts.push_back(store.Moment(expert, 0).all[i].flatten());
    parts.push_back(store.Moment(expert, 1).all[i].flatten());
  }
  parts.push_back(store.Steps(expert));
  return torch::cat(parts);
}

ExpertStore MakeStore(WorkerRank rank) {
  ExpertStore store({.layer = LayerId(0),
                     .shape = kShape,
                     .rank = rank,
                     .home_of_expert = ContiguousPlacement(kWorkers, kExperts),
                     .seed = 1,
                     .moments = 2});
  const torch::NoGradGuard no_grad;
  for (const ExpertId expert : store.home_experts()) {
    for (size_t i = 0; i < ExpertTensors::kNames.size(); ++i) {
      store.Moment(expert, 0).all[i].fill_(expert.value() + 0.25);
      store.Moment(expert, 1).all[i].fill_(expert.value() + 0.5);
    }
    store.Steps(expert).fill_(7 + expert.value());
  }
  return store;
}

// Every expert as it was at the start, [E].
std::vector<torch::Tensor> AtTheStart() {
  std::vector<torch::Tensor> experts;
  for (int32_t rank = 0; rank < kWorkers; ++rank) {
    const ExpertStore store = MakeStore(WorkerRank(rank));
    for (const ExpertId expert : store.home_experts()) {
      experts.push_back(Everything(store, expert));
    }
  }
  return experts;
}

void OnAllRanks(const std::function<void(Transport&, ExpertStore&)>& body) {
  LoopbackHub hub;
  LocalRendezvous rendezvous;
  std::vector<std::thread> threads;
  for (int32_t rank = 0; rank < kWorkers; ++rank) {
    threads.emplace_back([&, rank] {
      auto transport = hub.Factory()(
          {.rank = WorkerRank(rank), .world_size = kWorkers}, rendezvous);
      ASSERT_THAT(transport, IsOk());
      ExpertStore store = MakeStore(WorkerRank(rank));
      body(**transport, store);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

class MoveExpertsTest : public ::testing::Test {
 protected:
  // Whether `store` holds what its homes say, and that as at the start.
  void ExpectIntact(const ExpertStore& store) const {
    for (int32_t i = 0; i < kExperts; ++i) {
      const ExpertId expert(i);
      const bool home = store.home_of_expert()[expert.index()] == store.rank();
      ASSERT_EQ(store.IsHome(expert), home) << "expert " << i;
      if (!home) continue;
      EXPECT_TRUE(torch::equal(Everything(store, expert),
                               at_the_start_[expert.index()]))
          << "expert " << i << " at worker " << store.rank().value();
    }
  }

  const std::vector<torch::Tensor> at_the_start_ = AtTheStart();
};

TEST_F(MoveExpertsTest, ParametersMomentsAndStepsGoAlong) {
  OnAllRanks([&](Transport& transport, ExpertStore& store) {
    const auto outcome = MoveExperts({{&store, SwapAndOneMore()}}, transport);
    ASSERT_THAT(outcome, IsOk());
    EXPECT_TRUE(outcome->committed);
    EXPECT_THAT(store.home_of_expert(), ElementsAre(kB, kC, kB, kA, kC, kC));
    ExpectIntact(store);
    if (store.rank() == kA) {
      EXPECT_THAT(store.home_experts(), ElementsAre(ExpertId(3)));
      // Two experts: parameters, two moments and four counts each.
      EXPECT_EQ(
          outcome->bytes_sent,
          2 * (3 * kShape.bytes() + static_cast<int64_t>(4 * sizeof(float))));
    }
  });
}

TEST_F(MoveExpertsTest, ParametersAreNamedByExpertAfterwards) {
  OnAllRanks([&](Transport& transport, ExpertStore& store) {
    ASSERT_THAT(MoveExperts({{&store, SwapAndOneMore()}}, transport), IsOk());
    std::vector<std::string> names;
    for (const auto& item : store.named_parameters()) {
      if (item.key().find("w1") != std::string::npos) {
        names.push_back(item.key());
      }
      EXPECT_TRUE(item.value().requires_grad()) << item.key();
      EXPECT_TRUE(item.value().grad().defined()) << item.key();
      EXPECT_EQ(item.value().grad().abs().sum().item<float>(), 0);
    }
    if (store.rank() == kA) {
      EXPECT_THAT(names, ElementsAre("3.w1"));
    }
  });
}

TEST_F(MoveExpertsTest, BackAndForthNeedsNoMoreMemory) {
  OnAllRanks([&](Transport& transport, ExpertStore& store) {
    int64_t bytes = 0;
    for (int round = 0; round < 20; ++round) {
      std::vector<Move> moves;
      for (Move move : SwapAndOneMore()) {
        if (round % 2 == 1) std::swap(move.from, move.to);
        moves.push_back(move);
      }
      ASSERT_THAT(MoveExperts({{&store, moves}}, transport), IsOk());
      if (round == 1) bytes = store.allocated_bytes();
    }
    EXPECT_EQ(store.allocated_bytes(), bytes);
    EXPECT_EQ(store.home_of_expert(), ContiguousPlacement(kWorkers, kExperts));
    ExpectIntact(store);
  });
}

TEST_F(MoveExpertsTest, WhatComesSpoiledIsRefusedByEverybody) {
  OnAllRanks([&](Transport& transport, ExpertStore& store) {
    const auto spoil = [&](MovePoint point, absl::Span<std::byte> arrived) {
      if (point != MovePoint::kArrived || store.rank() != kC) return;
      arrived.back() ^= std::byte{1};
    };
    const auto outcome =
        MoveExperts({{&store, SwapAndOneMore()}}, transport, spoil);
    ASSERT_THAT(outcome, IsOk());
    EXPECT_FALSE(outcome->committed);
    EXPECT_THAT(
        outcome->reason,
        HasSubstr(store.rank() == kC
                      ? "expert 1 came to worker 2 with a wrong checksum"
                      : "worker 2 did not get what it was sent"));
    EXPECT_EQ(store.home_of_expert(), ContiguousPlacement(kWorkers, kExperts));
    ExpectIntact(store);

    // Nothing stands in the way of the next try.
    const auto again = MoveExperts({{&store, SwapAndOneMore()}}, transport);
    ASSERT_THAT(again, IsOk());
    EXPECT_TRUE(again->committed);
    ExpectIntact(store);
  });
}

class DeathWhileMovingTest : public MoveExpertsTest,
                             public ::testing::WithParamInterface<MovePoint> {};

// Worker 2 ends the group at the named point: before the vote every expert is
// at its old home, after it at its new one, whole.
TEST_P(DeathWhileMovingTest, LeavesNoExpertLostOrHalf) {
  std::barrier all_committed(kWorkers);
  std::mutex mutex;
  std::vector<int> homes(kExperts);
  OnAllRanks([&](Transport& transport, ExpertStore& store) {
    const auto die = [&](MovePoint point, absl::Span<std::byte>) {
      if (point == MovePoint::kAfterCommit) all_committed.arrive_and_wait();
      if (point != GetParam() || store.rank() != kC) return;
      transport.Abort(absl::CancelledError("killed"));
    };
    const auto outcome =
        MoveExperts({{&store, SwapAndOneMore()}}, transport, die);
    const bool committed = outcome.ok() && outcome->committed;
    EXPECT_EQ(committed, GetParam() == MovePoint::kAfterCommit)
        << outcome.status();
    ExpectIntact(store);
    const std::lock_guard<std::mutex> lock(mutex);
    for (const ExpertId expert : store.home_experts()) {
      ++homes[expert.index()];
    }
  });
  EXPECT_THAT(homes, ::testing::Each(1));
}

INSTANTIATE_TEST_SUITE_P(AtEveryPoint, DeathWhileMovingTest,
                         ::testing::Values(MovePoint::kBeforeSend,
                                           MovePoint::kMidTransfer,
                                           MovePoint::kArrived,
                                           MovePoint::kBeforeCommit,
                                           MovePoint::kAfterCommit),
                         [](const auto& test_case) {
                           switch (test_case.param) {
                             case MovePoint::kBeforeSend:
                               return "BeforeSend";
                             case MovePoint::kMidTransfer:
                               return "MidTransfer";
                             case MovePoint::kArrived:
                               return "Arrived";
                             case MovePoint::kBeforeCommit:
                               return "BeforeCommit";
                             case MovePoint::kAfterCommit:
                               return "AfterCommit";
                           }
                           return "";
                         });

}  // namespace
}  // namespace balancemoe::worker
