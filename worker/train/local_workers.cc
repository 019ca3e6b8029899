#include "worker/train/local_workers.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "worker/train/child_process.h"
#include "worker/train/worker_place.h"

namespace balancemoe::worker {
namespace {

// How long the others may go on after one has failed.
constexpr absl::Duration kFailureGrace = absl::Seconds(2);

void WriteToStderr(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
}

struct LocalWorker {
  std::unique_ptr<ChildProcess> process;
  // The wait status, once it has been noted.
  std::optional<int> ended;
  // Whether its standard error may have more to say.
  bool open = true;
  std::string unfinished_line;
};

class LocalWorkersLoop {
 public:
  LocalWorkersLoop() {
    const sigset_t signals = EndingSignals();
    signal_fd_ = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  ~LocalWorkersLoop() { close(signal_fd_); }

  absl::Status Start(const LocalWorkersOptions& options);

  // Waits for something to happen and reacts; false once all workers have
  // ended.
  bool Step();

  int exit_code() const { return exit_code_; }

 private:
  void TakeSignals();
  void NoteEnds();
  void NoteFailure(size_t rank, int wait_status);
  void Forward(size_t rank);
  void SignalAll(int signal);
  int PollTimeoutMs() const;

  const SteadyClock clock_;
  int signal_fd_ = -1;
  std::vector<LocalWorker> workers_;
  // When the workers that still run are killed.
  std::optional<absl::Time> kill_at_;
  int exit_code_ = 0;
};

absl::Status LocalWorkersLoop::Start(const LocalWorkersOptions& options) {
  WorkerPlace place;
  place.world_size = options.workers;
  place.local_world_size = options.workers;
  place.run_id = NewRunId();
  place.launcher_coordinator = options.coordinator;
  place.terminal = isatty(STDERR_FILENO) == 1;
  for (int32_t rank = 0; rank < options.workers; ++rank) {
    place.rank = WorkerRank(rank);
    place.local_rank = rank;
    Command command;
    command.arguments = options.arguments;
    command.arguments[0] = ThisProgram();
    command.environment = ToEnvironment(place);
    command.capture_stderr = true;
    LocalWorker worker;
    BMOE_ASSIGN_OR_RETURN(worker.process, ChildProcess::Start(command));
    fcntl(worker.process->stderr_fd(), F_SETFL, O_NONBLOCK);
    workers_.push_back(std::move(worker));
  }
  return absl::OkStatus();
}

bool LocalWorkersLoop::Step() {
  std::vector<pollfd> watched = {{signal_fd_, POLLIN, 0}};
  bool running = false;
  for (const LocalWorker& worker : workers_) {
    // A negative descriptor is skipped by poll.
    watched.push_back(
        {worker.open ? worker.process->stderr_fd() : -1, POLLIN, 0});
    running = running || !worker.ended.has_value() || worker.open;
  }
  if (!running) return false;
  poll(watched.data(), watched.size(), PollTimeoutMs());
  TakeSignals();
  for (size_t rank = 0; rank < workers_.size(); ++rank) {
    if (watched[rank + 1].revents != 0) Forward(rank);
  }
  NoteEnds();
  if (kill_at_.has_value() && clock_.Now() >= *kill_at_) SignalAll(SIGKILL);
  return true;
}

void LocalWorkersLoop::TakeSignals() {
  signalfd_siginfo received{};
  while (read(signal_fd_, &received, sizeof(received)) ==
         static_cast<ssize_t>(sizeof(received))) {
    const int signal = static_cast<int>(received.ssi_signo);
    if (signal == SIGCHLD) continue;
    exit_code_ = 128 + signal;
    // From here on the ends of workers are no failures.
    if (!kill_at_.has_value()) kill_at_ = clock_.Now() + kFailureGrace;
    SignalAll(SIGTERM);
  }
}

void LocalWorkersLoop::NoteEnds() {
  for (size_t rank = 0; rank < workers_.size(); ++rank) {
    LocalWorker& worker = workers_[rank];
    if (worker.ended.has_value()) continue;
    worker.ended = worker.process->Poll();
    if (worker.ended.value_or(0) != 0 && !kill_at_.has_value()) {
      NoteFailure(rank, *worker.ended);
    }
  }
}

void LocalWorkersLoop::NoteFailure(size_t rank, int wait_status) {
  exit_code_ = ExitCode(wait_status);
  kill_at_ = clock_.Now() + kFailureGrace;
  if (workers_[rank].open) Forward(rank);
  WriteToStderr(absl::StrCat("worker ", rank, " ended with ",
                             DescribeEnd(wait_status),
                             "; ending the others\n"));
}

void LocalWorkersLoop::Forward(size_t rank) {
  LocalWorker& worker = workers_[rank];
  char bytes[4096];
  ssize_t got = 0;
  while ((got = read(worker.process->stderr_fd(), bytes, sizeof(bytes))) > 0) {
    const std::string text(bytes, static_cast<size_t>(got));
    if (rank == 0) {
      // Carries the progress line, which comes without an end.
      WriteToStderr(text);
      continue;
    }
    worker.unfinished_line += text;
    size_t end = 0;
    while ((end = worker.unfinished_line.find('\n')) != std::string::npos) {
      WriteToStderr(absl::StrCat("[", rank, "] ",
                                 worker.unfinished_line.substr(0, end + 1)));
      worker.unfinished_line.erase(0, end + 1);
    }
  }
  if (got == 0) worker.open = false;
}

void LocalWorkersLoop::SignalAll(int signal) {
  for (const LocalWorker& worker : workers_) worker.process->Signal(signal);
}

int LocalWorkersLoop::PollTimeoutMs() const {
  if (!kill_at_.has_value()) return -1;
  const absl::Duration left = *kill_at_ - clock_.Now();
  return static_cast<int>(
      std::max<int64_t>(10, absl::ToInt64Milliseconds(left)));
}

}  // namespace

int RunLocalWorkers(const LocalWorkersOptions& options) {
  LocalWorkersLoop loop;
  const absl::Status started = loop.Start(options);
  if (!started.ok()) {
    WriteToStderr(absl::StrCat(started.message(), "\n"));
    return 1;
  }
  while (loop.Step()) {
  }
  return loop.exit_code();
}

}  // namespace balancemoe::worker
