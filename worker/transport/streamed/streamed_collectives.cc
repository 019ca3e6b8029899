#include "worker/transport/streamed/streamed_collectives.h"

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "worker/transport/streamed/exchange_schedule.h"

namespace balancemoe::worker {
namespace {

constexpr StreamLane kLane = StreamLane::kCollectives;

// A part of a buffer on the device.
struct Block {
  std::byte* memory = nullptr;
  size_t bytes = 0;
};
using BlockOf = std::function<Block(size_t rank)>;

// Issues operations of a collective. Messages without bytes are left out on
// both sides, since NCCL would start a kernel for them.
class Issuer {
 public:
  Issuer(StreamDevice& device, const GroupOptions& group,
         StreamCommunicators& communicators, const AbortSignal& abort)
      : device_(device),
        group_(group),
        communicators_(communicators),
        abort_(abort) {}

  // Sends each rank its block and receives one from it; copies the own one.
  absl::Status Exchange(const BlockOf& send, const BlockOf& receive) {
    const size_t self = group_.rank.index();
    BMOE_RETURN_IF_ERROR(Copy(receive(self), send(self)));
    for (const auto& steps : ExchangeGroups(group_.rank, group_.world_size,
                                            kMaxOperationsPerGroup)) {
      std::vector<StreamMessage> messages;
      for (const ExchangeStep& step : steps) {
        Add(messages, Transfer::Direction::kSend, step.to,
            send(step.to.index()));
        Add(messages, Transfer::Direction::kReceive, step.from,
            receive(step.from.index()));
      }
      BMOE_RETURN_IF_ERROR(Issue(messages));
    }
    return absl::OkStatus();
  }

  absl::Status Broadcast(Block bytes, WorkerRank root) {
    for (const auto& peers :
         BroadcastGroups(root, group_.world_size, kMaxOperationsPerGroup)) {
      std::vector<StreamMessage> messages;
      for (const WorkerRank peer : peers) {
        if (root == group_.rank) {
          Add(messages, Transfer::Direction::kSend, peer, bytes);
        } else if (peer == group_.rank) {
          Add(messages, Transfer::Direction::kReceive, root, bytes);
        }
      }
      BMOE_RETURN_IF_ERROR(Issue(messages));
    }
    return absl::OkStatus();
  }

  absl::Status SumInRankOrder(Block sum, const std::byte* parts) {
    if (sum.bytes == 0) return absl::OkStatus();
    return device_.streams().SumInRankOrder(
        kLane, reinterpret_cast<float*>(sum.memory),
        reinterpret_cast<const float*>(parts), sum.bytes / sizeof(float),
        group_.world_size);
  }

 private:
  static void Add(std::vector<StreamMessage>& messages,
                  Transfer::Direction direction, WorkerRank peer,
                  const Block& block) {
    if (block.bytes == 0) return;
    messages.push_back({direction, peer, block.memory, block.bytes});
  }

  absl::Status Copy(const Block& to, const Block& from) {
    if (to.bytes == 0 || to.memory == from.memory) return absl::OkStatus();
    return device_.streams().Copy(kLane, to.memory, from.memory, to.bytes);
  }

  absl::Status Issue(const std::vector<StreamMessage>& messages) {
    if (messages.empty()) return absl::OkStatus();
    return communicators_.Exchange(kLane, messages, abort_);
  }

