// The program: ports, state directory, signals, kill and restart.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/fixtures/status_matchers.h"
#include "tests/integration/coordinator_metrics_page.h"
#include "tests/integration/coordinator_test_worker.h"
#include "worker/train/child_process.h"

namespace balancemoe {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using worker::ChildProcess;

constexpr absl::Duration kPatience = absl::Seconds(20);

struct EndOfProgram {
  int exit_code = -1;
  std::string errors;
};

class CoordinatorProcessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "coordinator-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override {
    process_.reset();
    std::filesystem::remove_all(directory_);
  }

  static std::unique_ptr<ChildProcess> Start(
      std::vector<std::string> arguments) {
    arguments.insert(
        arguments.begin(),
        std::string(getenv("BALANCEMOE_BIN_DIR")) + "/balancemoe-coordinator");
    worker::Command command;
    command.arguments = std::move(arguments);
    command.capture_stderr = true;
    auto process = ChildProcess::Start(command);
    EXPECT_THAT(process, IsOk());
    return *std::move(process);
  }

  // Waits for the end of a program that is about to end.
  static EndOfProgram Await(ChildProcess& process) {
    EndOfProgram end;
    char buffer[4096];
    for (ssize_t n = 0;
         (n = read(process.stderr_fd(), buffer, sizeof(buffer))) > 0;) {
      end.errors.append(buffer, static_cast<size_t>(n));
    }
    std::optional<int> status;
    Until([&] { return (status = process.Poll()).has_value(); });
    if (status.has_value()) end.exit_code = worker::ExitCode(*status);
    return end;
  }
  static EndOfProgram RunToEnd(std::vector<std::string> arguments) {
    return Await(*Start(std::move(arguments)));
  }

  // A condition of another process can only be asked for again and again.
  static bool Until(const std::function<bool()>& holds) {
    const absl::Time deadline = absl::Now() + kPatience;
    while (!holds()) {
      if (absl::Now() > deadline) return false;
      absl::SleepFor(absl::Milliseconds(2));
    }
    return true;
  }

  // Starts the program on free ports, or `grpc`, and waits until it is ready.
  void Serve(std::vector<std::string> more = {},
             const std::string& grpc = "127.0.0.1:0") {
    const std::string port_file = directory_ + "/ports.json";
    std::filesystem::remove(port_file);
    std::vector<std::string> arguments = {
        "--listen",    grpc,          "--http-listen",
        "127.0.0.1:0", "--state-dir", directory_ + "/state",
        "--port-file", port_file};
    arguments.insert(arguments.end(), more.begin(), more.end());
    process_ = Start(arguments);
    ASSERT_TRUE(Until([&] { return std::filesystem::exists(port_file); }));
    std::ifstream file(port_file);
    const auto ports = nlohmann::json::parse(file);
    grpc_ = ports["grpc"];
    http_ = ports["http"];
  }

  std::string directory_;
  std::unique_ptr<ChildProcess> process_;
  std::string grpc_;
  std::string http_;
};

TEST_F(CoordinatorProcessTest, TakenPortsAreNamedWithTheirFlag) {
  Serve();

  const EndOfProgram grpc =
      RunToEnd({"--listen", grpc_, "--http-listen", "127.0.0.1:0"});
  const EndOfProgram http =
      RunToEnd({"--listen", "127.0.0.1:0", "--http-listen", http_});

  EXPECT_EQ(grpc.exit_code, 1);
  EXPECT_THAT(grpc.errors, AllOf(HasSubstr("--listen " + grpc_),
                                 HasSubstr("Address already in use")));
  EXPECT_EQ(http.exit_code, 1);
  EXPECT_THAT(http.errors, AllOf(HasSubstr("--http-listen " + http_),
                                 HasSubstr("Address already in use")));
}

TEST_F(CoordinatorProcessTest, StateDirectoryIsForOneCoordinatorAtATime) {
  Serve();

  const EndOfProgram second =
      RunToEnd({"--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0",
                "--state-dir", directory_ + "/state"});

  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.errors, HasSubstr("another coordinator uses it"));
}

