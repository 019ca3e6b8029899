#include "worker/transport/loopback/loopback_group.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace balancemoe::worker {
namespace {

absl::Status Lengths(const Transfer& send, const Transfer& receive) {
  if (send.buffer.size() == receive.buffer.size()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("worker ", receive.peer.value(), " sent ",
                   send.buffer.size(), " bytes to worker ", send.peer.value(),
                   ", which expected ", receive.buffer.size()));
}

bool All(const std::vector<bool>& marked) {
  return std::find(marked.begin(), marked.end(), false) == marked.end();
}

}  // namespace

LoopbackGroup::LoopbackGroup(int32_t world_size, Generation generation)
    : world_size_(world_size),
      generation_(generation),
      joined_(static_cast<size_t>(world_size)),
      left_(static_cast<size_t>(world_size)),
      offered_(static_cast<size_t>(world_size)),
      offers_(static_cast<size_t>(world_size)) {}

absl::Status LoopbackGroup::Join(WorkerRank rank, absl::Duration timeout) {
  const absl::Time deadline = clock_.Now() + timeout;
  MutexLock lock(&mutex_);
  if (joined_[rank.index()]) {
    return absl::AlreadyExistsError(
        absl::StrCat("worker ", rank.value(), " is in generation ",
                     generation_.value(), " already"));
  }
  joined_[rank.index()] = true;
  changed_.NotifyAll();
  while (!All(joined_) && aborted_.ok()) {
    const absl::Duration left = deadline - clock_.Now();
    if (left <= absl::ZeroDuration()) {
      const absl::Status status = absl::DeadlineExceededError(
          absl::StrCat("generation ", generation_.value(), ": workers ",
                       Names(joined_, false), " did not come within ",
                       absl::FormatDuration(timeout)));
      AbortLocked(absl::UnavailableError(status.message()));
      return status;
    }
    changed_.WaitFor(&mutex_, left);
  }
  // Complete, the group has formed, even if a quick rank has aborted it since.
  return All(joined_) ? absl::OkStatus() : aborted_;
}

absl::Status LoopbackGroup::Exchange(
    WorkerRank rank, const Offer& offer, absl::Duration timeout,
    absl::FunctionRef<absl::Status(absl::Span<const Offer>)> read) {
  {
    MutexLock lock(&mutex_);
    if (!aborted_.ok()) return aborted_;
    offers_[rank.index()] = offer;
    offered_[rank.index()] = true;
    changed_.NotifyAll();
    const absl::Status all_here = WaitForOffers(rank, timeout);
    if (!all_here.ok()) return all_here;
  }
  const absl::Status result = read(offers_);
  if (!result.ok()) Abort(rank, result);
  MutexLock lock(&mutex_);
  // Reading ends whatever else happens, so this wait needs no time-out; and it
  // must not end early, because the others still read this rank's bytes.
  const int64_t round = round_;
  if (++readers_done_ == world_size_) {
    readers_done_ = 0;
    std::fill(offered_.begin(), offered_.end(), false);
    ++round_;
    changed_.NotifyAll();
  }
  while (round_ == round) changed_.Wait(&mutex_);
  return result;
}

absl::Status LoopbackGroup::WaitForOffers(WorkerRank rank,
                                          absl::Duration timeout) {
  const absl::Time deadline = clock_.Now() + timeout;
  const int64_t round = round_;
  while (!All(offered_) && round_ == round) {
    if (!aborted_.ok()) return aborted_;
    for (int32_t peer = 0; peer < world_size_; ++peer) {
      const auto index = static_cast<size_t>(peer);
      if (left_[index] && !offered_[index]) {
        AbortLocked(absl::UnavailableError(
            absl::StrCat("worker ", peer, " has left the group")));
        return aborted_;
      }
    }
    const absl::Duration left = deadline - clock_.Now();
    if (left <= absl::ZeroDuration()) {
      AbortLocked(absl::UnavailableError(absl::StrCat(
          "worker ", rank.value(), " waited ", absl::FormatDuration(timeout),
          " for workers ", Names(offered_, false))));
      return aborted_;
    }
    changed_.WaitFor(&mutex_, left);
  }
  return absl::OkStatus();
}

