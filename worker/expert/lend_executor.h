#ifndef BALANCEMOE_WORKER_EXPERT_LEND_EXECUTOR_H_
#define BALANCEMOE_WORKER_EXPERT_LEND_EXECUTOR_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/planning/expert_route.h"
#include "common/planning/plan.h"
#include "worker/agent/agent.h"
#include "worker/expert/expert_store.h"
#include "worker/expert/passage.h"

namespace balancemoe::worker {

// Carries out, on this worker, the lends of one forward pass of a layer and of
// its backward.
//
//   Send: parameters leave home, in the order given, possibly long before
//     --Use--------------> the lends of the forward are known
//     --AwaitArrival(i)--> borrowed expert i is visible
//     --BeginReturns-----> gradients are expected, in the reverse order
//     --ReturnGradient(i)> borrowed expert i's gradient leaves
//     --AwaitReturned(i)-> returned gradient i is home
//     --Finish-----------> nothing is under way, slots are free
//
// An expert that is lent to several workers takes the route that all of them
// find alike (ExpertRoute): a borrower may pass parameters on, and add its
// gradient to those that come through. What was sent and is not used returns no
// gradient.
//
// Destroyed before Finish, it waits for what is under way: a forward without a
// backward. Both ends of each pair start matching transfers in the same order.
// Used from one thread.
class LendExecutor {
 public:
  // `agent`, whose transport is used, and `clock` must outlive the executor.
  LendExecutor(std::shared_ptr<ExpertStore> store, Agent& agent,
               const Clock& clock)
      : store_(std::move(store)), agent_(agent), clock_(clock) {}
  ~LendExecutor();

  // Starts to send the parameters of `lends`, whose tokens do not matter, as
  // they are when the device has done what it was told before. No worker
  // borrows an expert twice. May be called again, before Use. The same
  // on all workers.
  //
  // Errors: those of the transport.
  absl::Status Send(const std::vector<Lend>& lends, const RouteRule& rule);

  // These are the lends of the forward; those that were not sent before leave
  // now. Once. The same on all workers.
  //
  // Errors: those of the transport.
  absl::Status Use(const std::vector<Lend>& lends, const RouteRule& rule);

  // Blocks until the parameters of borrowed expert `i` have come.
  //
  // Errors: those of TransferBatch::Wait.
  absl::Status AwaitArrival(size_t i);

  // At the start of the layer's backward, once: gets ready for the gradients
  // that come to or through this worker.
  //
  // Errors: those of the transport.
  absl::Status BeginReturns();

  // Sends home the gradient of borrowed expert `i`, complete in its gradient
  // buffer, once those that it is added to have come. Gradients leave in the
  // reverse of the plan's order, whichever is ready first.
  void ReturnGradient(size_t i);

  // Blocks until returned gradient `i` is home; after all ReturnGradient calls.
  // A borrowed expert whose gradient nobody asked for returns zeros.
  //
  // Errors: those of TransferBatch::Wait.
  absl::Status AwaitReturned(size_t i);

  // Waits for all transfers and gives everything back.
  //
  // Errors: those of TransferBatch::Wait.
  absl::Status Finish();

  // Gradients that come home: of each expert that this worker lent one per
  // worker that sends one to it, in the plan's order.
  size_t returned_count() const { return returned_.size(); }
  ExpertId returned_expert(size_t i) const {
    return groups_[ways_home_[returned_[i].way].group].expert;
  }
  // Valid from BeginReturns; whoever holds the tensors keeps them.
  const ExpertTensors& returned_gradient(size_t i) const {
    const Returned& returned = returned_[i];
    return ways_home_[returned.way].others[returned.neighbour].tensors;
  }
  // Experts that this worker borrows, in the plan's order.
  size_t borrowed_count() const { return borrowed_.size(); }
  const BorrowedSlot& borrowed(size_t i) const {
    return *GroupOf(borrowed_[i]).slot;
  }
  const ExpertTensors& borrowed_gradient(size_t i) const {
    return borrowed_[i].gradient->tensors();
  }
  bool finished() const { return finished_; }
  // Time that the calls above were blocked.
  absl::Duration exposed() const { return exposed_; }
  // Sent by this worker, parameters and gradients.
  int64_t bytes_sent() const { return bytes_sent_; }

 private:
  // An expert that goes to some workers at a time, through this one or not.
  struct Group {
    ExpertId expert;
    WorkerRank home;
    std::vector<WorkerRank> borrowers = {};
    // Where it arrives; null where it does not.
    std::unique_ptr<BorrowedSlot> slot = nullptr;
    // Null where this worker has no part in it.
    std::unique_ptr<Passage> passage = nullptr;
  };
  struct Borrowed {
    // Index into the ways home.
    size_t way = 0;
    std::unique_ptr<BorrowedSlot> gradient;
    bool ready = false;
  };
  // The gradients of a group's expert, of those borrowers that compute some.
  struct WayHome {
    size_t group = 0;
    std::vector<WorkerRank> computing = {};
    // Of this worker's part in it: none where these are left as they are.
    size_t parts = 0;
    WorkerRank next = {};
    std::vector<WorkerRank> neighbours = {};
    // What comes from the neighbours, who are further out.
    std::vector<ExpertSlot> others = {};
    // Null before BeginReturns.
    std::unique_ptr<Passage> passage = nullptr;
  };
  struct Returned {
    size_t way = 0;
    size_t neighbour = 0;
  };

  const Group& GroupOf(const Borrowed& borrowed) const {
    return groups_[ways_home_[borrowed.way].group];
  }
  absl::Status Start(Group& group, const RouteRule& rule);
  void FindWaysHome(const std::vector<Lend>& lends, const RouteRule& rule);
  absl::Status Prepare(WayHome& way);
  void ReturnMissingGradients();
  absl::Status Timed(absl::FunctionRef<absl::Status()> wait);
  void Release();

  // Constant after construction.
  const std::shared_ptr<ExpertStore> store_;
  Agent& agent_;
  const Clock& clock_;

  absl::Duration exposed_;
  int64_t bytes_sent_ = 0;
  bool finished_ = false;
  // In the order of travel.
  std::vector<Group> groups_;
  // By expert and borrower.
  std::map<std::pair<ExpertId, WorkerRank>, size_t> group_of_;
  std::vector<Borrowed> borrowed_;
  std::vector<Returned> returned_;
  // Last, so that transfers end before their buffers are given back. In the
  // plan's order.
  std::vector<WayHome> ways_home_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_EXPERT_LEND_EXECUTOR_H_
