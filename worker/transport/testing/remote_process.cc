#include "worker/transport/testing/remote_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace balancemoe::worker {
namespace {

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

RemoteProcess::RemoteProcess(const std::vector<std::string>& arguments,
                             const std::vector<std::string>& environment) {
  int ends[2];
  BMOE_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  descriptor_ = ends[0];
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
  reader_.join();
  waitpid(process_, nullptr, 0);
  close(descriptor_);
}

void RemoteProcess::Kill() { kill(process_, SIGKILL); }

bool RemoteProcess::alive() const {
  MutexLock lock(&mutex_);
  return !dead_;
}

RemoteFrame RemoteProcess::Call(RemoteFrame request) {
  {
    MutexLock lock(&mutex_);
    request.call = ++calls_;
  }
  {
    MutexLock lock(&send_mutex_);
    SendFrame(descriptor_, request);
  }
  MutexLock lock(&mutex_);
  while (true) {
    const auto answer = answers_.find(request.call);
    if (answer != answers_.end()) {
      RemoteFrame found = std::move(answer->second);
      answers_.erase(answer);
      return found;
    }
    if (dead_) {
      return {.status = absl::UnavailableError("its process is dead")};
    }
    changed_.Wait(&mutex_);
  }
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
                       std::string numbered)
    : arguments_(std::move(arguments)),
      environment_(std::move(environment)),
      numbered_(std::move(numbered)) {}

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
    process = std::make_unique<RemoteProcess>(pool->arguments_, environment);
  }
  return {process.release(), [pool](RemoteProcess* used) {
            std::unique_ptr<RemoteProcess> owned(used);
            if (!owned->alive()) return;
            MutexLock lock(&pool->mutex_);
            pool->idle_.push_back(std::move(owned));
          }};
}

}  // namespace balancemoe::worker
