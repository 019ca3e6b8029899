#include "tests/integration/coordinator_process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/check.h"
#include "common/clock.h"

namespace balancemoe {
namespace {

constexpr char kPortFile[] = "ports.json";
// Far beyond what it takes on a busy machine.
constexpr absl::Duration kPatience = absl::Seconds(60);

struct ReservedPort {
  int socket = -1;
  std::string address;
};

// Takes a free loopback port out of circulation. While a socket is bound to it,
// the kernel gives it to nobody who asks for any free port, neither to listen
// nor as the near end of a connection; without this, whoever asks while the
// coordinator is down may get it. A socket that does not listen lets another
// with SO_REUSEADDR listen there, as gRPC's do.
ReservedPort ReservePort() {
  ReservedPort port;
  port.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  BMOE_CHECK(setsockopt(port.socket, SOL_SOCKET, SO_REUSEADDR, &yes,
                        sizeof(yes)) == 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  BMOE_CHECK(bind(port.socket, any, length) == 0);
  BMOE_CHECK(getsockname(port.socket, any, &length) == 0);
  port.address = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
  return port;
}

// Sees files that are moved into a directory from its construction on.
class ArrivingFiles {
 public:
  explicit ArrivingFiles(std::string directory)
      : directory_(std::move(directory)),
        events_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
    BMOE_CHECK(inotify_add_watch(events_, directory_.c_str(), IN_MOVED_TO) >=
               0);
  }
  ~ArrivingFiles() { close(events_); }
  ArrivingFiles(const ArrivingFiles&) = delete;
  ArrivingFiles& operator=(const ArrivingFiles&) = delete;

  // Whether `name` is there before child `pid` ends and patience with it.
  bool Await(const std::string& name, pid_t pid) {
    const std::string path = absl::StrCat(directory_, "/", name);
    const int child = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    BMOE_CHECK(child >= 0);
    const SteadyClock clock;
    const absl::Time end = clock.Now() + kPatience;
    bool waiting = true;
    while (waiting && !std::filesystem::exists(path)) {
      pollfd watched[] = {{events_, POLLIN, 0}, {child, POLLIN, 0}};
      const int64_t left = absl::ToInt64Milliseconds(end - clock.Now());
      waiting = left > 0 && poll(watched, 2, static_cast<int>(left)) > 0 &&
                watched[1].revents == 0;
      char event[4096];
      while (read(events_, event, sizeof(event)) > 0) {
      }
    }
    close(child);
    return std::filesystem::exists(path);
  }

 private:
  const std::string directory_;
  const int events_;
};

}  // namespace

CoordinatorProcess::CoordinatorProcess(std::vector<std::string> flags)
    : flags_(std::move(flags)) {
  std::string pattern =
      std::filesystem::temp_directory_path() / "balancemoe-coordinator-XXXXXX";
  BMOE_CHECK(mkdtemp(pattern.data()) != nullptr);
  directory_ = pattern;
  ReservedPort port = ReservePort();
  reserved_ = port.socket;
  address_ = std::move(port.address);
  Start();
}

CoordinatorProcess::~CoordinatorProcess() {
  Kill();
  close(reserved_);
  std::filesystem::remove_all(directory_);
}

void CoordinatorProcess::Start() {
  BMOE_CHECK(pid_ == 0);
  const std::string port_file = absl::StrCat(directory_, "/", kPortFile);
  std::filesystem::remove(port_file);
  ArrivingFiles files(directory_);
  std::vector<std::string> arguments = {
      absl::StrCat(std::getenv("BALANCEMOE_BIN_DIR"),
                   "/balancemoe-coordinator"),
      "--listen=" + address_, "--http-listen=127.0.0.1:0",
      "--state-dir=" + state_directory(), "--port-file=" + port_file,
      "--heartbeat-interval-ms=100",
      // A busy machine may hold a worker up.
      "--report-deadline-ms=5000"};
  arguments.insert(arguments.end(), flags_.begin(), flags_.end());
  Spawn(std::move(arguments));
  BMOE_CHECK(files.Await(kPortFile, pid_));
  http_address_ = nlohmann::json::parse(std::ifstream(port_file)).at("http");
}

// Not by ChildProcess, whose children end with the thread that starts them:
// tests start this one from threads that end sooner.
void CoordinatorProcess::Spawn(std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  BMOE_CHECK(
      posix_spawn(&pid_, argv[0], nullptr, nullptr, argv.data(), environ) == 0);
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

int CoordinatorProcess::AwaitExit() {
  int status = 0;
  BMOE_CHECK(waitpid(pid_, &status, 0) == pid_);
  pid_ = 0;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace balancemoe
