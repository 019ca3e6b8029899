#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>

#include "common/clock.h"
#include "worker/moe/testing/recording_transport.h"
#include "worker/moe/testing/small_layer.h"
#include "worker/moe/testing/training.h"

namespace balancemoe::worker {
namespace {

// One pass of both workers, forward or backward.
struct Pass {
  std::array<absl::Time, 2> began;
  std::array<absl::Time, 2> ended;
  // When worker 0 had come to where it waits for worker 1, which stays away
  // until then.
  absl::Time came;
  std::atomic<bool> has_come = false;
};

// Something that takes a while.
void DoOtherWork() {
  const torch::Tensor square = Values({400, 400}, 1);
  for (int i = 0; i < 10; ++i) square.mm(square);
}

class LayerTimesTest : public ::testing::Test {
 protected:
  // Worker 1 runs `run` once worker 0 waits for it and other work has been
  // done.
  void RunPass(WorkerRank self, Pass& pass, const std::function<void()>& run) {
    if (self == WorkerRank(1)) {
      pass.has_come.wait(false);
      DoOtherWork();
    }
    pass.began[self.index()] = clock_.Now();
    if (self == WorkerRank(0)) current_ = &pass;
    run();
    pass.ended[self.index()] = clock_.Now();
  }

  WorkerGroupOptions Group() {
    WorkerGroupOptions group = SmallGroup(2, nullptr);
    group.wrap = [this](TransportFactory factory) {
      return Recorded(std::move(factory),
                      [this](WorkerRank rank) -> RecordingTransport::Observer {
                        if (rank != WorkerRank(0)) return nullptr;
                        return [this](const std::string&) {
                          Come();
                          return absl::OkStatus();
                        };
                      });
    };
    return group;
  }

  // The most that worker 0 may count of a pass: its own way to where it waits,
  // and all from when worker 1 began.
  static absl::Duration Most(const Pass& pass) {
    return (pass.came - pass.began[0]) + (pass.ended[0] - pass.began[1]);
  }

 private:
  void Come() {
    if (current_ == nullptr || current_->has_come) return;
    current_->came = clock_.Now();
    current_->has_come = true;
    current_->has_come.notify_all();
  }

  const SteadyClock clock_;
  // Worker 0's.
  Pass* current_ = nullptr;
};

// A worker that waits for others to come has not begun with the layer: what
// they did before would count in two layers.
TEST_F(LayerTimesTest, BeginWhenTheLastWorkerHasCome) {
  Pass forward;
  Pass backward;
  std::array<MoeLayerTimes, 2> measured;
  RunWorkers(Group(), [&](LendingAgent& agent) {
    const WorkerRank self = agent.transport().rank();
    MoeLayerOptions options = SmallLayer();
    options.split_peer_wait = true;
    MoeLayer layer(options, agent);
    torch::Tensor out;
    RunPass(self, forward,
            [&] { out = layer->forward(Input(self.value())).sum(); });
    RunPass(self, backward, [&] { out.backward(); });
    measured[self.index()] = layer->last_times();
  });

  EXPECT_LE(measured[0].forward, Most(forward));
  EXPECT_LE(measured[0].backward, Most(backward));
  EXPECT_LE(measured[1].forward, forward.ended[1] - forward.began[1]);
  EXPECT_LE(measured[1].backward, backward.ended[1] - backward.began[1]);
  EXPECT_GT(measured[0].peer_wait, absl::ZeroDuration());
}

}  // namespace
}  // namespace balancemoe::worker
