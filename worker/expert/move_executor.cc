#include "worker/expert/move_executor.h"

#include <torch/types.h>

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/checksum.h"
#include "common/status_macros.h"
#include "worker/expert/compute_device.h"

namespace balancemoe::worker {
namespace {

using Parts = std::vector<absl::Span<std::byte>>;

// Of bytes on `device`.
uint64_t ChecksumOf(const Parts& parts, const torch::Device& device) {
  const auto options = torch::TensorOptions(torch::kByte).device(device);
  std::vector<uint64_t> sums;
  for (const absl::Span<std::byte> part : parts) {
    // On the CPU these are the bytes themselves.
    const torch::Tensor bytes =
        torch::from_blob(part.data(), {static_cast<int64_t>(part.size())},
                         options)
            .cpu();
    sums.push_back(Checksum(
        {static_cast<const std::byte*>(bytes.const_data_ptr()), part.size()}));
  }
  return Checksum({reinterpret_cast<const std::byte*>(sums.data()),
                   sums.size() * sizeof(uint64_t)});
}

// One expert that leaves this worker or comes to it.
struct Passage {
  Move move;
  torch::Device device;
  Parts parts;
  // Travels before the parts.
  std::unique_ptr<uint64_t> checksum = std::make_unique<uint64_t>(0);
};

// One worker's part in the moves of all layers.
class Mover {
 public:
  Mover(absl::Span<const StoreMoves> moves, Transport& transport,
        const MoveObserver& observer)
      : moves_(moves), transport_(transport), observer_(observer) {}
  ~Mover() {
    // Transfers end before what they write to is given back.
    batch_.reset();
    for (const StoreMoves& of : moves_) of.store->AbandonArrivals();
  }

  absl::StatusOr<MoveOutcome> Run() {
    Reached(MovePoint::kBeforeSend);
    BMOE_RETURN_IF_ERROR(StartTransfers());
    Reached(MovePoint::kMidTransfer);
    BMOE_RETURN_IF_ERROR(AwaitTransfers());
    for (const Passage& passage : arriving_) {
      Reached(MovePoint::kArrived, passage.parts.back());
    }
    const std::string wrong = CheckArrivals();
    Reached(MovePoint::kBeforeCommit);
    MoveOutcome outcome = {
        .committed = false, .reason = "", .bytes_sent = sent_};
    BMOE_ASSIGN_OR_RETURN(outcome.reason, Vote(wrong));
    if (!outcome.reason.empty()) return outcome;
    outcome.committed = true;
    for (const StoreMoves& of : moves_) of.store->CommitMoves(of.moves);
    Reached(MovePoint::kAfterCommit);
    return outcome;
  }

 private:
  void Reached(MovePoint point, absl::Span<std::byte> arrived = {}) const {
    if (observer_) observer_(point, arrived);
  }

  absl::Status StartTransfers() {
    const WorkerRank me = transport_.rank();
    for (const StoreMoves& of : moves_) {
      const torch::Device& device = of.store->device();
      for (const Move& move : of.moves) {
        if (move.from == me) {
          leaving_.push_back({move, device, of.store->StateBytes(move.expert)});
          *leaving_.back().checksum = ChecksumOf(leaving_.back().parts, device);
        } else if (move.to == me) {
          arriving_.push_back(
              {move, device, of.store->BeginArrival(move.expert)});
        }
      }
    }
    // The optimizer has written what leaves, and slots are clear for what
    // comes.
    for (const StoreMoves& of : moves_) AwaitCompute(of.store->device());
    std::vector<Transfer> transfers;
    for (const Passage& passage : leaving_) {
      Add(Transfer::Direction::kSend, passage.move.to, passage, transfers);
      for (const auto part : passage.parts) {
        sent_ += static_cast<int64_t>(part.size());
      }
    }
    for (const Passage& passage : arriving_) {
      Add(Transfer::Direction::kReceive, passage.move.from, passage, transfers);
    }
    num_transfers_ = transfers.size();
    BMOE_ASSIGN_OR_RETURN(batch_, transport_.StartTransfers(transfers));
    return absl::OkStatus();
  }

  static void Add(Transfer::Direction direction, WorkerRank peer,
                  const Passage& passage, std::vector<Transfer>& transfers) {
    transfers.push_back(
        {direction, peer,
         absl::MakeSpan(reinterpret_cast<std::byte*>(passage.checksum.get()),
                        sizeof(uint64_t))});
    for (const absl::Span<std::byte> part : passage.parts) {
      transfers.push_back({direction, peer, part});
    }
  }

  absl::Status AwaitTransfers() {
    for (size_t i = 0; i < num_transfers_; ++i) {
      BMOE_RETURN_IF_ERROR(batch_->Wait(i, ComputeStream{}));
    }
    return absl::OkStatus();
  }

  // What is wrong, in words; empty when all is well.
  std::string CheckArrivals() const {
    for (const Passage& passage : arriving_) {
      if (ChecksumOf(passage.parts, passage.device) == *passage.checksum) {
        continue;
      }
      return absl::StrCat("expert ", passage.move.expert.value(),
                          " came to worker ", passage.move.to.value(),
                          " with a wrong checksum");
    }
    return "";
  }

  // Empty when every worker says that all is well.
  absl::StatusOr<std::string> Vote(const std::string& wrong) {
    const auto workers = static_cast<size_t>(transport_.world_size());
    const uint64_t mine = wrong.empty() ? 0 : 1;
    std::vector<uint64_t> all(workers);
    BMOE_RETURN_IF_ERROR(transport_.AllGather(
        {reinterpret_cast<const std::byte*>(&mine), sizeof(mine)},
        absl::MakeSpan(reinterpret_cast<std::byte*>(all.data()),
                       workers * sizeof(mine)),
        ComputeStream{}));
    if (!wrong.empty()) return wrong;
    for (size_t rank = 0; rank < workers; ++rank) {
      if (all[rank] == 0) continue;
      return absl::StrCat("worker ", rank, " did not get what it was sent");
    }
    return std::string();
  }

  const absl::Span<const StoreMoves> moves_;
  Transport& transport_;
  const MoveObserver& observer_;

  std::vector<Passage> leaving_;
  std::vector<Passage> arriving_;
  int64_t sent_ = 0;
  size_t num_transfers_ = 0;
  std::unique_ptr<TransferBatch> batch_;
};

}  // namespace

absl::StatusOr<MoveOutcome> MoveExperts(absl::Span<const StoreMoves> moves,
                                        Transport& transport,
                                        const MoveObserver& observer) {
  return Mover(moves, transport, observer).Run();
}

}  // namespace balancemoe::worker
