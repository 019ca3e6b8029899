#include "worker/expert/lend_executor.h"

#include <torch/utils.h>

#include <algorithm>
#include <utility>

#include "common/status_macros.h"

namespace balancemoe::worker {

absl::Status LendExecutor::Send(const std::vector<Lend>& lends) {
  const WorkerRank me = store_->rank();
  const size_t batch = parameters_.size();
  std::vector<Transfer> transfers;
  // Between two workers, each direction keeps the order of the lends on both
  // ends.
  for (const Lend& lend : lends) {
    if (lend.from == me) {
      leaving_.push_back({lend, batch, transfers.size(), nullptr});
      transfers.push_back({Transfer::Direction::kSend, lend.to,
                           store_->HomeBytes(lend.expert)});
      bytes_sent_ += store_->shape().bytes();
    } else if (lend.to == me) {
      arriving_.push_back(
          {lend, batch, transfers.size(), store_->Borrow(lend.expert)});
      transfers.push_back({Transfer::Direction::kReceive, lend.from,
                           arriving_.back().slot->bytes()});
    }
  }
  if (transfers.empty()) return absl::OkStatus();
  BMOE_ASSIGN_OR_RETURN(auto started, transport_.StartTransfers(transfers));
  parameters_.push_back(std::move(started));
  return absl::OkStatus();
}

std::vector<Lend> LendExecutor::NotSent(const std::vector<Lend>& lends) const {
  const auto sent = [](const std::vector<Passage>& passages, const Lend& lend) {
    return std::any_of(
        passages.begin(), passages.end(), [&](const Passage& passage) {
          return passage.lend.expert == lend.expert &&
                 passage.lend.from == lend.from && passage.lend.to == lend.to;
        });
  };
  std::vector<Lend> missing;
  for (const Lend& lend : lends) {
    if (!sent(leaving_, lend) && !sent(arriving_, lend)) {
      missing.push_back(lend);
    }
  }
  return missing;
}

absl::Status LendExecutor::Use(const std::vector<Lend>& lends) {
  BMOE_RETURN_IF_ERROR(Send(NotSent(lends)));
  const WorkerRank me = store_->rank();
  for (const Lend& lend : lends) {
    if (lend.from == me) lent_.push_back(lend);
    if (lend.to != me) continue;
    const auto passage = std::find_if(
        arriving_.begin(), arriving_.end(),
        [&](const Passage& p) { return p.lend.expert == lend.expert; });
    borrowed_.push_back(std::move(*passage));
    arriving_.erase(passage);
    borrowed_gradients_.push_back(store_->GradientBuffer(lend.expert));
  }
  gradient_ready_.assign(borrowed_.size(), false);
  first_returned_ = borrowed_.size();
  return absl::OkStatus();
}

absl::Status LendExecutor::Wait(TransferBatch& batch, size_t index) {
  const absl::Time start = clock_.Now();
  const absl::Status status = batch.Wait(index, ComputeStream{});
  exposed_ += clock_.Now() - start;
  return status;
}

absl::Status LendExecutor::AwaitArrival(size_t i) {
  BMOE_RETURN_IF_ERROR(AwaitParameters(borrowed_[i]));
  borrowed_[i].slot->Publish();
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
  const Transfer transfer = {Transfer::Direction::kSend, borrowed_[i].lend.from,
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
  // Home's parameters may change once this returns, so they must have left; and
  // what came unused needs its slot no longer.
  for (const Passage& passage : leaving_) {
    BMOE_RETURN_IF_ERROR(AwaitParameters(passage));
  }
  for (const Passage& passage : arriving_) {
    BMOE_RETURN_IF_ERROR(AwaitParameters(passage));
  }
  for (size_t i = 0; i < lent_.size(); ++i) {
    BMOE_RETURN_IF_ERROR(Wait(*incoming_gradients_, i));
  }
  for (const auto& batch : outgoing_gradients_) {
    BMOE_RETURN_IF_ERROR(Wait(*batch, 0));
  }
  Release();
  return absl::OkStatus();
}

void LendExecutor::Release() {
  parameters_.clear();
  incoming_gradients_.reset();
  outgoing_gradients_.clear();
  leaving_.clear();
  arriving_.clear();
  borrowed_.clear();
  borrowed_gradients_.clear();
  returned_.clear();
  finished_ = true;
}

}  // namespace balancemoe::worker
