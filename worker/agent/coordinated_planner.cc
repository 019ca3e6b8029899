#include "worker/agent/coordinated_planner.h"

#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/planning/lend_quotas.h"
#include "common/planning/plan.h"
#include "common/status_macros.h"
#include "worker/agent/agent_environment.h"

namespace balancemoe::worker {
namespace {

// What a worker adds to its counts: whether it is willing to wait for a plan. A
// plan needs everybody's loads, so if one is not, nobody need wait.
constexpr int32_t kExtraWords = 1;

}  // namespace

CoordinatedPlanner::CoordinatedPlanner(AgentOptions options)
    : options_(std::move(options)),
      log_(absl::StrCat("balancemoe: worker ", options_.rank.value(), ": "),
           options_.log, clock_),
      inbox_(clock_),
      client_(options_,
              FirstPlacement(options_.layers, options_.world_size,
                             options_.experts_per_layer),
              inbox_, clock_, log_),
      rendezvous_(client_, clock_, options_.attach_timeout),
      in_force_(FirstPlacement(options_.layers, options_.world_size,
                               options_.experts_per_layer)),
      outcomes_(static_cast<size_t>(options_.layers)) {}

CoordinatedPlanner::~CoordinatedPlanner() { Detach(); }

absl::StatusOr<std::unique_ptr<CoordinatedPlanner>> CoordinatedPlanner::Create(
    AgentOptions options) {
  std::unique_ptr<CoordinatedPlanner> planner(
      new CoordinatedPlanner(std::move(options)));
  BMOE_RETURN_IF_ERROR(planner->FormGroup());
  return planner;
}

absl::Status CoordinatedPlanner::FormGroup() {
  const absl::Time end = clock_.Now() + options_.attach_timeout;
  int64_t ended_session = 0;
  while (true) {
    BMOE_ASSIGN_OR_RETURN(
        const SessionInfo session,
        client_.AwaitAttached(ended_session, end - clock_.Now()));
    BMOE_RETURN_IF_ERROR(CheckStepsEnd(session.policy, options_.ends_steps));
    const absl::Status status = FormGroupOfSession(session, end);
    if (status.ok()) {
      policy_ = session.policy;
      return status;
    }
    transport_.reset();
    // A worker was replaced while the group formed: form that of the next
    // generation. Any other failure will not mend.
    if (!absl::IsAborted(status) || clock_.Now() >= end) return status;
    ended_session = session.number;
  }
}

absl::Status CoordinatedPlanner::FormGroupOfSession(const SessionInfo& session,
                                                    absl::Time end) {
  const Generation generation = session.fencing.generation;
  BMOE_ASSIGN_OR_RETURN(
      transport_, options_.transport({.rank = options_.rank,
                                      .world_size = options_.world_size,
                                      .generation = generation,
                                      .connect_timeout = end - clock_.Now()},
                                     rendezvous_));
  BMOE_ASSIGN_OR_RETURN(
      exchange_, LayerExchange::Create(
                     *transport_,
                     {.layers = options_.layers,
                      .experts_per_layer = options_.experts_per_layer,
                      .expert_bytes = options_.expert_bytes},
                     {options_.spare_slots, options_.node}, kExtraWords));
  client_.GroupFormed(generation);
  inbox_.GroupFormed(generation);
  return absl::OkStatus();
}

void CoordinatedPlanner::BeginIteration(Iteration iteration) {
  iteration_ = iteration;
  client_.SetIteration(iteration);
  in_force_.BeginIteration(iteration);
  // Settled now: word of another policy may come in the middle.
  plans_inline_ = !inbox_.PlansAhead(iteration);
  step_loads_.assign(static_cast<size_t>(options_.layers) *
                         static_cast<size_t>(options_.experts_per_layer),
                     0);
}

absl::StatusOr<LayerRouting> CoordinatedPlanner::PlanLayer(
    LayerId layer, absl::Span<const int64_t> tokens_per_expert) {
  const absl::Time begin = clock_.Now();
  const bool willing = inbox_.Expect(iteration_, layer) && plans_inline_;
  const std::array<int64_t, kExtraWords> extra = {willing ? 1 : 0};
  BMOE_ASSIGN_OR_RETURN(
      LoadMatrix tokens,
      exchange_->GatherCounts(iteration_, layer, in_force_.placement().version,
                              tokens_per_expert, extra));
  const absl::Duration peer_wait = clock_.Now() - begin;
  counters_.peer_wait += peer_wait;
  BMOE_ASSIGN_OR_RETURN(
      LayerRouting routing,
      RouteGathered(layer, tokens_per_expert, std::move(tokens), peer_wait));
  routing.peer_wait = peer_wait;
  return routing;
}

absl::StatusOr<LayerRouting> CoordinatedPlanner::RouteGathered(
    LayerId layer, absl::Span<const int64_t> tokens_per_expert,
    LoadMatrix tokens, absl::Duration peer_wait) {
  outcomes_[layer.index()].reset();
  if (!plans_inline_) ReportStepLoads(layer, tokens_per_expert);
  if (in_force_.usable() != nullptr) {
    return RouteByPlanInForce(layer, std::move(tokens), peer_wait);
  }
  if (!EverybodyWaits()) {
    ++counters_.plans_none;
    return Route(layer, std::move(tokens));
  }
  client_.SendLoads({.iteration = iteration_,
                     .layers = {layer},
                     .tokens_per_expert = tokens_per_expert,
                     .placement_version = in_force_.placement().version});
  return PlanInline(layer, std::move(tokens), peer_wait);
}

void CoordinatedPlanner::ReportStepLoads(
    LayerId layer, absl::Span<const int64_t> tokens_per_expert) {
  // A layer that is used twice in an iteration has the loads of both.
  int64_t* const row = &step_loads_[layer.index() * tokens_per_expert.size()];
  for (size_t i = 0; i < tokens_per_expert.size(); ++i) {
    row[i] += tokens_per_expert[i];
  }
  if (layer.value() + 1 != options_.layers) return;
  LayerReport report = {.iteration = iteration_,
                        .layers = {},
                        .tokens_per_expert = step_loads_,
                        .placement_version = in_force_.placement().version};
  for (int32_t l = 0; l < options_.layers; ++l) report.layers.emplace_back(l);
  client_.SendLoads(report);
}

LayerRouting CoordinatedPlanner::RouteByPlanInForce(LayerId layer,
                                                    LoadMatrix tokens,
                                                    absl::Duration peer_wait) {
  const absl::Time gathered = clock_.Now();
  LayerRouting routing =
      RouteLayerAhead(std::move(tokens), in_force_.homes(layer),
                      *in_force_.usable(), layer, exchange_->group());
  counters_.plan_wait += clock_.Now() - gathered;
  LayerOutcome& outcome = outcomes_[layer.index()].emplace();
  outcome.iteration = iteration_;
  outcome.layer = layer;
  outcome.plan = routing.plan;
  outcome.kind = routing.lends.empty() ? LayerOutcome::Kind::kNone
                                       : LayerOutcome::Kind::kUsed;
  outcome.peer_wait = peer_wait;
  ++(routing.lends.empty() ? counters_.plans_none : counters_.plans_used);
  return routing;
}

absl::StatusOr<LayerRouting> CoordinatedPlanner::PlanInline(
    LayerId layer, LoadMatrix tokens, absl::Duration peer_wait) {
  const absl::Time gathered = clock_.Now();
  PlanInbox::Received received = AwaitPlan();
  const absl::Time received_at = clock_.Now();
  counters_.plan_wait += received_at - gathered;

  BMOE_ASSIGN_OR_RETURN(const auto votes,
                        exchange_->GatherVotes(VoteOn(received, tokens)));
  const absl::Duration vote_time = clock_.Now() - received_at;
  counters_.peer_wait += vote_time;
  LayerOutcome& outcome = outcomes_[layer.index()].emplace();
  outcome.iteration = iteration_;
  outcome.layer = layer;
  outcome.plan_wait = received_at - gathered;
  outcome.peer_wait = peer_wait + vote_time;
  const Plan plan = Conclude(Settle(votes), std::move(received), outcome);
  LayerRouting routing = Route(layer, std::move(tokens), plan);
  routing.plan = plan.id;
  routing.predicted_us = plan.decision.predicted_after_us;
  return routing;
}

absl::StatusOr<std::vector<LayerMoves>> CoordinatedPlanner::EndStep() {
  const absl::Time begin = clock_.Now();
  const Iteration next(iteration_.value() + 1);
  const bool willing = options_.ends_steps && inbox_.PlansAhead(next);
  // What is offered must be there when all have agreed on it, whatever becomes
  // of the session meanwhile.
  const StepPlanShelf shelf = inbox_.shelf();
  BMOE_ASSIGN_OR_RETURN(const auto offers,
                        exchange_->GatherOffers(shelf.Offer(
                            willing, in_force_.placement().version)));
  counters_.peer_wait += clock_.Now() - begin;
  const StepPlanVerdict verdict = SettleStepPlan(offers);
  if (!verdict.willing) {
    in_force_.Drop();
  } else if (verdict.plan != PlanId(0)) {
    Adopt(*shelf.Find(verdict.plan));
  }
  return in_force_.PendingMoves();
}

// All workers hold the same bytes and have the same homes, so all of them find
// the same.
void CoordinatedPlanner::Adopt(StepPlan plan) {
  const absl::Status status =
      ValidateStepPlan(plan, in_force_.placement(), exchange_->spare_slots());
  if (!status.ok()) {
    ++counters_.plans_refused;
    log_.Write("invalid", absl::StrCat("plan refused: ", status.message()));
    return;
  }
  policy_ = plan.policy;
  in_force_.Adopt(std::move(plan));
}

void CoordinatedPlanner::CommitMoves(const std::vector<LayerMoves>& moves) {
  in_force_.CommitMoves(moves);
  client_.SetPlacement(in_force_.placement());
}

bool CoordinatedPlanner::EverybodyWaits() const {
  for (int32_t rank = 0; rank < options_.world_size; ++rank) {
    if (exchange_->ExtraOf(WorkerRank(rank))[0] != 1) return false;
  }
  return true;
}

PlanInbox::Received CoordinatedPlanner::AwaitPlan() {
  PlanInbox::Received received = inbox_.Await(options_.plan_deadline);
  if (received.holding == Holding::kMissed) {
    ++counters_.plan_deadlines_missed;
    // The first heartbeat after the miss: its answer ends the doubt.
    inbox_.Missed(client_.next_heartbeat());
    client_.SendHeartbeat();
    log_.Write("missed",
               absl::StrCat("no plan within ",
                            absl::FormatDuration(options_.plan_deadline),
                            " for iteration ", iteration_.value(),
                            "; not waiting until the coordinator answers"));
  }
  return received;
}

absl::Status CoordinatedPlanner::CheckPlan(const Plan& plan,
                                           const LoadMatrix& tokens) const {
  if (!std::isfinite(plan.decision.predicted_after_us)) {
    return absl::InvalidArgumentError("the forecast is not a number");
  }
  if (!plan.decision.moves.empty() && !options_.ends_steps) {
    return absl::FailedPreconditionError(
        "it moves experts, and this job does not say when steps end");
  }
  BMOE_RETURN_IF_ERROR(ValidatePlan(plan.decision, in_force_.homes(plan.layer),
                                    exchange_->spare_slots()));
  return ValidateQuotas(plan.decision, tokens);
}

PlanVote CoordinatedPlanner::VoteOn(const PlanInbox::Received& received,
                                    const LoadMatrix& tokens) {
  absl::Status status = absl::InvalidArgumentError("the bytes are no plan");
  if (received.holding == Holding::kPlan) {
    status = CheckPlan(received.plan->plan, tokens);
    if (status.ok()) {
      return {.digest = received.plan->digest, .holding = Holding::kPlan};
    }
  } else if (received.holding != Holding::kInvalid) {
    return {.digest = 0, .holding = received.holding};
  }
  log_.Write("invalid", absl::StrCat("plan refused: ", status.message()));
  return {.digest = 0, .holding = Holding::kInvalid};
}

Plan CoordinatedPlanner::Conclude(Verdict verdict, PlanInbox::Received received,
                                  LayerOutcome& outcome) {
  using Kind = LayerOutcome::Kind;
  if (received.plan.has_value()) outcome.plan = received.plan->plan.id;
  switch (verdict) {
    case Verdict::kNone:
      outcome.kind = Kind::kNone;
      ++counters_.plans_none;
      return {};
    case Verdict::kLate:
      outcome.kind = Kind::kLate;
      ++counters_.plans_late;
      return {};
    case Verdict::kRefused:
      outcome.kind = Kind::kRefused;
      ++counters_.plans_refused;
      log_.Write("refused",
                 absl::StrCat("the workers refused a plan for layer ",
                              outcome.layer.value(), " of iteration ",
                              outcome.iteration.value()));
      return {};
    case Verdict::kAgreed:
      break;
  }
  Plan& plan = received.plan->plan;
  outcome.kind = plan.decision.empty() ? Kind::kNone : Kind::kUsed;
  ++(plan.decision.empty() ? counters_.plans_none : counters_.plans_used);
  policy_ = plan.policy;
  return std::move(plan);
}

void CoordinatedPlanner::ReportOutcome(LayerId layer, const LayerTimes& times) {
  if (layer.value() < 0 || layer.value() >= options_.layers) return;
  std::optional<LayerOutcome>& outcome = outcomes_[layer.index()];
  if (!outcome.has_value()) return;
  outcome->times = times;
  client_.SendOutcome(*outcome);
  outcome.reset();
}

AgentCounters CoordinatedPlanner::counters() const {
  AgentCounters counters = counters_;
  counters.dropped = inbox_.dropped();
  counters.reattached = client_.sessions() - 1;
  return counters;
}

void CoordinatedPlanner::Detach() {
  client_.Stop();
  inbox_.Close();
}

}  // namespace balancemoe::worker
