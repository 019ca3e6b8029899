#include "worker/transport/gloo/gloo_group.h"

#include <gloo/transport/pair.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"

namespace balancemoe::worker {
namespace {

// How long the cause of a broken connection may take to arrive on another. It
// is on its way already; what can hold it up is a machine that runs something
// else for a while.
constexpr absl::Duration kNewsDelay = absl::Seconds(5);
// How long leaving may take when peers do not read, in all.
constexpr absl::Duration kFarewell = absl::Seconds(5);

}  // namespace

GlooGroup::GlooGroup(const GroupOptions& options, GlooMesh mesh)
    : options_(options),
      mesh_(std::move(mesh)),
      hearts_(static_cast<size_t>(options.world_size)),
      greeted_(static_cast<size_t>(options.world_size)),
      gone_(static_cast<size_t>(options.world_size)),
      left_(static_cast<size_t>(options.world_size)) {
  for (int32_t peer = 0; peer < options_.world_size; ++peer) {
    if (peer == options_.rank.value()) continue;
    hearts_[static_cast<size_t>(peer)] = std::make_unique<GlooHeartLoop>(
        context(GlooPurpose::kControl), WorkerRank(peer),
        [this](WorkerRank from, GlooNews news, absl::string_view text) {
          OnNews(from, news, text);
        });
  }
  // Not before all are there: each may have news for all others.
  for (const auto& heart : hearts_) {
    if (heart != nullptr) heart->Start();
  }
}

GlooGroup::~GlooGroup() {
  std::vector<GlooHeartLoop*> told;
  bool healthy = false;
  {
    MutexLock lock(&mutex_);
    while (state_ == State::kClosing) changed_.Wait(&mutex_);
    healthy = state_ == State::kReady;
    // Peers that leave too now end their connections here; to abort for that
    // would disturb those who stay.
    if (healthy) state_ = State::kLeaving;
    for (size_t peer = 0; peer < hearts_.size(); ++peer) {
      // One that has left reads nothing more; waiting for it would be in vain.
      if (hearts_[peer] == nullptr || left_[peer]) continue;
      told.push_back(hearts_[peer].get());
    }
  }
  const absl::Time deadline = clock_.Now() + kFarewell;
  for (GlooHeartLoop* heart : told) {
    if (healthy) heart->Tell(GlooNews::kLeaving, "");
  }
  for (GlooHeartLoop* heart : told) {
    heart->Flush(deadline - clock_.Now());
  }
  for (const auto& heart : hearts_) {
    if (heart != nullptr) heart->End();
  }
  // The contexts go without close(), which would reset the connections and lose
  // what peers have not read yet.
}

absl::Status GlooGroup::Greet(absl::Duration timeout) {
  const absl::Time deadline = clock_.Now() + timeout;
  for (const auto& heart : hearts_) {
    if (heart != nullptr) heart->Tell(GlooNews::kConnected, "");
  }
  std::vector<int32_t> missing;
  {
    MutexLock lock(&mutex_);
    greeted_[options_.rank.index()] = true;
    while (true) {
      missing.clear();
      bool in_vain = false;
      for (int32_t peer = 0; peer < options_.world_size; ++peer) {
        if (greeted_[static_cast<size_t>(peer)]) continue;
        missing.push_back(peer);
        in_vain = in_vain || gone_[static_cast<size_t>(peer)];
      }
      if (missing.empty()) return absl::OkStatus();
      // A quick rank may abort while greetings of slow ones are on their way;
      // only those of the gone will not come.
      const absl::Duration left = deadline - clock_.Now();
      if (in_vain || left <= absl::ZeroDuration()) break;
      changed_.WaitFor(&mutex_, left);
    }
  }
  BMOE_RETURN_IF_ERROR(status());
  const std::string reason =
      absl::StrCat("workers ", absl::StrJoin(missing, ", "),
                   " did not connect with all others within ",
                   absl::FormatDuration(options_.connect_timeout));
  Abort(reason);
  return absl::DeadlineExceededError(reason);
}

void GlooGroup::OnNews(WorkerRank peer, GlooNews news, absl::string_view text) {
  switch (news) {
    case GlooNews::kConnected:
    case GlooNews::kLeaving: {
      MutexLock lock(&mutex_);
      (news == GlooNews::kConnected ? greeted_ : left_)[peer.index()] = true;
      changed_.NotifyAll();
      return;
    }
    case GlooNews::kAborted:
      Abort(text);
      return;
    case GlooNews::kGone:
      OnGone(peer);
      return;
  }
}

void GlooGroup::OnGone(WorkerRank peer) {
  bool left = false;
  {
    MutexLock lock(&mutex_);
    left = left_[peer.index()];
  }
  // First, so that whoever learns that it is gone finds the reason.
  if (!left) {
    Abort(absl::StrCat("worker ", peer.value(),
                       " is gone: its connection broke"));
  }
  MutexLock lock(&mutex_);
  gone_[peer.index()] = true;
  changed_.NotifyAll();
  // Gloo does not end a write into a connection that has just ended.
  for (const auto& [buffer, from] : buffers_) {
    if (from == peer) buffer->abortWaitSend();
  }
}

absl::Status GlooGroup::status() {
  MutexLock lock(&mutex_);
  while (state_ == State::kClosing) changed_.Wait(&mutex_);
  return state_ == State::kReady ? absl::OkStatus()
                                 : absl::UnavailableError(reason_);
}

void GlooGroup::Abort(absl::string_view reason) {
  {
    MutexLock lock(&mutex_);
    if (state_ != State::kReady) {
      while (state_ == State::kClosing) changed_.Wait(&mutex_);
      return;
    }
    state_ = State::kClosing;
    reason_ = std::string(reason);
    changed_.NotifyAll();
  }
  for (const auto& heart : hearts_) {
    if (heart != nullptr) heart->Tell(GlooNews::kAborted, reason);
  }
  CloseDataConnections();
  MutexLock lock(&mutex_);
  state_ = State::kClosed;
  for (const auto& [buffer, peer] : buffers_) {
    buffer->abortWaitRecv();
    buffer->abortWaitSend();
  }
  changed_.NotifyAll();
}

void GlooGroup::CloseDataConnections() {
  for (const GlooPurpose purpose :
       {GlooPurpose::kCollectives, GlooPurpose::kTransfers}) {
    for (int32_t peer = 0; peer < options_.world_size; ++peer) {
      const auto& pair = context(purpose).getPair(peer);
      // Returns when Gloo's thread has let go of the connection.
      if (pair != nullptr) pair->close();
    }
  }
}

absl::Status GlooGroup::Fail(WorkerRank peer, absl::string_view error) {
  bool left = false;
  {
    const absl::Time deadline = clock_.Now() + kNewsDelay;
    MutexLock lock(&mutex_);
    while (state_ == State::kReady && !left_[peer.index()]) {
      const absl::Duration wait = deadline - clock_.Now();
      if (wait <= absl::ZeroDuration()) break;
      changed_.WaitFor(&mutex_, wait);
    }
    left = left_[peer.index()];
  }
  Abort(left ? absl::StrCat("worker ", peer.value(), " has left the group")
             : absl::StrCat("worker ", peer.value(), ": ", error));
  return status();
}

void GlooGroup::Register(gloo::transport::UnboundBuffer* buffer,
                         WorkerRank peer) {
  MutexLock lock(&mutex_);
  buffers_.emplace(buffer, peer);
}

void GlooGroup::Unregister(gloo::transport::UnboundBuffer* buffer) {
  MutexLock lock(&mutex_);
  buffers_.erase(buffer);
}

GlooBuffer::GlooBuffer(GlooGroup& group, GlooPurpose purpose, WorkerRank peer,
                       void* memory, size_t bytes)
    : group_(group),
      peer_(peer),
      buffer_(group.context(purpose).createUnboundBuffer(memory, bytes)) {
  group_.Register(buffer_.get(), peer_);
}

GlooBuffer::~GlooBuffer() { group_.Unregister(buffer_.get()); }

void GlooBuffer::Send(uint64_t tag, size_t bytes) {
  try {
    buffer_->send(peer_.value(), tag, 0, bytes);
  } catch (const std::exception& error) {
    error_ = error.what();
  }
}

void GlooBuffer::Receive(uint64_t tag, size_t bytes) {
  try {
    buffer_->recv(peer_.value(), tag, 0, bytes);
  } catch (const std::exception& error) {
    error_ = error.what();
  }
}

absl::Status GlooBuffer::WaitSent() {
  return Wait([this](std::chrono::milliseconds timeout) {
    return buffer_->waitSend(timeout);
  });
}

absl::Status GlooBuffer::WaitReceived() {
  return Wait([this](std::chrono::milliseconds timeout) {
    return buffer_->waitRecv(timeout);
  });
}

absl::Status GlooBuffer::Wait(
    absl::FunctionRef<bool(std::chrono::milliseconds)> wait) {
  BMOE_RETURN_IF_ERROR(group_.status());
  if (!error_.empty()) return group_.Fail(peer_, error_);
  const SteadyClock clock;
  const absl::Time started = clock.Now();
  const absl::Duration timeout = group_.options().operation_timeout;
  try {
    if (wait(absl::ToChronoMilliseconds(timeout))) return absl::OkStatus();
    BMOE_RETURN_IF_ERROR(group_.status());
    // Woken because the peer left. That may have been after it had read this,
    // or before: then Gloo throws.
    if (wait(std::chrono::milliseconds(0))) return absl::OkStatus();
    return group_.status();
  } catch (const std::exception& error) {
    if (clock.Now() - started < timeout) {
      return group_.Fail(peer_, error.what());
    }
    group_.Abort(absl::StrCat("worker ", peer_.value(), " was silent for ",
                              absl::FormatDuration(timeout)));
    return group_.status();
  }
}

}  // namespace balancemoe::worker
