#include "worker/transport/streamed/streamed_group.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/transport/streamed/round_task.h"

namespace balancemoe::worker {
namespace {

// How long leaving an aborted group may take when peers do not read.
constexpr absl::Duration kFarewell = absl::Milliseconds(200);
// The conductor finds silent workers after operation_timeout; who hears nothing
// of it after that much more has a silent conductor.
constexpr absl::Duration kConductorDelay = absl::Seconds(1);

}  // namespace

StreamedGroup::StreamedGroup(const GroupOptions& options, Meeting meeting,
                             StreamDevice& device)
    : options_(options),
      device_(device),
      connect_deadline_(clock_.Now() + options.connect_timeout) {
  if (!meeting.to_workers.empty()) {
    conductor_ = std::make_unique<ConductorLoop>(std::move(meeting.to_workers),
                                                 options.operation_timeout);
  }
  control_ = std::make_unique<ControlLoop>(
      std::move(meeting.to_conductor),
      options.operation_timeout + kConductorDelay,
      [this](const ControlMessage& message) { OnMessage(message); });
}

absl::StatusOr<std::unique_ptr<StreamedGroup>> StreamedGroup::Connect(
    const GroupOptions& options, Meeting meeting, StreamDevice& device) {
  std::unique_ptr<StreamedGroup> group(
      new StreamedGroup(options, std::move(meeting), device));
  const absl::Status connected = group->ConnectDevice();
  if (connected.ok()) return group;
  group->Abort(absl::StrCat("worker ", options.rank.value(),
                            " did not connect: ", connected.message()));
  return connected;
}

absl::Status StreamedGroup::WaitUntil(bool StreamedGroup::*flag,
                                      absl::Time deadline) {
  MutexLock lock(&mutex_);
  while (!(this->*flag)) {
    BMOE_RETURN_IF_ERROR(abort_.status());
    const absl::Duration left = deadline - clock_.Now();
    if (left <= absl::ZeroDuration()) {
      return absl::DeadlineExceededError(
          absl::StrCat("not all workers connected within ",
                       absl::FormatDuration(options_.connect_timeout)));
    }
    changed_.WaitFor(&mutex_, left);
  }
  return absl::OkStatus();
}

absl::Status StreamedGroup::ConnectDevice() {
  BMOE_RETURN_IF_ERROR(
      WaitUntil(&StreamedGroup::has_group_id_, connect_deadline_));
  std::string group_id;
  {
    MutexLock lock(&mutex_);
    group_id = group_id_;
  }
  BMOE_ASSIGN_OR_RETURN(auto communicators,
                        device_.Connect(group_id, options_, abort_));
  {
    MutexLock lock(&mutex_);
    issue_loop_ = std::make_unique<IssueLoop>(
        IssueLoop::Options{.operation_timeout = options_.operation_timeout,
                           .on_failure =
                               [this](absl::string_view reason) {
                                 Abort(absl::StrCat("worker ",
                                                    options_.rank.value(), ": ",
                                                    reason));
                               }},
        device_.streams(), std::move(communicators), abort_);
  }
  control_->Tell({.kind = ControlKind::kConnected});
  return WaitUntil(&StreamedGroup::ready_, connect_deadline_);
}

StreamedGroup::~StreamedGroup() {
  if (status().ok()) {
    control_->Tell({.kind = ControlKind::kLeave});
    const auto left = WaitUntil(&StreamedGroup::goodbye_,
                                clock_.Now() + options_.operation_timeout);
    if (!left.ok()) Abort("worker 0, which conducts, was silent");
  }
  IssueLoop* issue_loop = nullptr;
  {
    MutexLock lock(&mutex_);
    issue_loop = issue_loop_.get();
  }
  // An abort must still be heard while it waits for what is under way.
  if (issue_loop != nullptr) issue_loop->End();
  control_->End();
  if (conductor_ != nullptr) {
    conductor_->EndWhenOver(status().ok() ? options_.connect_timeout
                                          : kFarewell);
  }
}

absl::Status StreamedGroup::Call(const CollectiveCall& call,
                                 std::unique_ptr<IssueTask> task) {
  MutexLock lock(&mutex_);
  BMOE_RETURN_IF_ERROR(abort_.status());
  call_ = {std::move(task), clock_.Now()};
  control_->Tell(ToMessage(call));
  return absl::OkStatus();
}

absl::Status StreamedGroup::Start(std::vector<StartedTransfer> transfers) {
  std::vector<TransferCall> calls;
  // Held while telling: tickets are told in order.
  MutexLock lock(&mutex_);
  BMOE_RETURN_IF_ERROR(abort_.status());
  for (StartedTransfer& transfer : transfers) {
    calls.push_back({transfer.sends(), transfer.peer.index(), transfer.bytes});
    transfers_[next_ticket_++] = {std::move(transfer), clock_.Now()};
  }
  if (!calls.empty()) control_->Tell(ToMessage(calls));
  return absl::OkStatus();
}

void StreamedGroup::Abort(absl::string_view reason) {
  if (!abort_.Raise(reason)) return;
  control_->Tell({ControlKind::kAbort, {0}, std::string(reason)});
  GiveUpWaiting();
}

void StreamedGroup::GiveUpWaiting() {
  MutexLock lock(&mutex_);
  changed_.NotifyAll();
  if (issue_loop_ == nullptr) return;
  std::vector<RoundTask::Entry> entries;
  for (auto& [ticket, waiting] : transfers_) {
    entries.push_back({std::move(waiting.transfer)});
  }
  transfers_.clear();
  if (call_.has_value()) issue_loop_->Add(std::move(call_->task));
  call_.reset();
  issue_loop_->Add(std::make_unique<RoundTask>(
      std::move(entries), device_.streams(), [](absl::string_view) {}));
  issue_loop_->Wake();
}

void StreamedGroup::OnMessage(const ControlMessage& message) {
  switch (message.kind) {
    case ControlKind::kRound:
      return OnRound(message);
    case ControlKind::kAbort:
      return OnAbort(message);
    case ControlKind::kSilence:
      return OnSilence();
    default:
      break;
  }
  std::unique_ptr<IssueTask> task;
  {
    MutexLock lock(&mutex_);
    if (message.kind == ControlKind::kGroupId) {
      group_id_ = message.text;
      has_group_id_ = true;
    }
    if (message.kind == ControlKind::kReady) ready_ = true;
    if (message.kind == ControlKind::kGoodbye) goodbye_ = true;
    if (message.kind == ControlKind::kCollectiveGo && call_.has_value()) {
      task = std::move(call_->task);
      call_.reset();
    }
    changed_.NotifyAll();
  }
  if (task != nullptr) CarryOut(std::move(task));
}

void StreamedGroup::CarryOut(std::unique_ptr<IssueTask> task) {
  // At once: an abort that follows must not overtake what all agreed on.
  if (!task->HasWork()) return task->Finish(absl::OkStatus());
  MutexLock lock(&mutex_);
  issue_loop_->Add(std::move(task));
}

void StreamedGroup::OnRound(const ControlMessage& message) {
  std::vector<RoundTask::Entry> entries;
  {
    MutexLock lock(&mutex_);
    for (size_t i = 0; i + 1 < message.numbers.size(); i += 2) {
      const auto waiting = transfers_.find(message.numbers[i]);
      // Given up meanwhile.
      if (waiting == transfers_.end()) continue;
      entries.push_back(
          {std::move(waiting->second.transfer), message.numbers[i + 1]});
      transfers_.erase(waiting);
    }
  }
  if (entries.empty()) return;
  CarryOut(std::make_unique<RoundTask>(
      std::move(entries), device_.streams(),
      [this](absl::string_view reason) { Abort(reason); }));
}

void StreamedGroup::OnAbort(const ControlMessage& message) {
  {
    // Everything was said; the conductor may go.
    MutexLock lock(&mutex_);
    if (goodbye_ && message.text.empty()) return;
  }
  if (!message.numbers.empty() && message.numbers[0] != 0) {
    calls_differ_ = true;
  }
  abort_.Raise(message.text.empty() ? "worker 0 is gone: its connection broke"
                                    : absl::string_view(message.text));
  GiveUpWaiting();
}

void StreamedGroup::OnSilence() {
  absl::Time since = absl::InfiniteFuture();
  {
    MutexLock lock(&mutex_);
    if (call_.has_value()) since = call_->since;
    for (const auto& [ticket, waiting] : transfers_) {
      since = std::min(since, waiting.since);
    }
  }
  if (clock_.Now() - since < options_.operation_timeout) return;
  Abort(absl::StrCat("worker 0, which conducts, was silent for ",
                     absl::FormatDuration(options_.operation_timeout)));
}

}  // namespace balancemoe::worker
