#include "worker/transport/streamed/conductor_state.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace balancemoe::worker {
namespace {

using Answers = ConductorState::Answers;

WorkerRank Rank(size_t rank) { return WorkerRank(static_cast<int32_t>(rank)); }

// The messages that tell every rank its part of a round.
Answers TellRound(absl::Span<const MatchedTransfer> round) {
  std::map<size_t, ControlMessage> message_by_rank;
  const auto tell = [&](const MatchedTransfer::End& end, uint64_t other_bytes) {
    ControlMessage& message = message_by_rank[end.rank];
    message.kind = ControlKind::kRound;
    message.numbers.insert(message.numbers.end(), {end.ticket, other_bytes});
  };
  for (const MatchedTransfer& transfer : round) {
    tell(transfer.sender, transfer.receiver.bytes);
    tell(transfer.receiver, transfer.sender.bytes);
  }
  Answers answers;
  for (auto& [rank, message] : message_by_rank) {
    answers.push_back({Rank(rank), std::move(message)});
  }
  return answers;
}

std::string Describe(const CollectiveCall& call) {
  std::string text =
      absl::StrCat(NameOf(call.kind), " of ", call.bytes, " bytes");
  if (call.kind == CollectiveKind::kBroadcast) {
    absl::StrAppend(&text, " from worker ", call.root);
  }
  return text;
}

}  // namespace

std::vector<std::vector<MatchedTransfer>> SplitIntoRounds(
    absl::Span<const MatchedTransfer> transfers, size_t most_per_rank) {
  std::vector<std::vector<MatchedTransfer>> rounds;
  std::map<size_t, size_t> count_by_rank;
  for (const MatchedTransfer& transfer : transfers) {
    size_t& sends = count_by_rank[transfer.sender.rank];
    size_t& receives = count_by_rank[transfer.receiver.rank];
    if (rounds.empty() || std::max(sends, receives) == most_per_rank) {
      rounds.emplace_back();
      for (auto& [rank, count] : count_by_rank) count = 0;
    }
    ++sends;
    ++receives;
    rounds.back().push_back(transfer);
  }
  return rounds;
}

ConductorState::ConductorState(int32_t world_size,
                               absl::Duration operation_timeout)
    : operation_timeout_(operation_timeout),
      connected_(static_cast<size_t>(world_size)),
      left_(static_cast<size_t>(world_size)),
      calls_(static_cast<size_t>(world_size)),
      tickets_(static_cast<size_t>(world_size)) {}

Answers ConductorState::ToAll(const ControlMessage& message) const {
  Answers answers;
  for (size_t rank = 0; rank < left_.size(); ++rank) {
    if (!left_[rank]) answers.push_back({Rank(rank), message});
  }
  return answers;
}

Answers ConductorState::Abort(const std::string& reason, bool calls_differ) {
  aborted_ = true;
  return ToAll({ControlKind::kAbort, {calls_differ ? 1u : 0u}, reason});
}

Answers ConductorState::Hear(WorkerRank from, const ControlMessage& message,
                             absl::Time now) {
  if (aborted_) return {};
  switch (message.kind) {
    case ControlKind::kConnected:
      return HearConnected(from.index());
    case ControlKind::kCollective:
      return HearCollective(from.index(), message, now);
    case ControlKind::kTransfers:
      return HearTransfers(from.index(), message, now);
    case ControlKind::kLeave:
      return HearLeave(from.index());
    case ControlKind::kAbort:
      return Abort(message.text);
    default:
      return Abort(absl::StrCat("worker ", from.value(),
                                " sent control message ",
                                static_cast<uint32_t>(message.kind)));
  }
}

Answers ConductorState::Lose(WorkerRank rank) {
  if (aborted_ || left_[rank.index()]) return {};
  return Abort(
      absl::StrCat("worker ", rank.value(), " is gone: its connection broke"));
}

Answers ConductorState::HearConnected(size_t from) {
  connected_[from] = true;
  if (std::find(connected_.begin(), connected_.end(), false) !=
      connected_.end()) {
    return {};
  }
  return ToAll({.kind = ControlKind::kReady});
}

Answers ConductorState::HearCollective(size_t from,
                                       const ControlMessage& message,
                                       absl::Time now) {
  auto call = ToCollective(message);
  if (!call.ok()) return Abort(std::string(call.status().message()), true);
  if (!call->send_bytes.empty() && call->send_bytes.size() != calls_.size()) {
    return Abort(absl::StrCat("worker ", from, " called ", Describe(*call),
                              " for ", call->send_bytes.size(), " workers"),
                 true);
  }
  calls_[from] = {*std::move(call), now};
  if (left_count_ > 0) {
    return Abort(
        absl::StrCat("worker ", Ranks(left_, true), " has left the group"));
  }
  for (const auto& waiting : calls_) {
    if (!waiting.has_value()) return {};
  }
  const absl::Status same = CheckCalls();
  if (!same.ok()) return Abort(std::string(same.message()), true);
  calls_.assign(calls_.size(), std::nullopt);
  return ToAll({.kind = ControlKind::kCollectiveGo});
}

