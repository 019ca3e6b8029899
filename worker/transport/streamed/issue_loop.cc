#include "worker/transport/streamed/issue_loop.h"

#include <pthread.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace balancemoe::worker {
namespace {

// Between two looks at what is under way.
constexpr absl::Duration kPollInterval = absl::Microseconds(50);
// Most tasks on the device: enough that it never waits for the next, few
// enough that launching never blocks.
constexpr size_t kMostUnderWay = 16;
// How long the cause of a failure may take to arrive from the conductor.
constexpr absl::Duration kNewsDelay = absl::Milliseconds(300);

}  // namespace

IssueLoop::IssueLoop(Options options, DeviceStreams& streams,
                     std::unique_ptr<StreamCommunicators> communicators,
                     const AbortSignal& abort)
    : options_(std::move(options)),
      streams_(streams),
      communicators_(std::move(communicators)),
      abort_(abort) {
  thread_ = std::thread(&IssueLoop::Run, this);
  pthread_setname_np(thread_.native_handle(), "bm-issue");
}

void IssueLoop::End() {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(&mutex_);
    ended_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void IssueLoop::Add(std::unique_ptr<IssueTask> task) {
  MutexLock lock(&mutex_);
  tasks_.push_back(std::move(task));
  changed_.NotifyAll();
}

void IssueLoop::Wake() {
  MutexLock lock(&mutex_);
  changed_.NotifyAll();
}

void IssueLoop::Run() {
  bool ended = false;
  while (!ended) {
    std::unique_ptr<IssueTask> task = NextTask(ended);
    if (!abort_.status().ok()) GiveUp();
    if (task != nullptr) Issue(std::move(task));
    Poll();
  }
  if (!given_up_) communicators_->Disconnect();
}

std::unique_ptr<IssueTask> IssueLoop::NextTask(bool& ended) {
  MutexLock lock(&mutex_);
  if (tasks_.empty() && !under_way_.empty()) {
    changed_.WaitFor(&mutex_, kPollInterval);
  }
  while (tasks_.empty() && under_way_.empty() && !ended_ &&
         (given_up_ || abort_.status().ok())) {
    changed_.Wait(&mutex_);
  }
  ended = ended_ && tasks_.empty() && under_way_.empty();
  if (tasks_.empty()) return nullptr;
  if (under_way_.size() >= kMostUnderWay) {
    changed_.WaitFor(&mutex_, kPollInterval);
    return nullptr;
  }
  std::unique_ptr<IssueTask> task = std::move(tasks_.front());
  tasks_.pop_front();
  return task;
}

void IssueLoop::Issue(std::unique_ptr<IssueTask> task) {
  if (given_up_) return task->Finish(abort_.status());
  auto event = task->Issue(*communicators_, abort_);
  if (!event.ok()) {
    // Some of it may be on the device already.
    under_way_.push_back({std::move(task), nullptr, clock_.Now()});
    return Fail(event.status().message());
  }
  under_way_.push_back({std::move(task), *std::move(event), clock_.Now()});
}

void IssueLoop::Poll() {
  // The lanes run beside each other, so a later task may end first.
  for (auto next = under_way_.begin(); next != under_way_.end();) {
    const auto done = streams_.Done(*next->event);
    if (!done.ok()) return Fail(done.status().message());
    if (*done) {
      next->task->Finish(absl::OkStatus());
      next = under_way_.erase(next);
      continue;
    }
    if (clock_.Now() - next->since >= options_.operation_timeout) {
      return Fail(
          absl::StrCat("an operation was under way for ",
                       absl::FormatDuration(options_.operation_timeout)));
    }
    ++next;
  }
}

void IssueLoop::Fail(absl::string_view reason) {
  if (!abort_.WaitFor(kNewsDelay)) options_.on_failure(reason);
  GiveUp();
}

void IssueLoop::GiveUp() {
  if (given_up_) return;
  given_up_ = true;
  communicators_->Abort();
  const absl::Status status = abort_.status();
  for (const UnderWay& task : under_way_) task.task->Finish(status);
  under_way_.clear();
}

}  // namespace balancemoe::worker
