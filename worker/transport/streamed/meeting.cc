#include "worker/transport/streamed/meeting.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/clock.h"
#include "common/status_macros.h"

namespace balancemoe::worker {
namespace {

std::string KeyOf(int32_t rank) { return absl::StrCat("streamed/", rank); }

// The way of one worker into its group.
class Arrival {
 public:
  Arrival(const GroupOptions& group, Generation generation,
          Rendezvous& rendezvous)
      : group_(group),
        generation_(generation),
        rendezvous_(rendezvous),
        deadline_(clock_.Now() + group.connect_timeout) {}

  // Tells that this worker is there, then waits for all others. Returns what
  // rank 0 put.
  absl::StatusOr<std::string> WaitForAll(const std::string& mine) {
    BMOE_RETURN_IF_ERROR(
        rendezvous_.Put(generation_, KeyOf(group_.rank.value()), mine));
    std::string address;
    std::vector<int32_t> missing;
    for (int32_t rank = 0; rank < group_.world_size; ++rank) {
      // Once one is missing, the time is up and the others are only asked.
      auto value = rendezvous_.Get(generation_, KeyOf(rank), left());
      if (absl::IsDeadlineExceeded(value.status())) {
        missing.push_back(rank);
        continue;
      }
      if (!value.ok()) return value.status();
      if (rank == 0) address = *std::move(value);
    }
    if (!missing.empty()) return Missing(missing, "come");
    return address;
  }

  // Accepts the connections of all workers but this one.
  absl::StatusOr<std::vector<ControlSocket>> AcceptAll(
      ControlListener& listener) {
    std::vector<ControlSocket> sockets(static_cast<size_t>(group_.world_size));
    for (int32_t others = group_.world_size - 1; others > 0;) {
      auto socket = listener.Accept(left());
      if (!socket.ok()) return Missing(Unconnected(sockets), "connect");
      const auto hello = socket->Receive(left());
      // Anybody may knock at an open port.
      if (!hello.ok() || hello->kind != ControlKind::kHello ||
          hello->numbers.size() != 1 || hello->numbers[0] == 0 ||
          hello->numbers[0] >= sockets.size() ||
          sockets[hello->numbers[0]].open()) {
        continue;
      }
      sockets[hello->numbers[0]] = *std::move(socket);
      --others;
    }
    return sockets;
  }

 private:
  absl::Duration left() const {
    return std::max(deadline_ - clock_.Now(), absl::ZeroDuration());
  }

  static std::vector<int32_t> Unconnected(
      const std::vector<ControlSocket>& sockets) {
    std::vector<int32_t> ranks;
    for (size_t rank = 1; rank < sockets.size(); ++rank) {
      if (!sockets[rank].open()) ranks.push_back(static_cast<int32_t>(rank));
    }
    return ranks;
  }

  absl::Status Missing(const std::vector<int32_t>& ranks,
                       absl::string_view what) const {
    return absl::DeadlineExceededError(
        absl::StrCat("generation ", generation_.value(), ": workers ",
                     absl::StrJoin(ranks, ", "), " did not ", what, " within ",
                     absl::FormatDuration(group_.connect_timeout)));
  }

  const GroupOptions& group_;
  const Generation generation_;
  Rendezvous& rendezvous_;
  const SteadyClock clock_;
  const absl::Time deadline_;
};

absl::StatusOr<Meeting> Conduct(const std::string& host,
                                absl::string_view group_id, Arrival& arrival) {
  Meeting meeting;
  BMOE_ASSIGN_OR_RETURN(ControlListener listener,
                        ControlListener::Listen(host));
  BMOE_RETURN_IF_ERROR(arrival.WaitForAll(listener.address()).status());
  BMOE_ASSIGN_OR_RETURN(meeting.to_workers, arrival.AcceptAll(listener));
  BMOE_ASSIGN_OR_RETURN(auto own, ControlSocket::Pair());
  meeting.to_conductor = std::move(own.first);
  meeting.to_workers[0] = std::move(own.second);
  for (ControlSocket& worker : meeting.to_workers) {
    // One that is gone by now is found by the conductor.
    worker.Send({ControlKind::kGroupId, {}, std::string(group_id)})
        .IgnoreError();
  }
  return meeting;
}

}  // namespace

absl::StatusOr<Meeting> Meet(const GroupOptions& group, Generation generation,
                             const std::string& address,
                             absl::string_view group_id,
                             Rendezvous& rendezvous) {
  Arrival arrival(group, generation, rendezvous);
  if (group.rank == WorkerRank(0)) return Conduct(address, group_id, arrival);
  BMOE_ASSIGN_OR_RETURN(const std::string conductor,
                        arrival.WaitForAll("here"));
  Meeting meeting;
  BMOE_ASSIGN_OR_RETURN(meeting.to_conductor,
                        ControlSocket::Connect(conductor));
  BMOE_RETURN_IF_ERROR(meeting.to_conductor.Send(
      {ControlKind::kHello, {static_cast<uint64_t>(group.rank.value())}, ""}));
  return meeting;
}

}  // namespace balancemoe::worker
