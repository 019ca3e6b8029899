#include "worker/moe/moe_layer.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/planning/layer_snapshot.h"
#include "common/planning/plan.h"
#include "worker/moe/arrive.h"
#include "worker/moe/combine.h"
#include "worker/moe/dispatch.h"
#include "worker/moe/expert_ffn.h"
#include "worker/moe/layer_pass.h"
#include "worker/moe/lend_away.h"
#include "worker/moe/processor_time.h"

namespace balancemoe::worker {
namespace {

ExpertStore::Options StoreOptions(const MoeLayerOptions& options,
                                  const Transport& transport) {
  return {.layer = options.layer,
          .shape = {.hidden = options.hidden,
                    .ffn = options.ffn,
                    .gated = options.gated},
          .rank = transport.rank(),
          .home_of_expert = ContiguousPlacement(
              transport.world_size(), static_cast<int32_t>(options.experts)),
          .seed = options.seed,
          .moments = options.moments,
          .device = options.device};
}

GateImpl::Options GateOptions(const MoeLayerOptions& options) {
  return {.layer = options.layer,
          .hidden = options.hidden,
          .experts = options.experts,
          .top_k = options.top_k,
          .capacity_factor = options.capacity_factor,
          .seed = options.seed,
          .device = options.device};
}

void CheckOptions(const MoeLayerOptions& options) {
  TORCH_CHECK(options.hidden > 0 && options.ffn > 0 && options.experts > 0,
              "MoE layer ", options.layer.value(), ": hidden ", options.hidden,
              ", ffn ", options.ffn, ", experts ", options.experts,
              "; all must be at least 1");
  TORCH_CHECK(options.top_k > 0 && options.top_k <= options.experts,
              "MoE layer ", options.layer.value(), ": top_k ", options.top_k,
              " of ", options.experts, " experts");
  TORCH_CHECK(options.capacity_factor >= 0, "MoE layer ", options.layer.value(),
              ": capacity factor ", options.capacity_factor,
              "; 0 or more is right");
  if (options.kernels == ExpertKernels::kLoop) return;
  // Rows of whole 16 bytes.
  const int64_t multiple = options.kernels == ExpertKernels::kGrouped ? 4 : 8;
  TORCH_CHECK(options.hidden % multiple == 0 && options.ffn % multiple == 0,
              "MoE layer ", options.layer.value(), ": hidden ", options.hidden,
              ", ffn ", options.ffn, "; grouped kernels need multiples of ",
              multiple);
}

// As AllSlotsOf a slab of this expert alone.
ExpertTensors AsOneSlot(const ExpertTensors& parameters) {
  ExpertTensors slots;
  for (size_t i = 0; i < slots.all.size(); ++i) {
    slots.all[i] = parameters.all[i].detach().unsqueeze(0);
  }
  return slots;
}

bool IsMove(const Lend& lend, const std::vector<Move>& moves) {
  return std::any_of(moves.begin(), moves.end(), [&](const Move& move) {
    return move.expert == lend.expert && move.to == lend.to;
  });
}

void CountTransfers(const LayerRouting& routing, WorkerRank me,
                    MoeLayerTimes& times) {
  times.predicted_us = routing.predicted_us;
  for (const Lend& lend : routing.lends) {
    if (lend.from != me && lend.to != me) continue;
    if (!IsMove(lend, routing.moves)) ++times.lends;
    if (lend.tokens < routing.tokens.TokensOfExpert(lend.expert)) {
      ++times.lends_in_part;
    }
    if (lend.to == me) times.tokens_borrowed += lend.tokens;
  }
}

}  // namespace

// One iteration of the layer reads from top to bottom of Forward.
class MoeLayerImpl::Impl {
 public:
  Impl(const MoeLayerOptions& options, Agent& agent)
      : options_(options),
        gate_(GateOptions(options)),
        context_(std::make_shared<LayerContext>(
            LayerContext{.agent = agent,
                         .layer = options.layer,
                         .store = std::make_shared<ExpertStore>(
                             StoreOptions(options, agent.transport())),
                         .pace = options.pace})) {}

  torch::Tensor Forward(const torch::Tensor& hidden);

  Gate& gate() { return gate_; }
  const std::shared_ptr<ExpertStore>& store() { return context_->store; }
  const GateLosses& gate_losses() const { return gate_losses_; }
  const MoeLayerTimes& times() const { return *times_; }
  absl::Status SendAhead(const RoutedLends& ahead);
  std::vector<Move> TakePlannedMoves() {
    return std::exchange(planned_moves_, {});
  }
  bool idle() const { return context_->open_passes == 0; }

