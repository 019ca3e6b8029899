#include "worker/transport/arguments.h"

#include <numeric>

#include "absl/strings/str_cat.h"

namespace balancemoe::worker {
namespace {

bool InGroup(WorkerRank rank, int32_t world_size) {
  return rank.value() >= 0 && rank.value() < world_size;
}

size_t Total(absl::Span<const size_t> bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), size_t{0});
}

}  // namespace

absl::Status CheckGroup(const GroupOptions& group) {
  if (group.world_size < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("world size ", group.world_size, ": must be at least 1"));
  }
  if (!InGroup(group.rank, group.world_size)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "rank ", group.rank.value(), ": world size is ", group.world_size));
  }
  return absl::OkStatus();
}

absl::Status CheckAllGather(size_t mine_bytes, size_t all_bytes,
                            int32_t world_size) {
  if (all_bytes == mine_bytes * static_cast<size_t>(world_size)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("all-gather: result of ", all_bytes, " bytes, wanted ",
                   world_size, " times ", mine_bytes));
}

absl::Status CheckAllToAllV(size_t send_bytes, size_t receive_bytes,
                            absl::Span<const size_t> send_bytes_by_rank,
                            absl::Span<const size_t> receive_bytes_by_rank,
                            WorkerRank self, int32_t world_size) {
  const auto ranks = static_cast<size_t>(world_size);
  if (send_bytes_by_rank.size() != ranks ||
      receive_bytes_by_rank.size() != ranks) {
    return absl::InvalidArgumentError(absl::StrCat(
        "all-to-all: sizes for ", send_bytes_by_rank.size(), " and ",
        receive_bytes_by_rank.size(), " ranks, wanted ", world_size));
  }
  if (Total(send_bytes_by_rank) != send_bytes ||
      Total(receive_bytes_by_rank) != receive_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "all-to-all: blocks of ", Total(send_bytes_by_rank), " and ",
        Total(receive_bytes_by_rank), " bytes in buffers of ", send_bytes,
        " and ", receive_bytes));
  }
  if (send_bytes_by_rank[self.index()] != receive_bytes_by_rank[self.index()]) {
    return absl::InvalidArgumentError(absl::StrCat(
        "all-to-all: sends itself ", send_bytes_by_rank[self.index()],
        " bytes, receives ", receive_bytes_by_rank[self.index()]));
  }
  return absl::OkStatus();
}

absl::Status CheckRoot(WorkerRank root, int32_t world_size) {
  if (InGroup(root, world_size)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "broadcast: root ", root.value(), ": world size is ", world_size));
}

absl::Status CheckTransfers(absl::Span<const Transfer> transfers,
                            WorkerRank self, int32_t world_size) {
  for (const Transfer& transfer : transfers) {
    if (transfer.peer == self || !InGroup(transfer.peer, world_size)) {
      return absl::InvalidArgumentError(
          absl::StrCat("transfer with worker ", transfer.peer.value(),
                       ": this is worker ", self.value(), " of ", world_size));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckNextGeneration(Generation present, Generation next) {
  if (next > present) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("generation ", next.value(), ": must be higher than ",
                   present.value(), ", the present one"));
}

}  // namespace balancemoe::worker
