#include "worker/transport/loopback/loopback_transport.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/transport/arguments.h"
#include "worker/transport/rank_order_sum.h"

namespace balancemoe::worker {
namespace {

using Offer = LoopbackGroup::Offer;

class LoopbackBatch final : public TransferBatch {
 public:
  LoopbackBatch(std::shared_ptr<LoopbackGroup> group,
                std::vector<std::shared_ptr<LoopbackTransfer>> transfers)
      : group_(std::move(group)), transfers_(std::move(transfers)) {}
  ~LoopbackBatch() override {
    for (const auto& transfer : transfers_)
      group_->Wait(*transfer).IgnoreError();
  }

  bool Done(size_t index) const override {
    return group_->Done(*transfers_[index]);
  }
  absl::Status Wait(size_t index, ComputeStream /*stream*/) override {
    return group_->Wait(*transfers_[index]);
  }
  absl::Duration Elapsed(size_t index) const override {
    return group_->Elapsed(*transfers_[index]);
  }

 private:
  const std::shared_ptr<LoopbackGroup> group_;
  // Each also waits in the group's queue until its other half comes.
  const std::vector<std::shared_ptr<LoopbackTransfer>> transfers_;
};

void CopyBytes(absl::Span<std::byte> to, absl::Span<const std::byte> from) {
  if (!from.empty()) std::memcpy(to.data(), from.data(), from.size());
}

// That rank `peer` called the same collective with as many bytes.
absl::Status Matches(const Offer& offer, size_t peer, const char* collective,
                     size_t bytes) {
  if (absl::string_view(offer.collective) == collective &&
      offer.bytes.size() == bytes) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat(
      collective, " of ", bytes, " bytes: worker ", peer, " called ",
      offer.collective, " with ", offer.bytes.size(), " bytes"));
}

}  // namespace

LoopbackTransport::LoopbackTransport(const GroupOptions& options,
                                     LoopbackHub& hub)
    : options_(options), hub_(hub) {}

LoopbackTransport::~LoopbackTransport() {
  if (group_ != nullptr) group_->Leave(rank());
}

absl::Status LoopbackTransport::Form(Generation generation) {
  generation_ = generation;
  BMOE_ASSIGN_OR_RETURN(group_, hub_.Group(world_size(), generation));
  const absl::Status joined = group_->Join(rank(), options_.connect_timeout);
  // The rank in the group is another transport's, which must not be made to
  // leave.
  if (absl::IsAlreadyExists(joined)) group_ = nullptr;
  return joined;
}

absl::Status LoopbackTransport::Rebuild(Generation generation) {
  BMOE_RETURN_IF_ERROR(CheckNextGeneration(generation_, generation));
  if (group_ != nullptr) group_->Leave(rank());
  return Form(generation);
}

void LoopbackTransport::Abort(absl::Status reason) {
  group_->Abort(rank(), reason);
}

absl::Status LoopbackTransport::Exchange(
    const Offer& offer,
    absl::FunctionRef<absl::Status(absl::Span<const Offer>)> read) {
  return group_->Exchange(rank(), offer, options_.operation_timeout, read);
}

absl::Status LoopbackTransport::AllGather(absl::Span<const std::byte> mine,
                                          absl::Span<std::byte> all,
                                          ComputeStream /*stream*/) {
  BMOE_RETURN_IF_ERROR(CheckAllGather(mine.size(), all.size(), world_size()));
  const char* const name = "all-gather";
  return Exchange({name, mine, {}}, [&](absl::Span<const Offer> offers) {
    for (size_t peer = 0; peer < offers.size(); ++peer) {
      BMOE_RETURN_IF_ERROR(Matches(offers[peer], peer, name, mine.size()));
      CopyBytes(all.subspan(peer * mine.size(), mine.size()),
                offers[peer].bytes);
    }
    return absl::OkStatus();
  });
}

