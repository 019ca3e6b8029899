#include "worker/transport/gloo/gloo_transfers.h"

#include "common/status_macros.h"
#include "worker/transport/transfer_progress.h"

namespace balancemoe::worker {

GlooTransfers::GlooTransfers(GlooGroup& group)
    : group_(group), links_(static_cast<size_t>(group.options().world_size)) {
  for (size_t peer = 0; peer < links_.size(); ++peer) {
    if (peer == group.options().rank.index()) continue;
    links_[peer].channel =
        std::make_unique<GlooChannel>(group_, GlooPurpose::kTransfers,
                                      WorkerRank(static_cast<int32_t>(peer)));
  }
}

void GlooTransfers::Open() {
  MutexLock lock(&mutex_);
  for (const Link& link : links_) {
    if (link.channel != nullptr) link.channel->Open();
  }
}

absl::StatusOr<std::unique_ptr<TransferBatch>> GlooTransfers::Start(
    absl::Span<const Transfer> transfers) {
  BMOE_RETURN_IF_ERROR(group_.status());
  auto progress = std::make_shared<TransferProgress>(transfers.size());
  MutexLock lock(&mutex_);
  for (size_t i = 0; i < transfers.size(); ++i) {
    LoopFor(transfers[i]).Add(transfers[i], progress, i);
  }
  return std::make_unique<ProgressBatch>(std::move(progress));
}

GlooTransferLoop& GlooTransfers::LoopFor(const Transfer& transfer) {
  Link& link = links_[transfer.peer.index()];
  const bool sends = transfer.direction == Transfer::Direction::kSend;
  std::unique_ptr<GlooTransferLoop>& loop = sends ? link.sends : link.receives;
  if (loop == nullptr) {
    loop =
        std::make_unique<GlooTransferLoop>(*link.channel, transfer.direction);
  }
  return *loop;
}

bool GlooTransfers::idle() const {
  MutexLock lock(&mutex_);
  for (const Link& link : links_) {
    if (link.sends != nullptr && !link.sends->idle()) return false;
    if (link.receives != nullptr && !link.receives->idle()) return false;
  }
  return true;
}

}  // namespace balancemoe::worker
