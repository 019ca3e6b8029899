#include "worker/train/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace balancemoe::worker {
namespace {

// argv and envp as exec wants them, made before fork: the child of a process
// with threads must not allocate.
struct ExecArguments {
  explicit ExecArguments(const Command& command) {
    for (const std::string& argument : command.arguments) {
      argv.push_back(const_cast<char*>(argument.c_str()));
    }
    argv.push_back(nullptr);
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string name(*entry, strcspn(*entry, "="));
      bool replaced = false;
      for (const auto& [added, value] : command.environment) {
        replaced = replaced || added == name;
      }
      if (!replaced) lines.emplace_back(*entry);
    }
    for (const auto& [name, value] : command.environment) {
      lines.push_back(absl::StrCat(name, "=", value));
    }
    for (const std::string& line : lines) {
      envp.push_back(const_cast<char*>(line.c_str()));
    }
    envp.push_back(nullptr);
  }

  std::vector<std::string> lines;
  std::vector<char*> argv;
  std::vector<char*> envp;
};

[[noreturn]] void BecomeProgram(const Command& command,
                                const ExecArguments& arguments, int stderr_fd,
                                int error_fd, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have ended before the line above.
  if (getppid() != parent) _exit(127);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (stderr_fd >= 0) dup2(stderr_fd, STDERR_FILENO);
  if (!command.log_path.empty()) {
    const int log = open(command.log_path.c_str(),
                         O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
  }
  execve(arguments.argv[0], arguments.argv.data(), arguments.envp.data());
  const int error = errno;
  // The pipe is empty, so that four bytes fit; there is nobody else to tell.
  [[maybe_unused]] const ssize_t written =
      write(error_fd, &error, sizeof(error));
  _exit(127);
}

// Long enough for a child to end children of its own.
constexpr absl::Duration kStopGrace = absl::Seconds(5);

}  // namespace

sigset_t EndingSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGCHLD}) {
    sigaddset(&signals, signal);
  }
  return signals;
}

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(
    const Command& command) {
  const ExecArguments arguments(command);
  int stderr_pipe[2] = {-1, -1};
  int error_pipe[2];
  if ((command.capture_stderr && pipe2(stderr_pipe, O_CLOEXEC) != 0) ||
      pipe2(error_pipe, O_CLOEXEC) != 0) {
    return absl::InternalError(absl::StrCat("no pipe: ", strerror(errno)));
  }
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    BecomeProgram(command, arguments, stderr_pipe[1], error_pipe[1], parent);
  }
  const int fork_error = errno;
  close(error_pipe[1]);
  if (stderr_pipe[1] >= 0) close(stderr_pipe[1]);
  if (pid < 0) {
    close(error_pipe[0]);
    if (stderr_pipe[0] >= 0) close(stderr_pipe[0]);
    return absl::InternalError(absl::StrCat("fork: ", strerror(fork_error)));
  }
  std::unique_ptr<ChildProcess> child(new ChildProcess(pid, stderr_pipe[0]));
  int exec_error = 0;
  const ssize_t got = read(error_pipe[0], &exec_error, sizeof(exec_error));
  close(error_pipe[0]);
  if (got > 0) {
    return absl::InternalError(absl::StrCat(
        command.arguments[0], " cannot be started: ", strerror(exec_error)));
  }
  return child;
}

ChildProcess::~ChildProcess() {
  if (!Poll().has_value()) {
    Signal(SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (stderr_fd_ >= 0) close(stderr_fd_);
}

void ChildProcess::Signal(int signal) const {
  if (!wait_status_.has_value()) kill(pid_, signal);
}

std::optional<int> ChildProcess::Poll() {
  int status = 0;
  if (!wait_status_.has_value() && waitpid(pid_, &status, WNOHANG) == pid_) {
    wait_status_ = status;
  }
  return wait_status_;
}

std::optional<int> ChildProcess::Await(absl::Duration patience) {
  if (Poll().has_value()) return wait_status_;
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  if (pidfd >= 0) {
    pollfd ended{pidfd, POLLIN, 0};
    poll(&ended, 1, static_cast<int>(absl::ToInt64Milliseconds(patience)));
    close(pidfd);
  }
  return Poll();
}

void ChildProcess::Stop(absl::Duration grace) {
  if (Poll().has_value()) return;
  Signal(SIGTERM);
  if (Await(grace).has_value()) return;
  Signal(SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
  wait_status_ = status;
}

void BlockEndingSignals() {
  const sigset_t signals = EndingSignals();
  sigprocmask(SIG_BLOCK, &signals, nullptr);
}

int AwaitChild(ChildProcess& child) {
  const sigset_t signals = EndingSignals();
  while (true) {
    if (const auto ended = child.Poll()) return ExitCode(*ended);
    int signal = 0;
    sigwait(&signals, &signal);
    if (signal == SIGCHLD) continue;
    child.Stop(kStopGrace);
    return 128 + signal;
  }
}

std::string DescribeEnd(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    return absl::StrCat("signal ", WTERMSIG(wait_status), " (",
                        strsignal(WTERMSIG(wait_status)), ")");
  }
  return absl::StrCat("exit code ", WEXITSTATUS(wait_status));
}

int ExitCode(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status)
                                  : WEXITSTATUS(wait_status);
}

std::string ThisProgram() {
  return std::filesystem::read_symlink("/proc/self/exe").string();
}

std::string SiblingProgram(const std::string& name) {
  return (std::filesystem::path(ThisProgram()).parent_path() / name).string();
}

std::vector<std::string> ThisCommandLine() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> arguments;
  for (std::string one; std::getline(file, one, '\0');) {
    arguments.push_back(one);
  }
  return arguments;
}

}  // namespace balancemoe::worker