absl::Status LoopbackTransport::AllToAllV(
    absl::Span<const std::byte> send, absl::Span<const size_t> send_bytes,
    absl::Span<std::byte> receive, absl::Span<const size_t> receive_bytes,
    ComputeStream /*stream*/) {
  BMOE_RETURN_IF_ERROR(CheckAllToAllV(send.size(), receive.size(), send_bytes,
                                      receive_bytes, rank(), world_size()));
  const char* const name = "all-to-all";
  return Exchange(
      {name, send, send_bytes}, [&](absl::Span<const Offer> offers) {
        size_t to = 0;
        for (size_t peer = 0; peer < offers.size(); ++peer) {
          const Offer& offer = offers[peer];
          BMOE_RETURN_IF_ERROR(Matches(offer, peer, name, offer.bytes.size()));
          const auto* blocks = offer.block_bytes.data();
          const size_t bytes = blocks[rank().index()];
          if (bytes != receive_bytes[peer]) {
            return absl::DataLossError(
                absl::StrCat(name, ": worker ", peer, " sent ", bytes,
                             " bytes, expected ", receive_bytes[peer]));
          }
          const size_t from =
              std::accumulate(blocks, blocks + rank().index(), size_t{0});
          CopyBytes(receive.subspan(to, bytes),
                    offer.bytes.subspan(from, bytes));
          to += bytes;
        }
        return absl::OkStatus();
      });
}

absl::Status LoopbackTransport::AllReduceSum(absl::Span<float> values,
                                             ComputeStream /*stream*/) {
  const char* const name = "all-reduce";
  const size_t bytes = values.size() * sizeof(float);
  const absl::Span<const std::byte> mine(
      reinterpret_cast<const std::byte*>(values.data()), bytes);
  // Into a buffer of its own: the others read `values` until all have summed.
  sum_.resize(values.size());
  const absl::Status status =
      Exchange({name, mine, {}}, [&](absl::Span<const Offer> offers) {
        for (size_t peer = 0; peer < offers.size(); ++peer) {
          BMOE_RETURN_IF_ERROR(Matches(offers[peer], peer, name, bytes));
          const absl::Span<const float> theirs(
              reinterpret_cast<const float*>(offers[peer].bytes.data()),
              values.size());
          if (peer == 0) {
            std::copy(theirs.begin(), theirs.end(), sum_.begin());
          } else {
            AddInto(absl::MakeSpan(sum_), theirs);
          }
        }
        return absl::OkStatus();
      });
  if (status.ok()) std::copy(sum_.begin(), sum_.end(), values.begin());
  return status;
}

absl::Status LoopbackTransport::Broadcast(absl::Span<std::byte> bytes,
                                          WorkerRank root,
                                          ComputeStream /*stream*/) {
  BMOE_RETURN_IF_ERROR(CheckRoot(root, world_size()));
  const char* const name = "broadcast";
  return Exchange({name, bytes, {}}, [&](absl::Span<const Offer> offers) {
    for (size_t peer = 0; peer < offers.size(); ++peer) {
      BMOE_RETURN_IF_ERROR(Matches(offers[peer], peer, name, bytes.size()));
    }
    if (root != rank()) CopyBytes(bytes, offers[root.index()].bytes);
    return absl::OkStatus();
  });
}

absl::Status LoopbackTransport::Barrier() {
  return Exchange({"barrier", {}, {}}, [](absl::Span<const Offer> offers) {
    for (size_t peer = 0; peer < offers.size(); ++peer) {
      BMOE_RETURN_IF_ERROR(Matches(offers[peer], peer, "barrier", 0));
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<std::unique_ptr<TransferBatch>>
LoopbackTransport::StartTransfers(absl::Span<const Transfer> transfers) {
  BMOE_RETURN_IF_ERROR(CheckTransfers(transfers, rank(), world_size()));
  std::vector<std::shared_ptr<LoopbackTransfer>> halves;
  halves.reserve(transfers.size());
  for (const Transfer& transfer : transfers) {
    halves.push_back(std::make_shared<LoopbackTransfer>());
    halves.back()->request = transfer;
  }
  BMOE_RETURN_IF_ERROR(group_->Start(rank(), halves));
  return std::make_unique<LoopbackBatch>(group_, std::move(halves));
}

}  // namespace balancemoe::worker
