#ifndef BALANCEMOE_WORKER_EXPERT_LEND_EXECUTOR_H_
#define BALANCEMOE_WORKER_EXPERT_LEND_EXECUTOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/planning/plan.h"
#include "worker/expert/expert_store.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// Carries out, on this worker, the lends of one forward pass of a layer and of
// its backward.
//
//   Send: parameters leave home, in the order given, possibly long before
//     --Use--------------> the lends of the forward are known
//     --AwaitArrival(i)--> borrowed expert i is visible
//     --BeginReturns-----> home expects the gradients, in the reverse order
//     --ReturnGradient(i)> borrowed expert i's gradient leaves
//     --AwaitReturned(i)-> lend i's gradient is home
//     --Finish-----------> nothing is under way, slots are free
//
// An expert may be lent to several workers; each is a lend of its own here,
// with a gradient of its own. What was sent and is not used returns no
// gradient.
//
// Destroyed before Finish, it waits for what is under way: a forward without a
// backward. Both ends of each pair start matching transfers in the same order.
// Used from one thread.
class LendExecutor {
 public:
  // `transport` and `clock` must outlive the executor.
  LendExecutor(std::shared_ptr<ExpertStore> store, Transport& transport,
               const Clock& clock)
      : store_(std::move(store)), transport_(transport), clock_(clock) {}

  // Starts to send the parameters of `lends`, whose tokens do not matter. No
  // worker borrows an expert twice. May be called again, before Use.
  //
  // Errors: those of the transport.
  absl::Status Send(const std::vector<Lend>& lends);

  // These are the lends of the forward; those that were not sent before leave
  // now. Once.
  //
  // Errors: those of the transport.
  absl::Status Use(const std::vector<Lend>& lends);

  // Blocks until the parameters of borrowed expert `i` have come.
  //
  // Errors: those of TransferBatch::Wait.
  absl::Status AwaitArrival(size_t i);

  // At the start of the layer's backward, once: gets ready for the gradients of
  // the experts that this worker lent.
  //
  // Errors: those of the transport.
  absl::Status BeginReturns();

  // Sends home the gradient of borrowed expert `i`, complete in its gradient
  // buffer. Borrowed experts come in reverse order; one that comes early leaves
  // when those after it have left.
  //
  // Errors: those of the transport.
  absl::Status ReturnGradient(size_t i);

  // Blocks until the gradient of lend `i` is home; after all
  // ReturnGradient calls. A borrowed expert whose gradient nobody asked for
  // returns zeros.
  //
  // Errors: those of TransferBatch::Wait.
  absl::Status AwaitReturned(size_t i);

  // Waits for all transfers and gives everything back.
  //
  // Errors: those of TransferBatch::Wait.
  absl::Status Finish();

  // Lends of this worker's experts, in the plan's order.
  size_t lent_count() const { return lent_.size(); }
  ExpertId lent(size_t i) const { return lent_[i].expert; }
  // Valid from BeginReturns; whoever holds the tensors keeps them.
  const ExpertTensors& returned_gradient(size_t i) const {
    return returned_[i].tensors;
  }
  // Experts that this worker borrows, in the plan's order.
  size_t borrowed_count() const { return borrowed_.size(); }
  const BorrowedSlot& borrowed(size_t i) const { return *borrowed_[i].slot; }
  const ExpertTensors& borrowed_gradient(size_t i) const {
    return borrowed_gradients_[i]->tensors();
  }
  bool finished() const { return finished_; }
  // Time that the calls above were blocked.
  absl::Duration exposed() const { return exposed_; }
  // Sent by this worker, parameters and gradients.
  int64_t bytes_sent() const { return bytes_sent_; }

 private:
  // Parameters on their way, to or from another worker.
  struct Passage {
    Lend lend;
    // Where in `parameters_`.
    size_t batch = 0;
    size_t index = 0;
    // Where they arrive; null at home.
    std::unique_ptr<BorrowedSlot> slot;
  };

  // Lends of `lends` that no passage is for.
  std::vector<Lend> NotSent(const std::vector<Lend>& lends) const;
  absl::Status SendNextGradient();
  absl::Status ReturnMissingGradients();
  absl::Status Wait(TransferBatch& batch, size_t index);
  absl::Status AwaitParameters(const Passage& passage) {
    return Wait(*parameters_[passage.batch], passage.index);
  }
  void Release();

  // Constant after construction.
  const std::shared_ptr<ExpertStore> store_;
  Transport& transport_;
  const Clock& clock_;

  // What this worker sends, and what comes and is not used (yet).
  std::vector<Passage> leaving_;
  std::vector<Passage> arriving_;
  std::vector<Lend> lent_;
  // By borrowed expert; released by Finish.
  std::vector<Passage> borrowed_;
  std::vector<std::unique_ptr<BorrowedSlot>> borrowed_gradients_;
  std::vector<bool> gradient_ready_;
  // Gradients of the borrowed experts from here on have left.
  size_t first_returned_ = 0;
  // By lend of this worker's experts.
  std::vector<ExpertSlot> returned_;
  absl::Duration exposed_;
  int64_t bytes_sent_ = 0;
  bool finished_ = false;

  // Last, so that transfers end before their buffers are given back. Gradients
  // come in the reverse of the plan's order.
  std::vector<std::unique_ptr<TransferBatch>> parameters_;
  std::unique_ptr<TransferBatch> incoming_gradients_;
  std::vector<std::unique_ptr<TransferBatch>> outgoing_gradients_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_EXPERT_LEND_EXECUTOR_H_
