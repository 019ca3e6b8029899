#ifndef BALANCEMOE_WORKER_TRAIN_CHILD_PROCESS_H_
#define BALANCEMOE_WORKER_TRAIN_CHILD_PROCESS_H_

#include <signal.h>
#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace balancemoe::worker {

// A program to start.
struct Command {
  // argv; the first is the program's path.
  std::vector<std::string> arguments;
  // Added to, or replacing, this process's environment.
  std::vector<std::pair<std::string, std::string>> environment;
  // Whether its standard error comes back through stderr_fd() instead of going
  // where this process's goes.
  bool capture_stderr = false;
  // File that takes its standard output and standard error; empty: they go
  // where this process's go.
  std::string log_path;
};

// A process that this one started and that does not outlive it: the kernel
// kills it when the starting thread ends, which must therefore be the main
// thread. Used from one thread.
class ChildProcess {
 public:
  // Errors: Internal, with the path, when the program cannot be started.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(
      const Command& command);

  // Kills the process if it still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  void Signal(int signal) const;

  // The wait status once the process has ended, see waitpid. Never blocks.
  std::optional<int> Poll();

  // The wait status once the process has ended; none when it still runs after
  // `patience`.
  std::optional<int> Await(absl::Duration patience);

  // Asks the process to end and waits; kills it after `grace`.
  void Stop(absl::Duration grace);

  pid_t pid() const { return pid_; }
  // Reading end of its standard error; -1 unless captured.
  int stderr_fd() const { return stderr_fd_; }

 private:
  ChildProcess(pid_t pid, int stderr_fd) : pid_(pid), stderr_fd_(stderr_fd) {}

  const pid_t pid_;
  const int stderr_fd_;
  std::optional<int> wait_status_;
};

// Waits for the end of `child`; asks it to end when this process gets SIGINT or
// SIGTERM. Returns its exit code, or 128 + that signal. The signals must be
// blocked, as BlockEndingSignals does.
int AwaitChild(ChildProcess& child);

// Lets SIGINT, SIGTERM and SIGCHLD wait until somebody asks for them, so that
// none is lost between the start of a child and the wait for it. Children start
// with nothing blocked.
void BlockEndingSignals();
// Those three.
sigset_t EndingSignals();

// "exit code 3", "signal 9 (Killed)", for a wait status.
std::string DescribeEnd(int wait_status);

// The code that a shell would show for a wait status.
int ExitCode(int wait_status);

// Absolute path of the program that runs, and of one that lies beside it.
std::string ThisProgram();
std::string SiblingProgram(const std::string& name);

// argv of this process.
std::vector<std::string> ThisCommandLine();

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_CHILD_PROCESS_H_
