#ifndef BALANCEMOE_WORKER_TRANSPORT_STREAMED_CONDUCTOR_STATE_H_
#define BALANCEMOE_WORKER_TRANSPORT_STREAMED_CONDUCTOR_STATE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/ids.h"
#include "worker/transport/streamed/control_message.h"

namespace balancemoe::worker {

// Most transfers of one rank in a round. Each is two operations of a group, the
// bytes and their checksum, and NCCL takes at most 32.
inline constexpr size_t kMaxTransfersPerRound = 16;

// A send that has met its receive.
struct MatchedTransfer {
  struct End {
    size_t rank = 0;
    uint64_t ticket = 0;
    uint64_t bytes = 0;
  };
  End sender;
  End receiver;
};

// Cuts `transfers` into rounds, keeping their order, such that no rank takes
// part in more than `most_per_rank` transfers of a round.
std::vector<std::vector<MatchedTransfer>> SplitIntoRounds(
    absl::Span<const MatchedTransfer> transfers, size_t most_per_rank);

// Decides in which order the operations of a group are issued: a collective
// once all ranks have called it alike, a transfer once both ends have. Every
// rank hears its part of one and the same sequence, which is why no two ranks
// can wait for each other on a device that works one operation after the other.
//
//   forming --all connected--> ready --a rank is lost or needed though it has
//     left, calls differ, silence, kAbort--> aborted
//
// A state machine without clock, lock or sockets.
class ConductorState {
 public:
  struct Outgoing {
    WorkerRank to;
    ControlMessage message;
  };
  using Answers = std::vector<Outgoing>;

  // `operation_timeout`: how long a rank may wait for others.
  ConductorState(int32_t world_size, absl::Duration operation_timeout);

  Answers Hear(WorkerRank from, const ControlMessage& message, absl::Time now);
  // The connection to `rank` broke.
  Answers Lose(WorkerRank rank);
  // Aborts when somebody has waited too long.
  Answers Tick(absl::Time now);

  // When Tick has something to do at the earliest.
  absl::Time NextTick() const;
  // Whether nobody needs the conductor any more: all have left, or aborted.
  bool over() const { return aborted_ || left_count_ == calls_.size(); }

 private:
  struct WaitingCall {
    CollectiveCall call;
    absl::Time since;
  };
  struct WaitingTransfer {
    MatchedTransfer::End end;
    absl::Time since;
  };
  // Transfers from one rank to another that wait for their other end; one of
  // the two is empty.
  struct Link {
    std::deque<WaitingTransfer> sends;
    std::deque<WaitingTransfer> receives;
  };

  Answers ToAll(const ControlMessage& message) const;
  Answers Abort(const std::string& reason, bool calls_differ = false);
  Answers HearConnected(size_t from);
  Answers HearCollective(size_t from, const ControlMessage& message,
                         absl::Time now);
  Answers HearTransfers(size_t from, const ControlMessage& message,
                        absl::Time now);
  Answers HearLeave(size_t from);
  // Adds one end; the pair when its other end was there.
  std::optional<MatchedTransfer> Meet(size_t from, const TransferCall& call,
                                      absl::Time now);
  // Waiting transfers with `rank` at either end.
  bool HasWaiting(size_t rank) const;
  // Why ranks' calls are not the same collective; OK when they are.
  absl::Status CheckCalls() const;
  std::string Ranks(const std::vector<bool>& marked, bool wanted) const;

  const absl::Duration operation_timeout_;
  bool aborted_ = false;
  std::vector<bool> connected_;
  std::vector<bool> left_;
  size_t left_count_ = 0;
  // By rank.
  std::vector<std::optional<WaitingCall>> calls_;
  std::vector<uint64_t> tickets_;
  // By sender and receiver.
  std::map<std::pair<size_t, size_t>, Link> links_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_STREAMED_CONDUCTOR_STATE_H_
