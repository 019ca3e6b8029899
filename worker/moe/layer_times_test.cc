#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>

#include "common/clock.h"
#include "worker/moe/testing/small_layer.h"
#include "worker/moe/testing/training.h"

namespace balancemoe::worker {
namespace {

// When a worker began a pass and when it had ended it.
struct PassTimes {
  absl::Time began;
  absl::Time ended;
};

// Something that takes a while.
void DoOtherWork() {
  const torch::Tensor square = Values({400, 400}, 1);
  for (int i = 0; i < 10; ++i) square.mm(square);
}

// Worker 0 runs `pass` at once, worker 1 once worker 0 has begun and other work
// has been done.
PassTimes RunPass(WorkerRank self, std::atomic<bool>& begun,
                  const std::function<void()>& pass) {
  const SteadyClock clock;
  if (self == WorkerRank(1)) {
    begun.wait(false);
    DoOtherWork();
  }
  PassTimes times;
  times.began = clock.Now();
  begun = true;
  begun.notify_all();
  pass();
  times.ended = clock.Now();
  return times;
}

// A worker that waits for others to come has not begun with the layer: what
// they did before would count in two layers.
TEST(LayerTimesTest, BeginWhenTheLastWorkerHasCome) {
  std::array<PassTimes, 2> forward;
  std::array<PassTimes, 2> backward;
  std::array<MoeLayerTimes, 2> measured;
  std::atomic<bool> begun_forward = false;
  std::atomic<bool> begun_backward = false;
  RunWorkers(SmallGroup(2, nullptr), [&](LendingAgent& agent) {
    const WorkerRank self = agent.transport().rank();
    MoeLayerOptions options = SmallLayer();
    options.split_peer_wait = true;
    MoeLayer layer(options, agent);
    torch::Tensor out;
    forward[self.index()] = RunPass(self, begun_forward, [&] {
      out = layer->forward(Input(self.value())).sum();
    });
    backward[self.index()] =
        RunPass(self, begun_backward, [&] { out.backward(); });
    measured[self.index()] = layer->last_times();
  });

  for (size_t worker = 0; worker < 2; ++worker) {
    EXPECT_LE(measured[worker].forward,
              forward[worker].ended - forward[1].began);
    EXPECT_LE(measured[worker].backward,
              backward[worker].ended - backward[1].began);
  }
  EXPECT_GT(measured[0].peer_wait, absl::ZeroDuration());
}

}  // namespace
}  // namespace balancemoe::worker
