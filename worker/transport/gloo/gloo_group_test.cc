#include "worker/transport/gloo/gloo_group.h"

#include <gloo/transport/tcp/device.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
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
#include "worker/transport/gloo/gloo_tags.h"
#include "worker/transport/local_rendezvous.h"

namespace balancemoe::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

GroupOptions OptionsOf(int32_t rank, int32_t world_size) {
  return {.rank = WorkerRank(rank),
          .world_size = world_size,
          .operation_timeout = absl::Seconds(30)};
}

using Devices = std::vector<std::shared_ptr<gloo::transport::Device>>;

// One for each rank, as in processes of their own.
Devices MakeDevices(int32_t world_size) {
  Devices devices;
  for (int32_t rank = 0; rank < world_size; ++rank) {
    auto device = CreateGlooDevice({});
    EXPECT_THAT(device, IsOk());
    devices.push_back(*std::move(device));
  }
  return devices;
}

// By rank.
std::vector<GlooMesh> ConnectMeshes(const Devices& devices) {
  const auto world_size = static_cast<int32_t>(devices.size());
  LocalRendezvous rendezvous;
  std::vector<GlooMesh> meshes(devices.size());
  std::vector<std::thread> threads;
  for (int32_t rank = 0; rank < world_size; ++rank) {
    threads.emplace_back([&, rank] {
      const auto place = static_cast<size_t>(rank);
      auto mesh = ConnectGlooMesh(OptionsOf(rank, world_size), Generation(1),
                                  devices[place], rendezvous);
      ASSERT_THAT(mesh, IsOk());
      meshes[place] = *std::move(mesh);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return meshes;
}

gloo::transport::Context& Control(const GlooMesh& mesh) {
  return *mesh[static_cast<size_t>(GlooPurpose::kControl)];
}

// One end of a control connection that does nothing of its own accord, and what
// it hears, to the first word after the greeting.
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
  void AwaitGreeting() { greeted_.get_future().wait(); }
  // Waits for that word.
  std::vector<std::pair<GlooNews, std::string>> Heard() {
    ended_.get_future().wait();
    MutexLock lock(&mutex_);
    return heard_;
  }

 private:
  void OnNews(GlooNews news, absl::string_view text) {
    {
      MutexLock lock(&mutex_);
      if (!heard_.empty() && heard_.back().first != GlooNews::kConnected) {
        return;
      }
      heard_.emplace_back(news, text);
    }
    if (news != GlooNews::kConnected) {
      ended_.set_value();
      return;
    }
    greeted_.set_value();
    if (held_) released_.get_future().wait();
  }

  bool held_ = false;
  std::promise<void> released_;
  std::promise<void> greeted_;
  std::promise<void> ended_;
  Mutex mutex_;
  std::vector<std::pair<GlooNews, std::string>> heard_ ABSL_GUARDED_BY(mutex_);
  GlooHeartLoop heart_;
};

TEST(GlooHeartLoopTest, APeerThatWasBusyHearsEveryNoteInOrder) {
  const std::vector<GlooMesh> meshes = ConnectMeshes(MakeDevices(2));
  Ear teller(meshes[0], 1);
  Ear busy(meshes[1], 0);

  teller.heart().Tell(GlooNews::kConnected, "");
  teller.heart().Tell(GlooNews::kAborted, "disk full");
  busy.heart().Start();

  EXPECT_THAT(busy.Heard(), ElementsAre(Pair(GlooNews::kConnected, ""),
                                        Pair(GlooNews::kAborted, "disk full")));
}

// Holds up the thread that serves the connections of a device.
class HeldDevice final : public gloo::transport::tcp::Handler {
 public:
  explicit HeldDevice(gloo::transport::Device& device)
      : device_(dynamic_cast<gloo::transport::tcp::Device&>(device)),
        event_(eventfd(/*initval=*/1, EFD_CLOEXEC)) {
    device_.registerDescriptor(event_, EPOLLIN, this);
    holds_.get_future().wait();
  }
  ~HeldDevice() override {
    device_.unregisterDescriptor(event_, this);
    close(event_);
  }

  void Release() { released_.set_value(); }

 private:
  void handleEvents(int) override {
    holds_.set_value();
    released_.get_future().wait();
    eventfd_t value;
    eventfd_read(event_, &value);
  }

  gloo::transport::tcp::Device& device_;
  const int event_;
  std::promise<void> holds_;
  std::promise<void> released_;
};

TEST(GlooHeartLoopTest, WhatIsToldIntoAConnectionThatHasJustEndedIsGivenUp) {
  const Devices devices = MakeDevices(2);
  std::vector<GlooMesh> meshes = ConnectMeshes(devices);
  Ear teller(meshes[0], 1);
  teller.heart().Start();
  {
    // A peer that asks for a first note, greets, and goes.
    std::array<char, 2000> first_note;
    const auto asked = Control(meshes[1]).createUnboundBuffer(
        first_note.data(), first_note.size());
    asked->recv(0, NoteTag(0), 0, first_note.size());
    Ear gone(meshes[1], 0);
    gone.heart().Tell(GlooNews::kConnected, "");
    teller.AwaitGreeting();
  }
  HeldDevice held(*devices[0]);
  meshes[1] = {};

  teller.heart().Tell(GlooNews::kLeaving, "");
  const auto flushed = std::async(std::launch::async, [&teller] {
    teller.heart().Flush(absl::Minutes(1));
  });
  held.Release();

  EXPECT_EQ(flushed.wait_for(std::chrono::seconds(20)),
            std::future_status::ready);
  EXPECT_THAT(teller.Heard(), ElementsAre(Pair(GlooNews::kConnected, ""),
                                          Pair(GlooNews::kGone, "")));
}

// Two workers, of which one asks for two messages, takes the first and leaves.
class GlooLeavingTest : public ::testing::Test {
 protected:
  GlooLeavingTest()
      : devices_(MakeDevices(2)),
        meshes_(ConnectMeshes(devices_)),
        group_(OptionsOf(0, 2), meshes_[0]),
        first_(group_, GlooPurpose::kTransfers, WorkerRank(1), &sent_, 1),
        second_(group_, GlooPurpose::kTransfers, WorkerRank(1), &sent_, 1) {
    char received = 0;
    const auto asked = meshes_[1][static_cast<size_t>(GlooPurpose::kTransfers)]
                           ->createUnboundBuffer(&received, 1);
    asked->recv(0, /*slot=*/2, 0, 1);
    asked->recv(0, /*slot=*/1, 0, 1);
    Ear leaver(meshes_[1], 0);
    leaver.heart().Start();
    leaver.heart().Tell(GlooNews::kConnected, "");
    EXPECT_THAT(group_.Greet(absl::Seconds(20)), IsOk());
    first_.Send(/*tag=*/1, 1);
    EXPECT_TRUE(asked->waitRecv(std::chrono::seconds(20)));
    leaver.heart().Tell(GlooNews::kLeaving, "");
    leaver.heart().Flush(absl::Seconds(20));
  }

  void EndConnections() { meshes_[1] = {}; }

  char sent_ = 0;
  const Devices devices_;
  std::vector<GlooMesh> meshes_;
  GlooGroup group_;
  GlooBuffer first_;
  GlooBuffer second_;
};

TEST_F(GlooLeavingTest, ASendToOneThatHasJustLeftSaysSo) {
  HeldDevice held(*devices_[0]);
  EndConnections();

  second_.Send(/*tag=*/2, 1);
  auto status =
      std::async(std::launch::async, [this] { return second_.WaitSent(); });
  held.Release();

  ASSERT_EQ(status.wait_for(std::chrono::seconds(20)),
            std::future_status::ready);
  EXPECT_THAT(status.get(), IsStatus(absl::StatusCode::kUnavailable,
                                     HasSubstr("worker 1 has left the group")));
}

TEST_F(GlooLeavingTest, WhatItTookBeforeIsSent) {
  EndConnections();
  // Once this has failed, the group is about to learn of the end too.
  char nothing = 0;
  const auto asked =
      group_.context(GlooPurpose::kControl).createUnboundBuffer(&nothing, 1);
  const auto receive = [&] {
    asked->recv(1, /*slot=*/1, 0, 1);
    asked->waitRecv(std::chrono::seconds(20));
  };
  EXPECT_THROW(receive(), std::exception);

  EXPECT_THAT(first_.WaitSent(), IsOk());
  EXPECT_THAT(group_.status(), IsOk());
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
  std::vector<GlooMesh> meshes = ConnectMeshes(MakeDevices(3));
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
  EXPECT_THAT(gone->Heard(), ElementsAre(Pair(GlooNews::kConnected, ""),
                                         Pair(GlooNews::kLeaving, "")));
  gone = nullptr;
  meshes[1] = {};

  // What the leaver sent may still be on its way on this connection.
  EXPECT_EQ(broken.wait_for(std::chrono::milliseconds(200)),
            std::future_status::timeout);
  stays.Release();
  EXPECT_THAT(stays.Heard(), ElementsAre(Pair(GlooNews::kConnected, ""),
                                         Pair(GlooNews::kLeaving, "")));
  leaving.join();
}

}  // namespace
}  // namespace balancemoe::worker
