#include "worker/moe/layer_pass.h"

#include <algorithm>
#include <string>

#include "worker/expert/compute_device.h"
#include "worker/moe/processor_time.h"

namespace balancemoe::worker {
namespace {

constexpr char kPassKey[] = "pass";

}  // namespace

void LayerContext::Check(const absl::Status& status) const {
  if (status.ok()) return;
  agent.transport().Abort(status);
  TORCH_CHECK(false, "MoE layer ", layer.value(), ": ", status.ToString());
}

torch::Tensor LayerPass::Routes::ToChoices(const torch::Tensor& rows) const {
  const bool dropped = row_of_choice.size(0) > rows.size(0);
  const torch::Tensor all =
      dropped ? torch::cat({rows, rows.new_zeros({1, rows.size(1)})}) : rows;
  return all.index_select(0, row_of_choice);
}

LayerPass::LayerPass(std::shared_ptr<LayerContext> context, Routes routes,
                     TokenExchange exchange,
                     std::unique_ptr<LendExecutor> lends,
                     std::shared_ptr<MoeLayerTimes> times)
    : context_(std::move(context)),
      routes_(std::move(routes)),
      exchange_(std::move(exchange)),
      lends_(std::move(lends)),
      times_(std::move(times)),
      nested_(context_->open_passes > 0) {
  ++context_->open_passes;
}

LayerPass::~LayerPass() {
  if (!lends_->finished()) --context_->open_passes;
}

c10::intrusive_ptr<LayerPass> LayerPass::Of(
    torch::autograd::AutogradContext* context) {
  return c10::static_intrusive_pointer_cast<LayerPass>(
      context->saved_data.at(kPassKey).toCapsule());
}

void LayerPass::SaveIn(torch::autograd::AutogradContext* context,
                       c10::intrusive_ptr<LayerPass> pass) {
  context->saved_data[kPassKey] = c10::IValue::make_capsule(std::move(pass));
}

void LayerPass::BeginBackward() {
  TORCH_CHECK(!torch::GradMode::is_enabled(), "MoE layer ",
              context_->layer.value(),
              ": create_graph is not supported, gradients of gradients would "
              "need the borrowed experts again");
  TORCH_CHECK(
      !lends_->finished() || !routes_.lends_anywhere, "MoE layer ",
      context_->layer.value(),
      ": a second backward through one forward, but the experts borrowed "
      "for it have been given back");
  backward_start_ = context_->clock.Now();
  backward_start_cpu_ = OtherThreadsProcessorTime();
  forward_cpu_ = times_->other_threads_cpu;
  forward_peer_wait_ = exchange_times_.peer_wait;
  context_->store->PrepareGradients();
  if (!lends_->finished()) Check(lends_->BeginReturns());
}

// Peers that come late are late from what they did before.
void LayerPass::EndEntry() {
  backward_start_ += exchange_times_.peer_wait - forward_peer_wait_;
}

void LayerPass::EndCompute(absl::Time start, int64_t tokens, bool backward) {
  AwaitCompute(context_->store->device());
  if (const auto& pace = context_->pace; pace.has_value()) {
    const absl::Time due =
        start + (backward ? pace->Backward(tokens) : pace->Forward(tokens));
    times_->pace_overrun +=
        std::max(context_->clock.Now() - due, absl::ZeroDuration());
    SleepUntil(due, context_->clock);
  }
  times_->expert_compute += context_->clock.Now() - start;
}

const ExpertTensors& LayerPass::AwaitReturned(size_t i) {
  const absl::Duration exposed_before = lends_->exposed();
  Check(lends_->AwaitReturned(i));
  times_->backward += lends_->exposed() - exposed_before;
  return lends_->returned_gradient(i);
}

void LayerPass::EndStep() {
  times_->all_to_all = exchange_times_.all_to_all;
  times_->peer_wait = exchange_times_.peer_wait;
  times_->exposed_transfer = lends_->exposed();
  times_->transfer_bytes = lends_->bytes_sent();
  const absl::Time now = context_->clock.Now();
  if (now < backward_start_) return;
  times_->backward = now - backward_start_;
  times_->other_threads_cpu =
      forward_cpu_ + OtherThreadsProcessorTime() - backward_start_cpu_;
}

void LayerPass::FinishBackward() {
  if (lends_->finished()) return;
  const absl::Duration exposed_before = lends_->exposed();
  Check(lends_->Finish());
  --context_->open_passes;
  times_->exposed_transfer = lends_->exposed();
  times_->transfer_bytes = lends_->bytes_sent();
  times_->backward += lends_->exposed() - exposed_before;
  if (routes_.plan == PlanId(0)) return;
  context_->agent.ReportOutcome(context_->layer,
                                {.layer = times_->forward + times_->backward,
                                 .exposed_transfer = times_->exposed_transfer,
                                 .transfer_bytes = times_->transfer_bytes});
}

}  // namespace balancemoe::worker