absl::Status LoopbackGroup::Start(
    WorkerRank rank,
    absl::Span<const std::shared_ptr<LoopbackTransfer>> transfers) {
  for (size_t i = 0; i < transfers.size(); ++i) {
    std::shared_ptr<LoopbackTransfer> other;
    {
      MutexLock lock(&mutex_);
      if (aborted_.ok()) {
        transfers[i]->started = clock_.Now();
        other = Meet(rank, transfers[i]);
      }
      if (!aborted_.ok()) {
        // A peer may still be copying one that was started before.
        for (size_t j = 0; j < i; ++j) {
          while (!transfers[j]->done) changed_.Wait(&mutex_);
        }
        return aborted_;
      }
    }
    if (other != nullptr) Copy(*transfers[i], *other);
  }
  MutexLock lock(&mutex_);
  return transfers.empty() ? aborted_ : absl::OkStatus();
}

std::shared_ptr<LoopbackTransfer> LoopbackGroup::Meet(
    WorkerRank rank, const std::shared_ptr<LoopbackTransfer>& half) {
  const bool sends = half->request.direction == Transfer::Direction::kSend;
  const WorkerRank peer = half->request.peer;
  Waiting& waiting = waiting_[sends ? Link(rank, peer) : Link(peer, rank)];
  auto& others = sends ? waiting.receives : waiting.sends;
  if (others.empty()) {
    (sends ? waiting.sends : waiting.receives).push_back(half);
    if (left_[peer.index()]) {
      AbortLocked(absl::UnavailableError(
          absl::StrCat("worker ", peer.value(), " has left the group")));
    }
    return nullptr;
  }
  std::shared_ptr<LoopbackTransfer> other = std::move(others.front());
  others.pop_front();
  return other;
}

void LoopbackGroup::Copy(LoopbackTransfer& one, LoopbackTransfer& other) {
  const bool one_sends = one.request.direction == Transfer::Direction::kSend;
  LoopbackTransfer& send = one_sends ? one : other;
  LoopbackTransfer& receive = one_sends ? other : one;
  const absl::Status lengths = Lengths(send.request, receive.request);
  if (lengths.ok() && !send.request.buffer.empty()) {
    std::memcpy(receive.request.buffer.data(), send.request.buffer.data(),
                send.request.buffer.size());
  }
  MutexLock lock(&mutex_);
  Finish(send, absl::OkStatus());
  Finish(receive, lengths);
}

void LoopbackGroup::Finish(LoopbackTransfer& half, const absl::Status& status) {
  half.done = true;
  half.status = status;
  half.elapsed = clock_.Now() - half.started;
  changed_.NotifyAll();
}

bool LoopbackGroup::Done(const LoopbackTransfer& transfer) {
  MutexLock lock(&mutex_);
  return transfer.done;
}

absl::Status LoopbackGroup::Wait(const LoopbackTransfer& transfer) {
  MutexLock lock(&mutex_);
  while (!transfer.done) changed_.Wait(&mutex_);
  return transfer.status;
}

absl::Duration LoopbackGroup::Elapsed(const LoopbackTransfer& transfer) {
  MutexLock lock(&mutex_);
  return transfer.done ? transfer.elapsed : absl::ZeroDuration();
}

void LoopbackGroup::Abort(WorkerRank rank, const absl::Status& reason) {
  MutexLock lock(&mutex_);
  AbortLocked(absl::UnavailableError(
      absl::StrCat("worker ", rank.value(), " aborted: ", reason.message())));
}

void LoopbackGroup::Leave(WorkerRank rank) {
  MutexLock lock(&mutex_);
  left_[rank.index()] = true;
  for (auto& [link, waiting] : waiting_) {
    if (link.first != rank && link.second != rank) continue;
    if (waiting.sends.empty() && waiting.receives.empty()) continue;
    AbortLocked(absl::UnavailableError(
        absl::StrCat("worker ", rank.value(),
                     " has left the group with transfers under way")));
    break;
  }
  changed_.NotifyAll();
}

void LoopbackGroup::AbortLocked(const absl::Status& unavailable) {
  if (!aborted_.ok()) return;
  aborted_ = unavailable;
  for (auto& [link, waiting] : waiting_) {
    for (const auto& half : waiting.sends) Finish(*half, aborted_);
    for (const auto& half : waiting.receives) Finish(*half, aborted_);
  }
  waiting_.clear();
  changed_.NotifyAll();
}

std::string LoopbackGroup::Names(const std::vector<bool>& marked,
                                 bool wanted) const {
  std::vector<int32_t> ranks;
  for (int32_t rank = 0; rank < world_size_; ++rank) {
    if (marked[static_cast<size_t>(rank)] == wanted) ranks.push_back(rank);
  }
  return absl::StrJoin(ranks, ", ");
}

}  // namespace balancemoe::worker
