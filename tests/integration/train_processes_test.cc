// balancemoe-train as people run it: processes over Gloo with a coordinator,
// and what happens when one of them dies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/io/trace_reader.h"
#include "tests/integration/coordinator_process.h"
#include "worker/train/child_process.h"
#include "worker/train/loss_agreement.h"
#include "worker/train/quota_routing.h"

namespace balancemoe::worker {
namespace {

using ::testing::HasSubstr;

// Far beyond what anything here takes on a busy machine.
constexpr absl::Duration kDeadline = absl::Minutes(3);

std::string Program(const std::string& name) {
  return absl::StrCat(std::getenv("BALANCEMOE_BIN_DIR"), "/", name);
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file),
          std::istreambuf_iterator<char>()};
}

// A program whose standard error is read along.
class Watched {
 public:
  explicit Watched(const std::vector<std::string>& arguments) {
    Command command;
    command.arguments = arguments;
    command.capture_stderr = true;
    auto child = ChildProcess::Start(command);
    EXPECT_TRUE(child.ok()) << child.status();
    if (child.ok()) process_ = *std::move(child);
  }

  // Reads until `done` holds of all that was said, or the program has closed
  // its standard error; false when time is up first.
  template <typename Predicate>
  bool ReadUntil(const Predicate& done) {
    const SteadyClock clock;
    const absl::Time deadline = clock.Now() + kDeadline;
    while (!done(said_)) {
      pollfd readable{process_->stderr_fd(), POLLIN, 0};
      const int64_t left = absl::ToInt64Milliseconds(deadline - clock.Now());
      if (left <= 0 || poll(&readable, 1, static_cast<int>(left)) <= 0) {
        return false;
      }
      char bytes[4096];
      const ssize_t got = read(process_->stderr_fd(), bytes, sizeof(bytes));
      if (got <= 0) return done(said_);
      said_.append(bytes, static_cast<size_t>(got));
    }
    return true;
  }
  bool ReadUntilSaid(const std::string& text) {
    return ReadUntil([&text](const std::string& said) {
      return absl::StrContains(said, text);
    });
  }

  // The exit code once the program has ended.
  int Await() {
    ReadUntil([](const std::string&) { return false; });
    const std::optional<int> status = process_->Await(kDeadline);
    return status.has_value() ? ExitCode(*status) : -1;
  }

  const std::string& said() const { return said_; }
  ChildProcess& process() { return *process_; }

 private:
  std::unique_ptr<ChildProcess> process_;
  std::string said_;
};

// The child of `parent` that is worker `rank`.
std::optional<pid_t> FindWorker(pid_t parent, int rank) {
  const std::string children =
      ReadFile(absl::StrCat("/proc/", parent, "/task/", parent, "/children"));
  for (const auto pid : absl::StrSplit(children, ' ', absl::SkipWhitespace())) {
    const std::string environment =
        ReadFile(absl::StrCat("/proc/", std::string(pid), "/environ"));
    for (const auto entry : absl::StrSplit(environment, '\0')) {
      if (entry == absl::StrCat("RANK=", rank)) {
        return static_cast<pid_t>(std::stol(std::string(pid)));
      }
    }
  }
  return std::nullopt;
}

