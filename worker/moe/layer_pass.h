#ifndef BALANCEMOE_WORKER_MOE_LAYER_PASS_H_
#define BALANCEMOE_WORKER_MOE_LAYER_PASS_H_

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "worker/agent/agent.h"
#include "worker/expert/lend_executor.h"
#include "worker/moe/compute_pace.h"
#include "worker/moe/moe_layer_times.h"
#include "worker/moe/token_exchange.h"

namespace balancemoe::worker {

// What the passes of one layer share.
struct LayerContext {
  Agent& agent;
  LayerId layer;
  std::shared_ptr<ExpertStore> store;
  // Of experts, for emulation.
  std::optional<ComputePace> pace = {};
  // A leaf that wants a gradient and never gets one. As an input of our
  // autograd functions it makes their backward run on every worker, so that all
  // of them take part in its exchanges, whatever a worker's own batch looks
  // like. On the experts' device, as all that autograd sees of us: its threads
  // are by device, and only within one do nodes run in our order.
  torch::Tensor anchor =
      torch::zeros({}, torch::requires_grad().device(store->device()));
  SteadyClock clock = {};
  // Passes whose backward has not ended.
  int64_t open_passes = 0;

  // A worker that fails in the middle of a layer would leave its peers waiting,
  // so the transport is aborted. Throws c10::Error with the status in words.
  void Check(const absl::Status& status) const;
};

// One forward of a layer and its backward: the routes of the tokens, the lends,
// the times. The layer's autograd functions hold it, so it dies with the graph.
class LayerPass : public torch::CustomClassHolder {
 public:
  struct Routes {
    // Int64; see SendOrder.
    torch::Tensor row_of_choice;
    torch::Tensor choice_of_row;
    int64_t top_k = 1;
    PlanId plan;
    // Whether any worker lends in this pass.
    bool lends_anywhere = false;

    // [T * K, H] of rows in send order; zeros for dropped choices.
    torch::Tensor ToChoices(const torch::Tensor& rows) const;
  };

  // The context must not be null, nor `lends`.
  LayerPass(std::shared_ptr<LayerContext> context, Routes routes,
            TokenExchange exchange, std::unique_ptr<LendExecutor> lends,
            std::shared_ptr<MoeLayerTimes> times);
  ~LayerPass() override;

  // The first thing in the layer's backward.
  void BeginBackward();

  // The first exchange of backward has ended, so that all workers are in it.
  void EndEntry();

  // The last thing, when the whole backward, of all layers, has ended. Does
  // nothing when done already.
  void FinishBackward();

  // The last thing in each step of forward and backward: brings the times up to
  // date.
  void EndStep();

  // An expert's computation over `tokens` rows, which began at `start`, has
  // been launched: waits for its end, keeps the pace, if there is one, and
  // counts the time.
  void EndCompute(absl::Time start, int64_t tokens, bool backward);

  // The gradient of lent expert `i`, once it is home.
  const ExpertTensors& AwaitReturned(size_t i);

  // As LayerContext::Check, and gives the value.
  template <typename T>
  T Check(absl::StatusOr<T> value) const {
    context_->Check(value.status());
    return *std::move(value);
  }
  void Check(const absl::Status& status) const { context_->Check(status); }

  // The pass that a function's context holds.
  static c10::intrusive_ptr<LayerPass> Of(
      torch::autograd::AutogradContext* context);
  static void SaveIn(torch::autograd::AutogradContext* context,
                     c10::intrusive_ptr<LayerPass> pass);

  const LayerContext& context() const { return *context_; }
  const Routes& routes() const { return routes_; }
  const TokenExchange& exchange() const { return exchange_; }
  ExchangeTimes& exchange_times() { return exchange_times_; }
  LendExecutor& lends() { return *lends_; }
  // A scalar on the experts' device.
  torch::Tensor Zero() const { return torch::zeros_like(context_->anchor); }
  // Whether, when the forward began, another one waited for its backward.
  bool nested() const { return nested_; }
  MoeLayerTimes& times() { return *times_; }

 private:
  // Constant after construction.
  const std::shared_ptr<LayerContext> context_;
  const Routes routes_;
  const TokenExchange exchange_;
  const std::unique_ptr<LendExecutor> lends_;
  // The layer shows them after the graph has gone.
  const std::shared_ptr<MoeLayerTimes> times_;

  const bool nested_;

  ExchangeTimes exchange_times_;
  absl::Time backward_start_ = absl::InfiniteFuture();
  absl::Duration backward_start_cpu_;
  absl::Duration forward_cpu_;
  absl::Duration forward_peer_wait_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_LAYER_PASS_H_