  StreamDevice& device_;
  const GroupOptions& group_;
  StreamCommunicators& communicators_;
  const AbortSignal& abort_;
};

// Where the block of each rank begins, and where the last ends.
std::vector<size_t> Offsets(absl::Span<const size_t> bytes) {
  std::vector<size_t> offsets = {0};
  for (const size_t block : bytes) offsets.push_back(offsets.back() + block);
  return offsets;
}

BlockOf BlocksAt(std::byte* memory, std::vector<size_t> offsets) {
  return [memory, offsets = std::move(offsets)](size_t rank) {
    return Block{memory + offsets[rank], offsets[rank + 1] - offsets[rank]};
  };
}

}  // namespace

absl::Status StreamedCollectives::Run(const CollectiveCall& call, Work work,
                                      ComputeStream stream) {
  BMOE_RETURN_IF_ERROR(group_.status());
  DeviceStreams& streams = group_.device().streams();
  BMOE_ASSIGN_OR_RETURN(work.after, streams.RecordOn(stream));
  bool staged = false;
  for (const StagedBuffer& output : work.outputs) {
    staged = staged || output.staged();
  }
  auto outcome = std::make_shared<CollectiveOutcome>();
  BMOE_RETURN_IF_ERROR(group_.Call(
      call,
      std::make_unique<CollectiveTask>(std::move(work), streams, outcome)));
  if (stream.native != nullptr && !staged) {
    const auto issued = outcome->WaitIssued();
    if (issued != nullptr) return streams.StreamWaits(stream, *issued);
  }
  const absl::Status status = outcome->Wait();
  // The first to hear of it is told what differs, later calls that the group is
  // aborted.
  if (!status.ok() && group_.TakeDifference()) {
    return absl::DataLossError(status.message());
  }
  return status;
}

absl::Status StreamedCollectives::AllGather(absl::Span<const std::byte> mine,
                                            absl::Span<std::byte> all,
                                            ComputeStream stream) {
  Work work;
  BMOE_ASSIGN_OR_RETURN(auto input,
                        StagedBuffer::ForReading(memory(), staging_, mine));
  BMOE_ASSIGN_OR_RETURN(auto output,
                        StagedBuffer::ForWriting(memory(), staging_, all));
  const Block own = {input.device(), mine.size()};
  const BlockOf blocks = [memory = output.device(),
                          bytes = mine.size()](size_t rank) {
    return Block{memory + rank * bytes, bytes};
  };
  work.inputs.push_back(std::move(input));
  work.outputs.push_back(std::move(output));
  if (!mine.empty()) {
    work.issue = [this, own, blocks](auto& communicators, const auto& abort) {
      return Issuer(group_.device(), group_.options(), communicators, abort)
          .Exchange([own](size_t) { return own; }, blocks);
    };
  }
  return Run({CollectiveKind::kAllGather, mine.size(), 0, {}, {}},
             std::move(work), stream);
}

absl::Status StreamedCollectives::AllToAllV(
    absl::Span<const std::byte> send, absl::Span<const size_t> send_bytes,
    absl::Span<std::byte> receive, absl::Span<const size_t> receive_bytes,
    ComputeStream stream) {
  Work work;
  BMOE_ASSIGN_OR_RETURN(auto input,
                        StagedBuffer::ForReading(memory(), staging_, send));
  BMOE_ASSIGN_OR_RETURN(auto output,
                        StagedBuffer::ForWriting(memory(), staging_, receive));
  const BlockOf out = BlocksAt(input.device(), Offsets(send_bytes));
  const BlockOf in = BlocksAt(output.device(), Offsets(receive_bytes));
  work.inputs.push_back(std::move(input));
  work.outputs.push_back(std::move(output));
  if (!send.empty() || !receive.empty()) {
    work.issue = [this, out, in](auto& communicators, const auto& abort) {
      return Issuer(group_.device(), group_.options(), communicators, abort)
          .Exchange(out, in);
    };
  }
  CollectiveCall call = {.kind = CollectiveKind::kAllToAll};
  call.send_bytes.assign(send_bytes.begin(), send_bytes.end());
  call.receive_bytes.assign(receive_bytes.begin(), receive_bytes.end());
  return Run(call, std::move(work), stream);
}

absl::Status StreamedCollectives::AllReduceSum(absl::Span<float> values,
                                               ComputeStream stream) {
  const absl::Span<std::byte> bytes(reinterpret_cast<std::byte*>(values.data()),
                                    values.size() * sizeof(float));
  std::vector<size_t> offsets;
  for (size_t rank = 0; rank <= ranks(); ++rank) {
    offsets.push_back(rank * values.size() / ranks() * sizeof(float));
  }
  const size_t own_bytes = offsets[self() + 1] - offsets[self()];
  Work work;
  BMOE_ASSIGN_OR_RETURN(auto buffer,
                        StagedBuffer::ForReading(memory(), staging_, bytes));
  BMOE_ASSIGN_OR_RETURN(
      work.scratch, staging_.Take(MemoryPlace::kDevice, ranks() * own_bytes));
  const BlockOf shares = BlocksAt(buffer.device(), offsets);
  std::byte* const parts = work.scratch.memory();
  work.outputs.push_back(std::move(buffer));
  if (!values.empty() && ranks() > 1) {
    work.issue = [this, shares, parts, own_bytes](
                     auto& communicators, const auto& abort) -> absl::Status {
      Issuer issuer(group_.device(), group_.options(), communicators, abort);
      BMOE_RETURN_IF_ERROR(issuer.Exchange(shares, [&](size_t rank) {
        return Block{parts + rank * own_bytes, own_bytes};
      }));
      const Block sum = shares(self());
      BMOE_RETURN_IF_ERROR(issuer.SumInRankOrder(sum, parts));
      return issuer.Exchange([sum](size_t) { return sum; }, shares);
    };
  }
  return Run({CollectiveKind::kAllReduce, bytes.size(), 0, {}, {}},
             std::move(work), stream);
}

absl::Status StreamedCollectives::Broadcast(absl::Span<std::byte> bytes,
                                            WorkerRank root,
                                            ComputeStream stream) {
  Work work;
  // A root's bytes are only read, and so not copied out.
  const bool sends = root.index() == self();
  BMOE_ASSIGN_OR_RETURN(
      auto buffer, sends ? StagedBuffer::ForReading(memory(), staging_, bytes)
                         : StagedBuffer::ForWriting(memory(), staging_, bytes));
  const Block block = {buffer.device(), bytes.size()};
  (sends ? work.inputs : work.outputs).push_back(std::move(buffer));
  if (!bytes.empty() && ranks() > 1) {
    work.issue = [this, block, root](auto& communicators, const auto& abort) {
      return Issuer(group_.device(), group_.options(), communicators, abort)
          .Broadcast(block, root);
    };
  }
  return Run({CollectiveKind::kBroadcast,
              bytes.size(),
              static_cast<uint64_t>(root.value()),
              {},
              {}},
             std::move(work), stream);
}

absl::Status StreamedCollectives::Barrier() {
  return Run({.kind = CollectiveKind::kBarrier}, {}, {});
}

}  // namespace balancemoe::worker
