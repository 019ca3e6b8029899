#include "worker/expert/lend_executor.h"

#include <torch/utils.h>

#include <utility>

#include "common/status_macros.h"

namespace balancemoe::worker {

absl::StatusOr<std::unique_ptr<LendExecutor>> LendExecutor::Start(
    std::shared_ptr<ExpertStore> store, Transport& transport,
    const Clock& clock, const std::vector<Lend>& lends) {
  std::unique_ptr<LendExecutor> executor(
      new LendExecutor(std::move(store), transport, clock));
  BMOE_RETURN_IF_ERROR(executor->StartParameters(lends));
  return executor;
}

absl::Status LendExecutor::StartParameters(const std::vector<Lend>& lends) {
  const WorkerRank me = store_->rank();
  std::vector<Transfer> transfers;
  // Sends first, so that the receives' indices are known; between two workers,
  // each direction keeps the plan's order on both ends.
  for (const Lend& lend : lends) {
    if (lend.from != me) continue;
    transfers.push_back(
        {Transfer::Direction::kSend, lend.to, store_->HomeBytes(lend.expert)});
    lent_.push_back(lend);
    bytes_sent_ += store_->shape().bytes();
  }
  for (const Lend& lend : lends) {
    if (lend.to != me) continue;
    borrowed_.push_back(store_->Borrow(lend.expert));
    borrowed_gradients_.push_back(store_->GradientBuffer(lend.expert));
    home_of_borrowed_.push_back(lend.from);
    transfers.push_back(
        {Transfer::Direction::kReceive, lend.from, borrowed_.back()->bytes()});
  }
  gradient_ready_.assign(borrowed_.size(), false);
  first_returned_ = borrowed_.size();
  if (transfers.empty()) return absl::OkStatus();
  BMOE_ASSIGN_OR_RETURN(parameters_, transport_.StartTransfers(transfers));
  return absl::OkStatus();
}

absl::Status LendExecutor::Wait(TransferBatch& batch, size_t index) {
  const absl::Time start = clock_.Now();
  const absl::Status status = batch.Wait(index, ComputeStream{});
  exposed_ += clock_.Now() - start;
  return status;
}

absl::Status LendExecutor::AwaitArrival(size_t i) {
  BMOE_RETURN_IF_ERROR(Wait(*parameters_, lent_.size() + i));
  borrowed_[i]->Publish();
  return absl::OkStatus();
}

absl::Status LendExecutor::BeginReturns() {
  if (lent_.empty()) return absl::OkStatus();
  returned_ = store_->ReturnBuffers(lent_.size());
  std::vector<Transfer> transfers;
  for (size_t i = lent_.size(); i-- > 0;) {
    transfers.push_back(
        {Transfer::Direction::kReceive, lent_[i].to, returned_[i].bytes});
  }
  BMOE_ASSIGN_OR_RETURN(incoming_gradients_,
                        transport_.StartTransfers(transfers));
  return absl::OkStatus();
}

absl::Status LendExecutor::ReturnGradient(size_t i) {
  gradient_ready_[i] = true;
  while (first_returned_ > 0 && gradient_ready_[first_returned_ - 1]) {
    BMOE_RETURN_IF_ERROR(SendNextGradient());
  }
  return absl::OkStatus();
}

absl::Status LendExecutor::SendNextGradient() {
  const size_t i = --first_returned_;
  const Transfer transfer = {Transfer::Direction::kSend, home_of_borrowed_[i],
                             borrowed_gradients_[i]->bytes()};
  BMOE_ASSIGN_OR_RETURN(
      auto batch, transport_.StartTransfers(absl::MakeConstSpan(&transfer, 1)));
  outgoing_gradients_.push_back(std::move(batch));
  bytes_sent_ += store_->shape().bytes();
  return absl::OkStatus();
}

absl::Status LendExecutor::ReturnMissingGradients() {
  for (size_t i = borrowed_.size(); i-- > 0;) {
    if (gradient_ready_[i]) continue;
    const torch::NoGradGuard no_grad;
    for (const torch::Tensor& part : borrowed_gradients_[i]->tensors().all) {
      part.zero_();
    }
    BMOE_RETURN_IF_ERROR(ReturnGradient(i));
  }
  return absl::OkStatus();
}

absl::Status LendExecutor::AwaitReturned(size_t i) {
  // First, or two workers that lend to each other could wait for each other.
  BMOE_RETURN_IF_ERROR(ReturnMissingGradients());
  return Wait(*incoming_gradients_, lent_.size() - 1 - i);
}

absl::Status LendExecutor::Finish() {
  BMOE_RETURN_IF_ERROR(ReturnMissingGradients());
  for (size_t i = 0; i < lent_.size(); ++i) {
    // Home's parameters may change once this returns, so they must have left.
    BMOE_RETURN_IF_ERROR(Wait(*parameters_, i));
    BMOE_RETURN_IF_ERROR(Wait(*incoming_gradients_, i));
  }
  for (const auto& batch : outgoing_gradients_) {
    BMOE_RETURN_IF_ERROR(Wait(*batch, 0));
  }
  Release();
  return absl::OkStatus();
}

void LendExecutor::Release() {
  parameters_.reset();
  incoming_gradients_.reset();
  outgoing_gradients_.clear();
  borrowed_.clear();
  borrowed_gradients_.clear();
  returned_.clear();
  finished_ = true;
}

}  // namespace balancemoe::worker
