// Workers that are real processes and die for real.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/clock.h"

namespace balancemoe::worker {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A second on a quiet machine. What it must not be is the operation time-out,
// which is minutes.
constexpr absl::Duration kSoon = absl::Seconds(5);

// A gloo_test_worker of a process of its own.
class WorkerProcess {
 public:
  WorkerProcess(const std::string& folder, int32_t rank, int32_t world_size) {
    int to_worker[2];
    int from_worker[2];
    EXPECT_EQ(pipe2(to_worker, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(from_worker, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to_worker[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from_worker[1], STDOUT_FILENO);
    std::vector<std::string> words = {BMOE_GLOO_TEST_WORKER, folder,
                                      std::to_string(rank),
                                      std::to_string(world_size)};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    EXPECT_EQ(posix_spawn(&process_, words[0].c_str(), &actions, nullptr,
                          arguments.data(), environ),
              0);
    posix_spawn_file_actions_destroy(&actions);
    close(to_worker[0]);
    close(from_worker[1]);
    to_worker_ = to_worker[1];
    from_worker_ = from_worker[0];
  }
  ~WorkerProcess() {
    close(to_worker_);
    Signal(SIGKILL);
    waitpid(process_, nullptr, 0);
    close(from_worker_);
  }
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  // Returns when the worker has begun.
  void Begin(const std::string& command) {
    const std::string line = command + "\n";
    ASSERT_EQ(write(to_worker_, line.data(), line.size()),
              static_cast<ssize_t>(line.size()));
    ASSERT_EQ(ReadLine(), "begin");
  }
  // How the command went.
  std::string Result() { return ReadLine(); }

  void Signal(int signal) { kill(process_, signal); }

 private:
  // Empty after 20 s without a line.
  std::string ReadLine() {
    std::string line;
    char next = 0;
    pollfd waiting = {.fd = from_worker_, .events = POLLIN, .revents = 0};
    while (poll(&waiting, 1, 20000) == 1 && read(from_worker_, &next, 1) == 1) {
      if (next == '\n') return line;
      line += next;
    }
    return "";
  }

  pid_t process_ = 0;
  int to_worker_ = -1;
  int from_worker_ = -1;
};

class GlooProcessTest : public ::testing::Test {
 protected:
  static constexpr int32_t kRanks = 4;
  // The one that dies.
  static constexpr int32_t kVictim = 2;

  GlooProcessTest()
      : folder_(std::filesystem::path(::testing::TempDir()) /
                absl::StrCat("gloo-", getpid(), "-", ++folders_)) {
    std::filesystem::create_directories(folder_);
    for (int32_t rank = 0; rank < kRanks; ++rank) Start(rank);
  }
  ~GlooProcessTest() override {
    workers_.clear();
    std::filesystem::remove_all(folder_);
  }

  void Start(int32_t rank) {
    workers_[rank] =
        std::make_unique<WorkerProcess>(folder_.string(), rank, kRanks);
  }

  void AllDo(const std::string& command) {
    for (auto& [rank, worker] : workers_) worker->Begin(command);
    for (auto& [rank, worker] : workers_) EXPECT_EQ(worker->Result(), "OK");
  }

  void SurvivorsBegin(const std::string& command) {
    for (auto& [rank, worker] : workers_) {
      if (rank != kVictim) worker->Begin(command);
    }
  }

  void Kill() { workers_[kVictim]->Signal(SIGKILL); }

  void ExpectSurvivorsNameTheVictimSoon() {
    const absl::Time killed = clock_.Now();
    for (auto& [rank, worker] : workers_) {
      if (rank == kVictim) continue;
      EXPECT_THAT(worker->Result(),
                  AllOf(StartsWith("UNAVAILABLE"), HasSubstr("worker 2")));
    }
    const absl::Duration took = clock_.Now() - killed;
    RecordProperty("survivors_ms",
                   static_cast<int>(absl::ToInt64Milliseconds(took)));
    EXPECT_LT(took, kSoon);
  }

  void ReplaceAndGoOn() {
    Start(kVictim);
    AllDo("form 2");
    AllDo("gather 100000");
  }

  std::map<int32_t, std::unique_ptr<WorkerProcess>> workers_;

 private:
  static inline int folders_ = 0;
  const std::filesystem::path folder_;
  const SteadyClock clock_;
};

TEST_F(GlooProcessTest, AKillDuringACollectiveIsToldToAllAndTheGroupRebuilt) {
  AllDo("form 1");
  SurvivorsBegin("barrier");

  Kill();

  ExpectSurvivorsNameTheVictimSoon();
  ReplaceAndGoOn();
}

TEST_F(GlooProcessTest, AKillDuringABigCollectiveIsToldToAll) {
  AllDo("form 1");
  workers_[kVictim]->Begin("gather 20000000");
  SurvivorsBegin("gather 20000000");

  Kill();

  ExpectSurvivorsNameTheVictimSoon();
  ReplaceAndGoOn();
}

TEST_F(GlooProcessTest, AKillDuringATransferIsToldToAll) {
  AllDo("form 1");
  workers_[0]->Begin("receive 2 200000000");
  workers_[1]->Begin("send 2 200000000");
  workers_[3]->Begin("receive 2 1");
  workers_[kVictim]->Begin("send 0 200000000");

  Kill();

  ExpectSurvivorsNameTheVictimSoon();
  ReplaceAndGoOn();
}

TEST_F(GlooProcessTest, AStoppedWorkerIsWaitedForUntilItIsKilled) {
  AllDo("form 1");
  workers_[kVictim]->Signal(SIGSTOP);
  SurvivorsBegin("gather 100000");

  Kill();

  ExpectSurvivorsNameTheVictimSoon();
  ReplaceAndGoOn();
}

TEST_F(GlooProcessTest, AStoppedWorkerThatGoesOnHasHarmedNothing) {
  AllDo("form 1");
  workers_[kVictim]->Signal(SIGSTOP);
  SurvivorsBegin("gather 100000");

  workers_[kVictim]->Signal(SIGCONT);
  workers_[kVictim]->Begin("gather 100000");

  for (auto& [rank, worker] : workers_) EXPECT_EQ(worker->Result(), "OK");
}

TEST_F(GlooProcessTest, AKillBeforeTheStartIsNamedByEverybody) {
  Kill();
  SurvivorsBegin("form 1");

  for (auto& [rank, worker] : workers_) {
    if (rank == kVictim) continue;
    EXPECT_THAT(worker->Result(), AllOf(StartsWith("DEADLINE_EXCEEDED"),
                                        HasSubstr("workers 2 did not come")));
  }
  ReplaceAndGoOn();
}

TEST_F(GlooProcessTest, AKillBetweenCollectivesIsToldByTheNext) {
  AllDo("form 1");
  AllDo("barrier");

  Kill();
  SurvivorsBegin("barrier");

  ExpectSurvivorsNameTheVictimSoon();
}

}  // namespace
}  // namespace balancemoe::worker
