#include "worker/transport/gloo/gloo_group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "tests/fixtures/status_matchers.h"
#include "worker/transport/gloo/gloo_device.h"
#include "worker/transport/gloo/gloo_heart_loop.h"
#include "worker/transport/gloo/gloo_mesh.h"
#include "worker/transport/local_rendezvous.h"

namespace balancemoe::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

GroupOptions OptionsOf(int32_t rank, int32_t world_size) {
  return {.rank = WorkerRank(rank), .world_size = world_size};
}

// By rank.
std::vector<GlooMesh> ConnectMeshes(int32_t world_size) {
  auto device = CreateGlooDevice({});
  EXPECT_THAT(device, IsOk());
  LocalRendezvous rendezvous;
  std::vector<GlooMesh> meshes(static_cast<size_t>(world_size));
  std::vector<std::thread> threads;
  for (int32_t rank = 0; rank < world_size; ++rank) {
    threads.emplace_back([&, rank] {
      auto mesh = ConnectGlooMesh(OptionsOf(rank, world_size), Generation(1),
                                  *device, rendezvous);
      ASSERT_THAT(mesh, IsOk());
      meshes[static_cast<size_t>(rank)] = *std::move(mesh);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return meshes;
}

gloo::transport::Context& Control(const GlooMesh& mesh) {
  return *mesh[static_cast<size_t>(GlooPurpose::kControl)];
}

// One end of a control connection that does nothing of its own accord, and all
// that it hears.
class Ear {
 public:
  Ear(const GlooMesh& mesh, int32_t peer)
      : heart_(Control(mesh), WorkerRank(peer),
               [this](WorkerRank, GlooNews news, absl::string_view text) {
                 OnNews(news, text);
               }) {}

  GlooHeartLoop& heart() { return heart_; }
  // Takes what comes after the greeting only from Release() on.
  void Hold() { held_ = true; }
  void Release() { released_.set_value(); }
  // Waits for what ends the loop.
  std::vector<std::pair<GlooNews, std::string>> HeardToTheEnd() {
    ended_.get_future().wait();
    MutexLock lock(&mutex_);
    return heard_;
  }

 private:
  void OnNews(GlooNews news, absl::string_view text) {
    {
      MutexLock lock(&mutex_);
      heard_.emplace_back(news, text);
    }
    if (news != GlooNews::kConnected) {
      ended_.set_value();
    } else if (held_) {
      released_.get_future().wait();
    }
  }

  bool held_ = false;
  std::promise<void> released_;
  std::promise<void> ended_;
  Mutex mutex_;
  std::vector<std::pair<GlooNews, std::string>> heard_ ABSL_GUARDED_BY(mutex_);
  GlooHeartLoop heart_;
};

TEST(GlooHeartLoopTest, APeerThatWasBusyHearsEveryNoteInOrder) {
  const std::vector<GlooMesh> meshes = ConnectMeshes(2);
  Ear teller(meshes[0], 1);
  Ear busy(meshes[1], 0);

  teller.heart().Tell(GlooNews::kConnected, "");
  teller.heart().Tell(GlooNews::kAborted, "disk full");
  busy.heart().Start();

  EXPECT_THAT(busy.HeardToTheEnd(),
              ElementsAre(Pair(GlooNews::kConnected, ""),
                          Pair(GlooNews::kAborted, "disk full")));
}

// Ready when the connection from `mesh` to `peer` that carries data breaks.
std::future<void> DataConnectionBreaks(const GlooMesh& mesh, int32_t peer) {
  auto& context = *mesh[static_cast<size_t>(GlooPurpose::kTransfers)];
  return std::async(std::launch::async, [&context, peer] {
    char byte = 0;
    const auto buffer = context.createUnboundBuffer(&byte, 1);
    const auto receive = [&] {
      buffer->recv(peer, /*slot=*/1, 0, 1);
      buffer->waitRecv(std::chrono::minutes(1));
    };
    EXPECT_THROW(receive(), std::exception);
  });
}

TEST(GlooGroupTest, LeavingIsNotDisturbedByOthersThatLeave) {
  std::vector<GlooMesh> meshes = ConnectMeshes(3);
  auto leaver = std::make_unique<GlooGroup>(OptionsOf(0, 3), meshes[0]);
  auto gone = std::make_unique<Ear>(meshes[1], 0);
  Ear stays(meshes[2], 0);
  stays.Hold();
  for (Ear* ear : {gone.get(), &stays}) {
    ear->heart().Start();
    ear->heart().Tell(GlooNews::kConnected, "");
  }
  ASSERT_THAT(leaver->Greet(absl::Seconds(20)), IsOk());
  const std::future<void> broken = DataConnectionBreaks(meshes[2], 0);

  // The one that stays is too busy to hear of it, so leaving takes a while.
  meshes[0] = {};
  std::thread leaving([&] { leaver = nullptr; });
  // Another hears of it and goes, without a word to one that reads no more.
  EXPECT_THAT(gone->HeardToTheEnd(), ElementsAre(Pair(GlooNews::kConnected, ""),
                                                 Pair(GlooNews::kLeaving, "")));
  gone = nullptr;
  meshes[1] = {};

  // What the leaver sent may still be on its way on this connection.
  EXPECT_EQ(broken.wait_for(std::chrono::milliseconds(200)),
            std::future_status::timeout);
  stays.Release();
  EXPECT_THAT(stays.HeardToTheEnd(), ElementsAre(Pair(GlooNews::kConnected, ""),
                                                 Pair(GlooNews::kLeaving, "")));
  leaving.join();
}

}  // namespace
}  // namespace balancemoe::worker