absl::Status ConductorState::CheckCalls() const {
  const CollectiveCall& first = calls_[0]->call;
  for (size_t rank = 0; rank < calls_.size(); ++rank) {
    const CollectiveCall& call = calls_[rank]->call;
    if (call.kind != first.kind || call.bytes != first.bytes ||
        call.root != first.root ||
        call.send_bytes.size() != first.send_bytes.size()) {
      return absl::DataLossError(
          absl::StrCat("worker 0 called ", Describe(first), ", worker ", rank,
                       " called ", Describe(call)));
    }
    for (size_t peer = 0; peer < call.send_bytes.size(); ++peer) {
      const uint64_t sent = call.send_bytes[peer];
      const uint64_t wanted = calls_[peer]->call.receive_bytes[rank];
      if (sent == wanted) continue;
      return absl::DataLossError(
          absl::StrCat("all-to-all: worker ", rank, " sends ", sent,
                       " bytes to worker ", peer, ", which expects ", wanted));
    }
  }
  return absl::OkStatus();
}

Answers ConductorState::HearTransfers(size_t from,
                                      const ControlMessage& message,
                                      absl::Time now) {
  const auto calls = ToTransfers(message);
  if (!calls.ok()) return Abort(std::string(calls.status().message()), true);
  std::vector<MatchedTransfer> matched;
  for (const TransferCall& call : *calls) {
    if (call.peer >= left_.size() || call.peer == from) {
      return Abort(absl::StrCat("worker ", from, " has a transfer with worker ",
                                call.peer));
    }
    const auto pair = Meet(from, call, now);
    if (pair.has_value()) {
      matched.push_back(*pair);
    } else if (left_[call.peer]) {
      return Abort(absl::StrCat("worker ", call.peer, " has left the group"));
    }
  }
  Answers answers;
  for (const auto& round : SplitIntoRounds(matched, kMaxTransfersPerRound)) {
    for (Outgoing& outgoing : TellRound(round)) {
      answers.push_back(std::move(outgoing));
    }
  }
  return answers;
}

std::optional<MatchedTransfer> ConductorState::Meet(size_t from,
                                                    const TransferCall& call,
                                                    absl::Time now) {
  const MatchedTransfer::End mine = {from, tickets_[from]++, call.bytes};
  Link& link = links_[call.sends ? std::pair(from, call.peer)
                                 : std::pair(call.peer, from)];
  auto& others = call.sends ? link.receives : link.sends;
  if (others.empty()) {
    (call.sends ? link.sends : link.receives).push_back({mine, now});
    return std::nullopt;
  }
  const MatchedTransfer::End other = others.front().end;
  others.pop_front();
  return call.sends ? MatchedTransfer{mine, other}
                    : MatchedTransfer{other, mine};
}

Answers ConductorState::HearLeave(size_t from) {
  left_[from] = true;
  ++left_count_;
  Answers answers = {{Rank(from), {.kind = ControlKind::kGoodbye}}};
  const bool waited_for =
      std::any_of(calls_.begin(), calls_.end(),
                  [](const auto& call) { return call.has_value(); });
  if (!HasWaiting(from) && !waited_for) return answers;
  // The leaver hears the reason too, for its own transfers.
  left_[from] = false;
  --left_count_;
  return Abort(absl::StrCat("worker ", from, " has left the group",
                            waited_for ? "" : " with transfers under way"));
}

bool ConductorState::HasWaiting(size_t rank) const {
  for (const auto& [ends, link] : links_) {
    if (ends.first != rank && ends.second != rank) continue;
    if (!link.sends.empty() || !link.receives.empty()) return true;
  }
  return false;
}

Answers ConductorState::Tick(absl::Time now) {
  if (aborted_) return {};
  const auto late = [&](absl::Time since) {
    return now - since >= operation_timeout_;
  };
  std::vector<bool> called(calls_.size());
  bool call_is_late = false;
  for (size_t rank = 0; rank < calls_.size(); ++rank) {
    called[rank] = calls_[rank].has_value();
    if (called[rank] && late(calls_[rank]->since)) call_is_late = true;
  }
  const std::string silent =
      absl::StrCat(" silent for ", absl::FormatDuration(operation_timeout_));
  if (call_is_late) {
    return Abort(absl::StrCat("workers ", Ranks(called, false), " were", silent,
                              " while others waited for them"));
  }
  for (const auto& [ends, link] : links_) {
    if (!link.sends.empty() && late(link.sends.front().since)) {
      return Abort(absl::StrCat("worker ", ends.second, " was", silent,
                                " while worker ", ends.first,
                                " had a transfer for it"));
    }
    if (!link.receives.empty() && late(link.receives.front().since)) {
      return Abort(absl::StrCat("worker ", ends.first, " was", silent,
                                " while worker ", ends.second,
                                " waited for a transfer"));
    }
  }
  return {};
}

absl::Time ConductorState::NextTick() const {
  absl::Time first = absl::InfiniteFuture();
  if (aborted_) return first;
  for (const auto& call : calls_) {
    if (call.has_value()) first = std::min(first, call->since);
  }
  for (const auto& [ends, link] : links_) {
    if (!link.sends.empty()) first = std::min(first, link.sends[0].since);
    if (!link.receives.empty()) first = std::min(first, link.receives[0].since);
  }
  return first + operation_timeout_;
}

std::string ConductorState::Ranks(const std::vector<bool>& marked,
                                  bool wanted) const {
  std::vector<size_t> ranks;
  for (size_t rank = 0; rank < marked.size(); ++rank) {
    if (marked[rank] == wanted) ranks.push_back(rank);
  }
  return absl::StrJoin(ranks, ", ");
}

}  // namespace balancemoe::worker