 private:
  LayerRouting Route(const GateChoice& choice);
  c10::intrusive_ptr<LayerPass> Begin(const GateChoice& choice,
                                      const LayerRouting& routing);
  std::unique_ptr<LendExecutor> MakeExecutor() {
    return std::make_unique<LendExecutor>(context_->store, context_->agent,
                                          context_->clock);
  }
  void KeepMoves(const std::vector<Move>& moves);
  bool grouped() const { return options_.kernels != ExpertKernels::kLoop; }
  void ComputeStaying(const c10::intrusive_ptr<LayerPass>& pass,
                      std::vector<torch::Tensor>& batches);
  void ComputeStayingBySlab(const c10::intrusive_ptr<LayerPass>& pass,
                            std::vector<torch::Tensor>& batches);
  c10::intrusive_ptr<ExpertGroup> GroupOf(ExpertTensors slots) const;
  void ComputeArrived(const c10::intrusive_ptr<LayerPass>& pass,
                      std::vector<torch::Tensor>& batches);

  const MoeLayerOptions options_;
  Gate gate_;
  // Graphs may outlive the layer.
  std::shared_ptr<LayerContext> context_;
  GateLosses gate_losses_;
  std::vector<Move> planned_moves_;
  // Of the next forward; null when nothing was sent ahead.
  std::unique_ptr<LendExecutor> sent_ahead_;
  std::shared_ptr<MoeLayerTimes> times_ = std::make_shared<MoeLayerTimes>();
};

torch::Tensor MoeLayerImpl::Impl::Forward(const torch::Tensor& hidden) {
  TORCH_CHECK(hidden.dim() == 2 && hidden.size(1) == options_.hidden &&
                  hidden.scalar_type() == torch::kFloat,
              "MoE layer ", options_.layer.value(), ": expected float [T, ",
              options_.hidden, "], got ", hidden.scalar_type(), " ",
              hidden.sizes());
  const GateChoice choice = gate_(hidden);
  gate_losses_ = choice.losses;

  const absl::Time entry = context_->clock.Now();
  const absl::Duration start_cpu = OtherThreadsProcessorTime();
  times_ = std::make_shared<MoeLayerTimes>();
  const LayerRouting routing = Route(choice);
  const absl::Time start = entry + routing.peer_wait;
  const c10::intrusive_ptr<LayerPass> pass = Begin(choice, routing);
  Dispatched dispatched = Dispatch(pass, hidden, LendAway(pass));
  ComputeStaying(pass, dispatched.batches);
  ComputeArrived(pass, dispatched.batches);
  const torch::Tensor rows = Combine(pass, dispatched.link, dispatched.batches);
  torch::Tensor out = (rows.view({-1, options_.top_k, options_.hidden}) *
                       choice.weights.unsqueeze(-1))
                          .sum(/*dim=*/1);
  times_->forward = context_->clock.Now() - start;
  times_->other_threads_cpu = OtherThreadsProcessorTime() - start_cpu;
  return out;
}

LayerRouting MoeLayerImpl::Impl::Route(const GateChoice& choice) {
  auto routing = context_->agent.PlanLayer(options_.layer, choice.counts);
  context_->Check(routing.status());
  return *std::move(routing);
}

c10::intrusive_ptr<LayerPass> MoeLayerImpl::Impl::Begin(
    const GateChoice& choice, const LayerRouting& routing) {
  Agent& agent = context_->agent;
  const WorkerRank me = agent.transport().rank();
  // First of all, so that parameters travel while tokens do.
  std::unique_ptr<LendExecutor> executor = std::move(sent_ahead_);
  if (executor == nullptr) executor = MakeExecutor();
  context_->Check(executor->Use(routing.lends, routing.rule));
  const auto ids =
      absl::MakeConstSpan(choice.experts.const_data_ptr<int64_t>(),
                          static_cast<size_t>(choice.experts.numel()));
  const SendOrder order = OrderRows(ids, routing.split, me);
  CountTransfers(routing, me, *times_);
  times_->tokens_dropped = choice.dropped;
  KeepMoves(routing.moves);
  return c10::make_intrusive<LayerPass>(
      context_,
      LayerPass::Routes{
          .row_of_choice = torch::tensor(order.row_of_choice, torch::kLong)
                               .to(options_.device),
          .choice_of_row = torch::tensor(order.choice_of_row, torch::kLong)
                               .to(options_.device),
          .top_k = options_.top_k,
          .plan = routing.plan,
          .lends_anywhere = !routing.lends.empty()},
      TokenExchange({.hidden = options_.hidden,
                     .split_peer_wait = options_.split_peer_wait,
                     .device = options_.device,
                     .by_index = grouped() || !options_.device.is_cpu()},
                    MakeTokenLayout(routing.split, me), agent.transport(),
                    context_->clock),
      std::move(executor), times_);
}

absl::Status MoeLayerImpl::Impl::SendAhead(const RoutedLends& ahead) {
  sent_ahead_.reset();
  if (ahead.lends.empty()) return absl::OkStatus();
  sent_ahead_ = MakeExecutor();
  return sent_ahead_->Send(ahead.lends, ahead.rule);
}

// A second forward in a step knows nothing of what the first one's plan moves.
void MoeLayerImpl::Impl::KeepMoves(const std::vector<Move>& moves) {
  for (const Move& move : moves) {
    const bool known = std::any_of(
        planned_moves_.begin(), planned_moves_.end(),
        [&](const Move& other) { return other.expert == move.expert; });
    if (!known) planned_moves_.push_back(move);
  }
}

void MoeLayerImpl::Impl::ComputeStaying(
    const c10::intrusive_ptr<LayerPass>& pass,
    std::vector<torch::Tensor>& batches) {
  if (grouped()) return ComputeStayingBySlab(pass, batches);
  const auto& experts = pass->exchange().layout().experts;
  for (size_t i = 0; i < experts.size(); ++i) {
    if (!store()->IsHome(experts[i])) continue;
    batches[i] =
        ExpertFfn(pass, batches[i], *store()->Find(experts[i]), std::nullopt);
  }
}

// In most jobs one slab holds them all; what moved here may lie in others.
void MoeLayerImpl::Impl::ComputeStayingBySlab(
    const c10::intrusive_ptr<LayerPass>& pass,
    std::vector<torch::Tensor>& batches) {
  const auto& experts = pass->exchange().layout().experts;
  // By address; each group's members by slot.
  std::map<const void*, std::map<size_t, GroupMember>> members_by_slab;
  std::map<const void*, torch::Tensor> slabs;
  for (size_t i = 0; i < experts.size(); ++i) {
    if (!store()->IsHome(experts[i])) continue;
    const ExpertSlot& slot = store()->Home(experts[i]);
    const void* const at = slot.slab.const_data_ptr();
    slabs.emplace(at, slot.slab);
    members_by_slab[at].emplace(
        slot.index, GroupMember{*store()->Find(experts[i]), slot.index, i});
  }
  for (const auto& [at, by_slot] : members_by_slab) {
    std::vector<GroupMember> members;
    for (const auto& [slot, member] : by_slot) members.push_back(member);
    ComputeGroup(pass, GroupOf(AllSlotsOf(store()->shape(), slabs.at(at))),
                 members, batches);
  }
}

c10::intrusive_ptr<ExpertGroup> MoeLayerImpl::Impl::GroupOf(
    ExpertTensors slots) const {
  auto group = c10::make_intrusive<ExpertGroup>();
  group->slots = std::move(slots);
  group->dtype = MatrixDtypeOf(options_.kernels);
  return group;
}

// After the staying experts in forward, so that parameters have had time to
// come, and therefore before them in backward, so that gradients have time to
// go.
void MoeLayerImpl::Impl::ComputeArrived(
    const c10::intrusive_ptr<LayerPass>& pass,
    std::vector<torch::Tensor>& batches) {
  const auto& experts = pass->exchange().layout().experts;
  for (size_t i = 0; i < pass->lends().borrowed_count(); ++i) {
    const auto found = std::lower_bound(experts.begin(), experts.end(),
                                        pass->lends().borrowed(i).expert());
    const auto batch = static_cast<size_t>(found - experts.begin());
    const ExpertTensors parameters = Arrive(pass, i);
    if (grouped()) {
      ComputeGroup(pass, GroupOf(AsOneSlot(parameters)),
                   {{parameters, 0, batch}}, batches);
    } else {
      batches[batch] = ExpertFfn(pass, batches[batch], parameters, i);
    }
  }
}

MoeLayerImpl::MoeLayerImpl(const MoeLayerOptions& options, Agent& agent) {
  CheckOptions(options);
  impl_ = std::make_shared<Impl>(options, agent);
  register_module("gate", impl_->gate());
  register_module("experts", impl_->store());
}

MoeLayerImpl::~MoeLayerImpl() = default;

torch::Tensor MoeLayerImpl::forward(const torch::Tensor& hidden) {
  return impl_->Forward(hidden);
}

void MoeLayerImpl::SetRouter(Router router) {
  impl_->gate()->SetRouter(std::move(router));
}

const GateLosses& MoeLayerImpl::gate_losses() const {
  TORCH_CHECK(impl_->gate_losses().balance.defined(),
              "MoE layer: gate_losses() before the first forward");
  return impl_->gate_losses();
}

ExpertStore& MoeLayerImpl::experts() { return *impl_->store(); }

const ExpertStore& MoeLayerImpl::experts() const { return *impl_->store(); }

absl::Status MoeLayerImpl::SendAhead(const RoutedLends& ahead) {
  return impl_->SendAhead(ahead);
}

std::vector<Move> MoeLayerImpl::TakePlannedMoves() {
  return impl_->TakePlannedMoves();
}

bool MoeLayerImpl::idle() const { return impl_->idle(); }

const MoeLayerTimes& MoeLayerImpl::last_times() const { return impl_->times(); }

}  // namespace balancemoe::worker
