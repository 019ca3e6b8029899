// The program: ports, state directory, signals, kill and restart.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "tests/fixtures/status_matchers.h"
#include "tests/integration/coordinator_metrics_page.h"
#include "tests/integration/coordinator_process.h"
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

// Runs the program, which ends by itself.
EndOfProgram RunToEnd(std::vector<std::string> arguments) {
  arguments.insert(
      arguments.begin(),
      std::string(getenv("BALANCEMOE_BIN_DIR")) + "/balancemoe-coordinator");
  worker::Command command;
  command.arguments = std::move(arguments);
  command.capture_stderr = true;
  const auto process = ChildProcess::Start(command);
  EXPECT_THAT(process, IsOk());
  EndOfProgram end;
  char buffer[4096];
  for (ssize_t n = 0;
       (n = read((*process)->stderr_fd(), buffer, sizeof(buffer))) > 0;) {
    end.errors.append(buffer, static_cast<size_t>(n));
  }
  const std::optional<int> status = (*process)->Await(kPatience);
  if (status.has_value()) end.exit_code = worker::ExitCode(*status);
  return end;
}

class CoordinatorProcessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "coordinator-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
};

TEST_F(CoordinatorProcessTest, TakenPortsAreNamedWithTheirFlag) {
  const CoordinatorProcess first;

  const EndOfProgram grpc =
      RunToEnd({"--listen", first.address(), "--http-listen", "127.0.0.1:0"});
  const EndOfProgram http = RunToEnd(
      {"--listen", "127.0.0.1:0", "--http-listen", first.http_address()});

  EXPECT_EQ(grpc.exit_code, 1);
  EXPECT_THAT(grpc.errors, AllOf(HasSubstr("--listen " + first.address()),
                                 HasSubstr("Address already in use")));
  EXPECT_EQ(http.exit_code, 1);
  EXPECT_THAT(http.errors,
              AllOf(HasSubstr("--http-listen " + first.http_address()),
                    HasSubstr("Address already in use")));
}

TEST_F(CoordinatorProcessTest, StateDirectoryIsForOneCoordinatorAtATime) {
  const CoordinatorProcess first;

  const EndOfProgram second =
      RunToEnd({"--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0",
                "--state-dir", first.state_directory()});

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
  CoordinatorProcess coordinator;
  CoordinatorTestWorker first(ConnectTo(coordinator.address()));
  first.Join(MakeRegistration("job", 0));
  const v1::Fencing before = first.fencing();
  coordinator.Kill();
  EXPECT_FALSE(first.ReadToEnd().ok());

  coordinator.Start();
  // A stale message finds no job here, and a worker in a group brings it along.
  CoordinatorTestWorker second(ConnectTo(coordinator.address()));
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
  CoordinatorProcess coordinator({"--drain-grace-ms=200"});
  CoordinatorTestWorker reader(ConnectTo(coordinator.address()));
  reader.Join(MakeRegistration("job", 0));
  CoordinatorTestWorker silent(ConnectTo(coordinator.address()));
  silent.Join(MakeRegistration("job", 1));

  coordinator.Signal(SIGTERM);
  const auto told = reader.Read();
  const absl::Status end = reader.ReadToEnd();

  ASSERT_TRUE(told.has_value() && told->has_drain());
  EXPECT_THAT(end, HasCode(absl::StatusCode::kUnavailable));
  EXPECT_EQ(coordinator.AwaitExit(), 0);
}

// Asks the readiness page until it says no.
bool AwaitNotReady(const std::string& http_address) {
  const SteadyClock clock;
  const absl::Time end = clock.Now() + kPatience;
  while (clock.Now() < end) {
    const auto page = GetPage(http_address, "/readyz");
    if (page && page->status == 503) return true;
  }
  return false;
}

TEST_F(CoordinatorProcessTest, SecondTerminationEndsItAtOnce) {
  CoordinatorProcess coordinator({"--drain-delay-ms=600000"});
  coordinator.Signal(SIGTERM);
  ASSERT_TRUE(AwaitNotReady(coordinator.http_address()));
  EXPECT_THAT(GetPage(coordinator.http_address(), "/readyz")->body,
              HasSubstr("drains"));
  EXPECT_EQ(GetPage(coordinator.http_address(), "/livez")->status, 200);

  coordinator.Signal(SIGTERM);

  EXPECT_EQ(coordinator.AwaitExit(), 0);
}

}  // namespace
}  // namespace balancemoe