TEST_F(CoordinatorProcessTest, DamagedStateIsRefusedNamingTheFile) {
  std::filesystem::create_directory(directory_ + "/state");
  std::ofstream(directory_ + "/state/epochs") << "balancemoe-epochs 1\nfloo";

  const EndOfProgram end =
      RunToEnd({"--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0",
                "--state-dir", directory_ + "/state"});

  EXPECT_EQ(end.exit_code, 1);
  EXPECT_THAT(end.errors, HasSubstr("/state/epochs:2: "));
}

TEST_F(CoordinatorProcessTest, WrongUseExitsWithTwoAndNamesTheCulprit) {
  const std::string file = directory_ + "/config.yaml";
  std::ofstream(file) << "max-jobs: 4\nmax-jbos: 5\n";

  const EndOfProgram key = RunToEnd({"--config", file});
  const EndOfProgram value = RunToEnd({"--max-jobs", "many"});
  const EndOfProgram flag = RunToEnd({"--max-jbos", "5"});
  const EndOfProgram open = RunToEnd({"--listen", "0.0.0.0:0"});

  EXPECT_EQ(key.exit_code, 2);
  EXPECT_THAT(key.errors, HasSubstr(file + ":2: unknown key max-jbos"));
  EXPECT_EQ(value.exit_code, 2);
  EXPECT_THAT(value.errors, HasSubstr("--max-jobs"));
  EXPECT_EQ(flag.exit_code, 2);
  EXPECT_THAT(flag.errors, HasSubstr("--max-jbos"));
  EXPECT_EQ(open.exit_code, 2);
  EXPECT_THAT(open.errors, HasSubstr("--allow-insecure"));
}

TEST_F(CoordinatorProcessTest, KilledCoordinatorComesBackWithAHigherEpoch) {
  Serve();
  CoordinatorTestWorker first(ConnectTo(grpc_));
  first.Join(MakeRegistration("job", 0));
  const v1::Fencing before = first.fencing();
  process_->Signal(SIGKILL);
  ASSERT_TRUE(Until([&] { return process_->Poll().has_value(); }));
  EXPECT_FALSE(first.ReadToEnd().ok());

  Serve({}, grpc_);
  // A stale message finds no job here, and a worker in a group brings it along.
  CoordinatorTestWorker second(ConnectTo(grpc_));
  second.fencing() = before;
  EXPECT_THAT(second.PutKey("key", "value"),
              HasCode(absl::StatusCode::kAborted));
  auto registration = MakeRegistration("job", 0);
  registration.set_generation(4);
  second.Join(registration);

  EXPECT_GT(second.fencing().job_epoch(), before.job_epoch());
  EXPECT_NE(second.fencing().coordinator_incarnation(),
            before.coordinator_incarnation());
  EXPECT_EQ(second.fencing().generation(), 4u);
}

TEST_F(CoordinatorProcessTest, TerminationDrainsEvenWithAWorkerThatNeverReads) {
  Serve({"--drain-grace-ms", "200"});
  CoordinatorTestWorker reader(ConnectTo(grpc_));
  reader.Join(MakeRegistration("job", 0));
  CoordinatorTestWorker silent(ConnectTo(grpc_));
  silent.Join(MakeRegistration("job", 1));

  process_->Signal(SIGTERM);
  const auto told = reader.Read();
  const absl::Status end = reader.ReadToEnd();

  ASSERT_TRUE(told.has_value() && told->has_drain());
  EXPECT_THAT(end, HasCode(absl::StatusCode::kUnavailable));
  EXPECT_EQ(Await(*process_).exit_code, 0);
}

TEST_F(CoordinatorProcessTest, SecondTerminationEndsItAtOnce) {
  Serve({"--drain-delay-ms", "600000"});
  process_->Signal(SIGTERM);
  ASSERT_TRUE(Until([&] {
    const auto page = GetPage(http_, "/readyz");
    return page && page->status == 503;
  }));
  EXPECT_THAT(GetPage(http_, "/readyz")->body, HasSubstr("drains"));
  EXPECT_EQ(GetPage(http_, "/livez")->status, 200);

  process_->Signal(SIGTERM);

  EXPECT_EQ(Await(*process_).exit_code, 0);
}

}  // namespace
}  // namespace balancemoe
