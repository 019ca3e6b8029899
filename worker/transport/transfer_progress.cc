#include "worker/transport/transfer_progress.h"

#include <utility>

namespace balancemoe::worker {

TransferProgress::TransferProgress(size_t transfers)
    : started_(clock_.Now()), transfers_(transfers) {}

void TransferProgress::Finish(size_t index, absl::Status status) {
  MutexLock lock(&mutex_);
  Transfer& transfer = transfers_[index];
  transfer.done = true;
  transfer.status = std::move(status);
  transfer.elapsed = clock_.Now() - started_;
  finished_.NotifyAll();
}

bool TransferProgress::Done(size_t index) const {
  MutexLock lock(&mutex_);
  return transfers_[index].done;
}

absl::Status TransferProgress::Wait(size_t index) {
  MutexLock lock(&mutex_);
  while (!transfers_[index].done) finished_.Wait(&mutex_);
  return transfers_[index].status;
}

void TransferProgress::WaitForAll() {
  MutexLock lock(&mutex_);
  for (const Transfer& transfer : transfers_) {
    while (!transfer.done) finished_.Wait(&mutex_);
  }
}

absl::Duration TransferProgress::Elapsed(size_t index) const {
  MutexLock lock(&mutex_);
  return transfers_[index].elapsed;
}

ProgressBatch::ProgressBatch(std::shared_ptr<TransferProgress> progress)
    : progress_(std::move(progress)) {}

ProgressBatch::~ProgressBatch() { progress_->WaitForAll(); }

bool ProgressBatch::Done(size_t index) const { return progress_->Done(index); }

absl::Status ProgressBatch::Wait(size_t index, ComputeStream /*stream*/) {
  return progress_->Wait(index);
}

absl::Duration ProgressBatch::Elapsed(size_t index) const {
  return progress_->Elapsed(index);
}

}  // namespace balancemoe::worker
