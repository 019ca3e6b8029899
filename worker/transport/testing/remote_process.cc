#include "worker/transport/testing/remote_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "worker/transport/testing/remote_report.h"

namespace balancemoe::worker {
namespace {

// How long a process may take to say where its threads are.
constexpr absl::Duration kReport = absl::Seconds(5);

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

RemoteProcess::RemoteProcess(const std::vector<std::string>& arguments,
                             const std::vector<std::string>& environment,
                             absl::Duration patience)
    : patience_(patience) {
  int ends[2];
  BMOE_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  descriptor_ = ends[0];
  // A process that does not read must not hold a test either.
  const timeval send_timeout = absl::ToTimeval(patience);
  setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &send_timeout,
             sizeof(send_timeout));
  // A copy at a number of its own, because another thread may start another
  // process meanwhile, which must not inherit this one's end.
  constexpr int kServedAt = 3;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], kServedAt);
  std::vector<std::string> words = {"/proc/self/exe"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  words.push_back(absl::StrCat(kServedAt));
  std::vector<std::string> variables = environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    variables.push_back(*variable);
  }
  BMOE_CHECK(posix_spawn(&process_, words[0].c_str(), &actions, nullptr,
                         Pointers(words).data(),
                         Pointers(variables).data()) == 0);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  reader_ = std::thread(&RemoteProcess::ReadAnswers, this);
}

RemoteProcess::~RemoteProcess() {
  Kill();
  shutdown(descriptor_, SHUT_RDWR);
  reader_.join();
  close(descriptor_);
  std::thread([process = process_] { waitpid(process, nullptr, 0); }).detach();
}

void RemoteProcess::Kill() { kill(process_, SIGKILL); }

bool RemoteProcess::alive() const {
  MutexLock lock(&mutex_);
  return !dead_;
}

RemoteFrame RemoteProcess::Call(RemoteFrame request) {
  const absl::Time deadline = clock_.Now() + patience_;
  {
    MutexLock lock(&mutex_);
    request.call = ++calls_;
  }
  {
    MutexLock lock(&send_mutex_);
    SendFrame(descriptor_, request);
  }
  RemoteFrame answer;
  if (WaitForAnswer(request.call, deadline, answer)) return answer;
  ReportAndKill(request);
  return {
      .status = absl::UnavailableError(absl::StrCat(
          "its process did not answer ", RemoteOperationName(request.operation),
          " within ", absl::FormatDuration(patience_)))};
}

bool RemoteProcess::WaitForAnswer(uint64_t call, absl::Time deadline,
                                  RemoteFrame& answer) {
  MutexLock lock(&mutex_);
  while (true) {
    const auto found = answers_.find(call);
    if (found != answers_.end()) {
      answer = std::move(found->second);
      answers_.erase(found);
      return true;
    }
    if (dead_) {
      answer = {.status = absl::UnavailableError("its process is dead")};
      return true;
    }
    const absl::Duration left = deadline - clock_.Now();
    if (left <= absl::ZeroDuration()) return false;
    changed_.WaitFor(&mutex_, left);
  }
}

void RemoteProcess::ReportAndKill(const RemoteFrame& request) {
  std::cerr << absl::StrCat("process ", process_, ": no answer to ",
                            RemoteOperationName(request.operation), " within ",
                            absl::FormatDuration(patience_), "\n");
  {
    MutexLock lock(&mutex_);
    if (!reported_) kill(process_, kReportSignal);
    reported_ = true;
    const absl::Time deadline = clock_.Now() + kReport;
    // It ends when it has said everything.
    while (!dead_ && clock_.Now() < deadline) {
      changed_.WaitFor(&mutex_, deadline - clock_.Now());
    }
  }
  Kill();
}

void RemoteProcess::ReadAnswers() {
  RemoteFrame answer;
  while (ReceiveFrame(descriptor_, answer)) {
    MutexLock lock(&mutex_);
    answers_[answer.call] = std::move(answer);
    changed_.NotifyAll();
  }
  MutexLock lock(&mutex_);
  dead_ = true;
  changed_.NotifyAll();
}

RemotePool::RemotePool(std::vector<std::string> arguments,
                       std::vector<std::string> environment,
                       std::string numbered, absl::Duration patience)
    : arguments_(std::move(arguments)),
      environment_(std::move(environment)),
      numbered_(std::move(numbered)),
      patience_(patience) {}

std::shared_ptr<RemoteProcess> RemotePool::Take(
    const std::shared_ptr<RemotePool>& pool) {
  std::unique_ptr<RemoteProcess> process;
  std::vector<std::string> environment = pool->environment_;
  {
    MutexLock lock(&pool->mutex_);
    if (!pool->idle_.empty()) {
      process = std::move(pool->idle_.back());
      pool->idle_.pop_back();
    } else {
      environment.push_back(
          absl::StrCat(pool->numbered_, "=", ++pool->started_));
    }
  }
  if (process == nullptr) {
    process = std::make_unique<RemoteProcess>(pool->arguments_, environment,
                                              pool->patience_);
  }
  return {process.release(), [pool](RemoteProcess* used) {
            std::unique_ptr<RemoteProcess> owned(used);
            if (!owned->alive()) return;
            MutexLock lock(&pool->mutex_);
            pool->idle_.push_back(std::move(owned));
          }};
}

}  // namespace balancemoe::worker
