#include "worker/transport/testing/remote_report.h"

#include <execinfo.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "common/clock.h"

namespace balancemoe::worker {
namespace {

constexpr int kStackSignal = SIGUSR2;
constexpr int kMostFrames = 64;
// A thread that blocks signals, or that the kernel holds, never answers.
constexpr absl::Duration kAnswer = absl::Milliseconds(200);

// Handlers can reach nothing else.
int asked_pipe[2];
std::atomic<bool> stack_printed;

void OnReportSignal(int) {
  const char asked = 0;
  if (write(asked_pipe[1], &asked, 1) < 0) return;
}

void OnStackSignal(int) {
  void* frames[kMostFrames];
  const int count = backtrace(frames, kMostFrames);
  backtrace_symbols_fd(frames, count, STDERR_FILENO);
  stack_printed = true;
}

void Handle(int signal, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(signal, &action, nullptr);
}

void PrintStackOf(pid_t thread, const std::string& name) {
  std::fprintf(stderr, "-- thread %d %s\n", thread, name.c_str());
  stack_printed = false;
  const SteadyClock clock;
  const absl::Time deadline = clock.Now() + kAnswer;
  syscall(SYS_tgkill, getpid(), thread, kStackSignal);
  while (!stack_printed && clock.Now() < deadline) std::this_thread::yield();
  if (!stack_printed) std::fprintf(stderr, "does not answer\n");
}

void ReportOnceAsked() {
  char asked = 0;
  while (read(asked_pipe[0], &asked, 1) != 1) {
  }
  std::fprintf(stderr, "process %d:\n", getpid());
  std::error_code error;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/self/task", error)) {
    const pid_t thread = std::atoi(task.path().filename().c_str());
    if (thread == syscall(SYS_gettid)) continue;
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    PrintStackOf(thread, name);
  }
  std::_Exit(EXIT_FAILURE);
}

}  // namespace

void ReportWhenAsked() {
  if (pipe2(asked_pipe, O_CLOEXEC) != 0) return;
  // Loads what it needs, which a handler must not.
  void* frame = nullptr;
  backtrace(&frame, 1);
  std::thread(ReportOnceAsked).detach();
  Handle(kStackSignal, OnStackSignal);
  Handle(kReportSignal, OnReportSignal);
}

}  // namespace balancemoe::worker