class TrainProcessesTest : public ::testing::Test {
 protected:
  TrainProcessesTest() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    directory_ = absl::StrCat(::testing::TempDir(), "train_processes_",
                              getpid(), "_", test->name());
    std::filesystem::create_directories(directory_);
    std::ofstream(Path("costs.yaml"))
        << "us_per_token: 10\nlink_us_per_byte: 1e-6\n";
  }
  ~TrainProcessesTest() override { std::filesystem::remove_all(directory_); }

  std::string Path(const std::string& name) const {
    return absl::StrCat(directory_, "/", name);
  }

  std::vector<std::string> Train(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {
        Program("balancemoe-train"), absl::StrCat("--workers=", workers_),
        "--layers=2", "--experts=8", "--imbalance=1.6"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  // Steps of a few milliseconds. The cost model is given, so that lends pay in
  // every layer of every step, however fast the machine is.
  std::vector<std::string> Tiny(int64_t steps,
                                const std::string& policy) const {
    return {absl::StrCat("--steps=", steps),
            "--policy=" + policy,
            "--cost-model=" + Path("costs.yaml"),
            "--hidden=32",
            "--ffn=64",
            "--batch=2",
            "--seq=32"};
  }

  // As Tiny, and no plan is late on a machine that is slow or busy.
  std::vector<std::string> Patient(int64_t steps,
                                   const std::string& policy) const {
    std::vector<std::string> flags = Tiny(steps, policy);
    flags.push_back("--plan-deadline-ms=60000");
    flags.push_back("--report-deadline-ms=60000");
    return flags;
  }

  nlohmann::json Report(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = Train(more);
    arguments.push_back("--report=" + Path("report.json"));
    Watched run(arguments);
    EXPECT_EQ(run.Await(), 0) << run.said();
    return nlohmann::json::parse(ReadFile(Path("report.json")), nullptr, false);
  }

  std::string directory_;
  int workers_ = 2;
};

TEST_F(TrainProcessesTest, PoliciesLearnTheSameOverGlooAndLoopback) {
  constexpr int kSteps = 12;
  const auto alone = Report(Patient(kSteps, "static"));
  const auto lent = Report(Patient(kSteps, "pairwise"));
  std::vector<std::string> flags = Patient(kSteps, "pairwise");
  flags.push_back("--transport=loopback");
  const auto threads = Report(flags);

  EXPECT_EQ(alone["lends"], 0);
  for (const auto& other : {lent, threads}) {
    // In both layers, from the first step on.
    EXPECT_EQ(other["plans"]["used"], 2 * kSteps);
    EXPECT_GE(other["lends"], 2 * kSteps);
    EXPECT_EQ(alone["loss_sha256"], other["loss_sha256"]);
    EXPECT_EQ(alone["parameters_sha256"], other["parameters_sha256"]);
    EXPECT_EQ(alone["optimizer_sha256"], other["optimizer_sha256"]);
  }
}

// Four workers pass experts on to each other; UltraEP's send them from home.
TEST_F(TrainProcessesTest, SplitExpertsLearnTheSameUpToRoundingOverGloo) {
  constexpr int kSteps = 12;
  for (const char* policy : {"ultraep", "adaptive@inline"}) {
    workers_ = policy == std::string("ultraep") ? 2 : 4;
    const auto alone = Report(Patient(kSteps, "static"));
    std::vector<std::string> flags = Patient(kSteps, policy);
    const auto split = Report(flags);
    flags.push_back("--transport=loopback");
    const auto threads = Report(flags);
    // In both layers, from the first step on.
    EXPECT_EQ(split["plans"]["used"], 2 * kSteps);
    EXPECT_GE(split["lends_in_part"], 2 * kSteps);
    EXPECT_LE(split["imbalance"]["mean"], 1.02);
    EXPECT_LE(LargestDifference(alone["loss"].get<std::vector<float>>(),
                                split["loss"].get<std::vector<float>>()),
              1e-5);
    // The order of sums is the plan's, whatever carries the bytes.
    for (const char* digest : {"loss", "parameters", "optimizer"}) {
      const std::string key = absl::StrCat(digest, "_sha256");
      EXPECT_EQ(split[key], threads[key]) << policy;
    }
  }
}

TEST_F(TrainProcessesTest, PlansMadeAheadServeFromTheSecondStepsOnOverGloo) {
  constexpr int kSteps = 12;
  const auto alone = Report(Patient(kSteps, "static"));
  for (const char* policy : {"adaptive", "adaptive@ahead"}) {
    const auto ahead = Report(Patient(kSteps, policy));
    // Nobody waits for a plan, so that some steps may go by an older one, or
    // the first few by none.
    EXPECT_GE(ahead["plans"]["used"], kSteps) << policy;
    EXPECT_GE(ahead["lends_in_part"], kSteps) << policy;
    EXPECT_EQ(ahead["plans"]["late"], 0) << policy;
    EXPECT_LE(LargestDifference(alone["loss"].get<std::vector<float>>(),
                                ahead["loss"].get<std::vector<float>>()),
              1e-5)
        << policy;
  }
}

TEST_F(TrainProcessesTest, ExpertsMoveAndLearnTheSameOverGloo) {
  constexpr int kSteps = 30;
  const auto stayed = Report(Patient(kSteps, "static"));
  for (const char* policy : {"smartmoe", "pairwise-moves", "pairwise-dp"}) {
    const auto moved = Report(Patient(kSteps, policy));
    EXPECT_GE(moved["moves"], 2) << policy;
    EXPECT_EQ(moved["plans"]["refused"], 0) << policy;
    EXPECT_EQ(stayed["loss_sha256"], moved["loss_sha256"]) << policy;
    EXPECT_EQ(stayed["parameters_sha256"], moved["parameters_sha256"])
        << policy;
    EXPECT_EQ(stayed["optimizer_sha256"], moved["optimizer_sha256"]) << policy;
  }
}

TEST_F(TrainProcessesTest, KilledWorkerEndsTheRunAndIsNamed) {
  Watched run(Train(Tiny(1000000, "pairwise")));
  ASSERT_TRUE(run.ReadUntilSaid("loss")) << run.said();
  const auto worker = FindWorker(run.process().pid(), 1);
  ASSERT_TRUE(worker.has_value());

  kill(*worker, SIGKILL);

  EXPECT_EQ(run.Await(), 128 + SIGKILL);
  EXPECT_THAT(run.said(), HasSubstr("worker 1 ended with signal 9"));
}

TEST_F(TrainProcessesTest, CoordinatorRecordsEveryStepToTheToken) {
  const auto quota = QuotaCounts({.imbalance = 1.6,
                                  .workers = 2,
                                  .experts = 8,
                                  .top_k = 2,
                                  .tokens = 2 * 2 * 32});
  for (const char* policy : {"pairwise", "adaptive"}) {
    SCOPED_TRACE(policy);
    const std::string directory = Path(policy);
    CoordinatorProcess coordinator(
        {"--record-loads=" + directory, "--report-deadline-ms=60000"});
    std::vector<std::string> flags = Patient(12, policy);
    flags.push_back("--coordinator=" + coordinator.address());
    flags.push_back("--job-id=recorded");
    Report(flags);
    coordinator.Signal(SIGTERM);
    coordinator.AwaitExit();
    const auto trace = ReadTrace(directory + "/recorded-1.csv");
    ASSERT_TRUE(trace.ok()) << trace.status();

    EXPECT_EQ(trace->num_ranks, 2);
    EXPECT_EQ(trace->layers.size(), 2);
    EXPECT_EQ(trace->records.size(), 12 * trace->layers.size());
    for (const TraceRecord& record : trace->records) {
      std::vector<int64_t> of_expert(8);
      for (int32_t expert = 0; expert < 8; ++expert) {
        for (const int32_t rank : {0, 1}) {
          of_expert[static_cast<size_t>(expert)] +=
              record.tokens.At(WorkerRank(rank), ExpertId(expert));
        }
      }
      EXPECT_EQ(of_expert, *quota);
    }
  }
}

TEST_F(TrainProcessesTest, KilledRunGoesOnFromItsCheckpointToTheSameEnd) {
  std::vector<std::string> flags = Patient(100, "pairwise-moves");
  const auto undisturbed = Report(flags);
  flags.push_back("--checkpoint-dir=" + Path("checkpoints"));
  flags.push_back("--checkpoint-every=5");
  Watched run(Train(flags));
  ASSERT_TRUE(run.ReadUntilSaid(" 10/100")) << run.said();
  const auto worker = FindWorker(run.process().pid(), 1);
  ASSERT_TRUE(worker.has_value());
  kill(*worker, SIGKILL);
  EXPECT_EQ(run.Await(), 128 + SIGKILL);

  Watched forgetful(Train(flags));
  EXPECT_EQ(forgetful.Await(), 2);
  EXPECT_THAT(forgetful.said(), HasSubstr("go on from it with --resume"));
  flags.push_back("--resume");
  const auto resumed = Report(flags);

  EXPECT_GE(resumed["resumed_from_step"], 5);
  EXPECT_EQ(resumed["steps"],
            100 - resumed["resumed_from_step"].get<int64_t>());
  EXPECT_EQ(resumed["parameters_sha256"], undisturbed["parameters_sha256"]);
  EXPECT_EQ(resumed["optimizer_sha256"], undisturbed["optimizer_sha256"]);
}

TEST_F(TrainProcessesTest, TerminatedLauncherLeavesNoWorkerBehind) {
  Watched run(Train(Tiny(1000000, "pairwise")));
  ASSERT_TRUE(run.ReadUntilSaid("loss")) << run.said();
  const auto worker = FindWorker(run.process().pid(), 0);
  ASSERT_TRUE(worker.has_value());

  run.process().Signal(SIGTERM);

  EXPECT_EQ(run.Await(), 128 + SIGTERM);
  EXPECT_NE(kill(*worker, 0), 0);
}

TEST_F(TrainProcessesTest, UnreachableCoordinatorIsExitCodeFour) {
  // Port 1 of this machine, where nobody listens.
  Watched run(Train(
      {"--steps=2", "--coordinator=127.0.0.1:1", "--attach-timeout-s=1"}));

  EXPECT_EQ(run.Await(), 4) << run.said();
}

TEST_F(TrainProcessesTest, WrongFlagIsExitCodeTwoAndNamed) {
  Watched run(Train({"--steps=2", "--policy=astrology"}));

  EXPECT_EQ(run.Await(), 2);
  EXPECT_THAT(run.said(), HasSubstr("--policy"));
}

TEST_F(TrainProcessesTest, CostModelFileIsReadAndItsMistakesAreNamed) {
  std::ofstream(Path("wrong.yaml")) << "us_per_token: 10\nus_per_byte: 1\n";
  Watched run(Train({"--steps=2", "--cost-model=" + Path("wrong.yaml")}));

  EXPECT_EQ(run.Await(), 2);
  EXPECT_THAT(run.said(), HasSubstr("--cost-model: " + Path("wrong.yaml") +
                                    ":2: unknown key us_per_byte"));
}

TEST_F(TrainProcessesTest, KilledAndRestartedCoordinatorChangesNoLoss) {
  const std::vector<std::string> flags = Tiny(300, "pairwise");
  const auto undisturbed = Report(flags);
  CoordinatorProcess coordinator;
  std::vector<std::string> arguments = Train(flags);
  arguments.push_back("--coordinator=" + coordinator.address());
  arguments.push_back("--report=" + Path("disturbed.json"));
  Watched run(arguments);
  ASSERT_TRUE(run.ReadUntilSaid("loss")) << run.said();

  coordinator.Kill();
  coordinator.Start();

  EXPECT_EQ(run.Await(), 0) << run.said();
  const auto disturbed =
      nlohmann::json::parse(ReadFile(Path("disturbed.json")), nullptr, false);
  EXPECT_EQ(disturbed["loss_sha256"], undisturbed["loss_sha256"]);
  EXPECT_EQ(disturbed["parameters_sha256"], undisturbed["parameters_sha256"]);
}

TEST_F(TrainProcessesTest, StoppedCoordinatorChangesNoLoss) {
  const std::vector<std::string> flags = Tiny(100, "pairwise");
  const auto undisturbed = Report(flags);
  CoordinatorProcess coordinator;
  std::vector<std::string> arguments = Train(flags);
  arguments.push_back("--coordinator=" + coordinator.address());
  arguments.push_back("--report=" + Path("disturbed.json"));
  Watched run(arguments);
  ASSERT_TRUE(run.ReadUntilSaid("loss")) << run.said();

  coordinator.Signal(SIGSTOP);
  const int code = run.Await();
  coordinator.Signal(SIGCONT);

  EXPECT_EQ(code, 0) << run.said();
  const auto disturbed =
      nlohmann::json::parse(ReadFile(Path("disturbed.json")), nullptr, false);
  EXPECT_EQ(disturbed["loss_sha256"], undisturbed["loss_sha256"]);
}

}  // namespace
}  // namespace balancemoe::worker
