// What Gloo does to the process that it runs in.

#include "worker/transport/gloo/gloo_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/fixtures/status_matchers.h"
#include "worker/transport/gloo/gloo_transport.h"
#include "worker/transport/local_rendezvous.h"

namespace balancemoe::worker {
namespace {

using ::testing::HasSubstr;

// Of a thread of this process with that name.
std::optional<pid_t> ThreadNamed(const std::string& wanted) {
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (name == wanted) return std::stoi(task.path().filename());
  }
  return std::nullopt;
}

TEST(GlooDeviceTest, CallsLandInLibgloo) {
  EXPECT_THAT(CheckGlooLibrary(), IsOk());
}

TEST(GlooDeviceTest, TheLoopThreadYieldsAndTheCallerStaysAsItWas) {
  const int policy = sched_getscheduler(0);
  char name[16];
  pthread_getname_np(pthread_self(), name, sizeof(name));

  const auto device = CreateGlooDevice({});

  ASSERT_THAT(device, IsOk());
  const auto loop = ThreadNamed("bm-gloo-loop");
  ASSERT_TRUE(loop.has_value());
  EXPECT_EQ(sched_getscheduler(*loop), SCHED_BATCH);
  EXPECT_EQ(sched_getscheduler(0), policy);
  char name_after[16];
  pthread_getname_np(pthread_self(), name_after, sizeof(name_after));
  EXPECT_STREQ(name_after, name);
}

TEST(GlooDeviceTest, SigpipeIsIgnoredUnlessTheProgramHandlesIt) {
  std::signal(SIGPIPE, SIG_DFL);
  ASSERT_THAT(CreateGlooDevice({}), IsOk());
  EXPECT_EQ(std::signal(SIGPIPE, [](int) {}), SIG_IGN);

  ASSERT_THAT(CreateGlooDevice({}), IsOk());
  EXPECT_NE(std::signal(SIGPIPE, SIG_DFL), SIG_IGN);
}

TEST(GlooDeviceTest, AddressOrInterfaceIsNamedAndExists) {
  EXPECT_THAT(CreateGlooDevice({.address = "", .interface = ""}),
              HasCode(absl::StatusCode::kInvalidArgument));
  // An address for documentation, which no machine has.
  EXPECT_THAT(
      CreateGlooDevice({.address = "192.0.2.1"}),
      IsStatus(absl::StatusCode::kInvalidArgument, HasSubstr("192.0.2.1")));
  EXPECT_THAT(
      CreateGlooDevice({.interface = "nosuch0"}),
      IsStatus(absl::StatusCode::kInvalidArgument, HasSubstr("nosuch0")));
  EXPECT_THAT(CreateGlooDevice({.interface = "lo"}), IsOk());
}

// CPU time that this process uses while nobody does anything for 300 ms.
absl::Duration IdleCpuTime() {
  const auto cpu_time = [] {
    timespec now = {};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return absl::DurationFromTimespec(now);
  };
  LocalRendezvous nobody;
  const absl::Duration before = cpu_time();
  EXPECT_THAT(nobody.Get(Generation(1), "no key", absl::Milliseconds(300)),
              HasCode(absl::StatusCode::kDeadlineExceeded));
  return cpu_time() - before;
}

TEST(GlooDeviceTest, NothingSpinsWithReceivesPendingNorAfterTheirAbort) {
  LocalRendezvous rendezvous;
  std::unique_ptr<Transport> transports[2];
  std::thread threads[2];
  for (int32_t rank = 0; rank < 2; ++rank) {
    threads[rank] = std::thread([&, rank] {
      auto formed = GlooFactory()({.rank = WorkerRank(rank), .world_size = 2},
                                  rendezvous);
      ASSERT_THAT(formed, IsOk());
      transports[rank] = *std::move(formed);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<std::byte> sent(1 << 20);
  std::vector<std::byte> received(1 << 20);
  auto receive = transports[0]->StartTransfers(
      {{Transfer::Direction::kReceive, WorkerRank(1),
        absl::MakeSpan(received)}});
  // Sent half-way: its receiver wants nothing.
  auto send = transports[0]->StartTransfers(
      {{Transfer::Direction::kSend, WorkerRank(1), absl::MakeSpan(sent)}});
  EXPECT_LT(IdleCpuTime(), absl::Milliseconds(150));

  transports[0]->Abort(absl::CancelledError("enough"));
  receive->reset();
  send->reset();
  EXPECT_LT(IdleCpuTime(), absl::Milliseconds(150));
}

}  // namespace
}  // namespace balancemoe::worker
