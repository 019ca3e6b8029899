#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/mutex.h"
#include "worker/moe/moe_layer.h"
#include "worker/moe/testing/recording_transport.h"
#include "worker/moe/testing/training.h"

namespace balancemoe::worker {
namespace {

using ::testing::ElementsAre;

constexpr int64_t kHidden = 8;
constexpr int64_t kTokens = 48;
const WorkerRank kW0(0);
const WorkerRank kW1(1);

// Token t goes to expert t mod 6.
torch::Tensor RoundRobin(const torch::Tensor& logits) {
  return (torch::arange(logits.size(0)) % 6).unsqueeze(1);
}

// Worker 0 lends two of its experts, 0 to 2, to worker 1, which has 3 to 5.
std::vector<Lend> TwoLends(Iteration, LayerId, const LayerRouting&) {
  return {{ExpertId(2), kW0, kW1}, {ExpertId(0), kW0, kW1}};
}

// What each worker did, in order, forward and backward. A worker's tokens
// computed so far stand beside its waits; gradients of home experts are named.
using Events = std::map<int32_t, std::vector<std::string>>;

void RunOneIteration(LendingAgent& agent, MoeLayer& layer,
                     std::vector<std::string>& events) {
  layer->SetRouter(RoundRobin);
  for (auto& item : layer->experts().named_parameters()) {
    if (item.key().find("w1") == std::string::npos) continue;
    item.value().register_hook([&events, key = item.key()](torch::Tensor) {
      events.push_back(absl::StrCat("gradient of ", key));
    });
  }
  agent.BeginIteration(Iteration(0));
  const torch::Tensor input = Values({kTokens, kHidden}, 3).requires_grad_();
  const torch::Tensor out = layer->forward(input);
  events.push_back("backward");
  out.sum().backward();
  events.push_back("end");
}

Events Record() {
  Mutex mutex;
  Events events;
  std::map<int32_t, MoeLayer*> layers;
  const auto observer_of = [&](WorkerRank rank) {
    const MutexLock lock(&mutex);
    return [&mine = events[rank.value()],
            &layer = layers[rank.value()]](const std::string& what) {
      // The counts, which come before everything.
      if (what == "all-gather") return absl::OkStatus();
      mine.push_back(
          what == "wait"
              ? absl::StrCat("wait at ", (*layer)->last_times().tokens_computed)
              : what);
      return absl::OkStatus();
    };
  };
  const auto wrap = [&](TransportFactory factory) {
    return Recorded(std::move(factory), observer_of);
  };
  RunWorkers({.workers = 2,
              .experts = 6,
              .expert_bytes = ExpertShape{kHidden, 16}.bytes(),
              .lends = TwoLends,
              .wrap = wrap},
             [&](LendingAgent& agent) {
               MoeLayer layer(
                   MoeLayerOptions{
                       .hidden = kHidden, .ffn = 16, .experts = 6, .top_k = 1},
                   agent);
               const int32_t rank = agent.transport().rank().value();
               std::vector<std::string>* mine = nullptr;
               {
                 const MutexLock lock(&mutex);
                 layers[rank] = &layer;
                 mine = &events[rank];
               }
               RunOneIteration(agent, layer, *mine);
             });
  return events;
}

// Each expert has 16 tokens, 8 from either worker.
TEST(LendOrderTest, BorrowerComputesItsOwnExpertsBeforeItWaits) {
  Events events = Record();

  const auto& borrower = events[1];
  const auto backward = std::find(borrower.begin(), borrower.end(), "backward");
  EXPECT_THAT(std::vector<std::string>(borrower.begin(), backward),
              ElementsAre("receive from 0", "receive from 0", "all-to-all",
                          "wait at 48", "wait at 64", "all-to-all"));
}

TEST(LendOrderTest, BorrowedGradientsLeaveBeforeTheOwnExpertsBackward) {
  Events events = Record();

  const auto& borrower = events[1];
  const auto backward = std::find(borrower.begin(), borrower.end(), "backward");
  EXPECT_THAT(
      std::vector<std::string>(backward, borrower.end()),
      ElementsAre("backward", "all-to-all", "send to 0", "send to 0",
                  "gradient of 5.w1", "gradient of 4.w1", "gradient of 3.w1",
                  "all-to-all", "wait at 80", "wait at 80", "end"));
}

TEST(LendOrderTest, HomeStartsTransfersBeforeTokensAndWaitsAfterItsBackward) {
  Events events = Record();

  EXPECT_THAT(
      events[0],
      ElementsAre("send to 1", "send to 1", "all-to-all", "all-to-all",
                  "backward", "receive from 1", "receive from 1", "all-to-all",
                  "gradient of 1.w1", "all-to-all", "wait at 16", "wait at 16",
                  "gradient of 2.w1", "gradient of 0.w1",
                  // The two sends have ended, too.
                  "wait at 16", "wait at 16", "end"));
}

}  // namespace
}  // namespace balancemoe::worker
