#include "tests/integration/agent_coordinator_process.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "common/check.h"
#include "common/clock.h"

namespace balancemoe {

CoordinatorProcess::CoordinatorProcess() {
  std::string pattern =
      std::filesystem::temp_directory_path() / "balancemoe-coordinator-XXXXXX";
  BMOE_CHECK(mkdtemp(pattern.data()) != nullptr);
  directory_ = pattern;
  Start();
}

CoordinatorProcess::~CoordinatorProcess() {
  Kill();
  std::filesystem::remove_all(directory_);
}

void CoordinatorProcess::Start() {
  BMOE_CHECK(pid_ == 0);
  const std::string port_file = directory_ + "/ports.json";
  std::filesystem::remove(port_file);
  const char* directory = std::getenv("BALANCEMOE_BIN_DIR");
  BMOE_CHECK(directory != nullptr);
  std::vector<std::string> arguments = {
      std::string(directory) + "/balancemoe-coordinator",
      "--listen=" + address_, "--http-listen=127.0.0.1:0",
      "--state-dir=" + directory_, "--port-file=" + port_file,
      "--heartbeat-interval-ms=100",
      // A busy machine may hold a worker up.
      "--report-deadline-ms=5000"};
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  BMOE_CHECK(
      posix_spawn(&pid_, argv[0], nullptr, nullptr, argv.data(), environ) == 0);

  const SteadyClock clock;
  const absl::Time end = clock.Now() + absl::Seconds(20);
  while (!std::filesystem::exists(port_file)) {
    BMOE_CHECK(clock.Now() < end);
    BMOE_CHECK(waitpid(pid_, nullptr, WNOHANG) == 0);
    std::this_thread::yield();
  }
  address_ = nlohmann::json::parse(std::ifstream(port_file)).at("grpc");
}

void CoordinatorProcess::Signal(int signal) {
  BMOE_CHECK(pid_ != 0);
  BMOE_CHECK(kill(pid_, signal) == 0);
}

void CoordinatorProcess::Kill() {
  if (pid_ == 0) return;
  Signal(SIGKILL);
  AwaitExit();
}

void CoordinatorProcess::AwaitExit() {
  BMOE_CHECK(waitpid(pid_, nullptr, 0) == pid_);
  pid_ = 0;
}

}  // namespace balancemoe
