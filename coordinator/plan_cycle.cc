#include "coordinator/plan_cycle.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "common/status_macros.h"
#include "common/wire/codec.h"

namespace balancemoe::coordinator {
namespace {

// Iterations beyond this are no progress of anything.
constexpr Iteration kLastIteration(int64_t{1} << 53);

absl::string_view OutcomeLabel(v1::PlanOutcome outcome) {
  switch (outcome) {
    case v1::PLAN_OUTCOME_USED:
      return "committed";
    case v1::PLAN_OUTCOME_NONE:
      return "noop";
    case v1::PLAN_OUTCOME_LATE:
      return "expired";
    case v1::PLAN_OUTCOME_REFUSED:
      return "rejected";
    default:
      return "unknown";
  }
}

}  // namespace

Outbound Encode(Outbound::Kind kind, LayerId layer,
                const v1::SessionResponse& message) {
  return {.kind = kind,
          .layer = layer,
          .payload =
              std::make_shared<const std::string>(message.SerializeAsString())};
}

Outbound EncodeConfigUpdate(const PolicySchedule::Change& change) {
  v1::SessionResponse message;
  v1::ConfigUpdate* const update = message.mutable_config_update();
  update->set_policy(change.current.ToString());
  update->set_first_iteration(change.first_iteration.value());
  update->set_version(change.version);
  return Encode(Outbound::Kind::kConfigUpdate, LayerId(0), message);
}

PlanCycle::PlanCycle(const JobEnvironment& environment, JobMetrics& metrics,
                     const JobId& job, const JobShape& shape, JobEpoch epoch,
                     PolicyChoice policy)
    : environment_(environment),
      metrics_(metrics),
      shape_(shape),
      gather_(environment.options.gather, shape),
      record_(environment.recorder, job, epoch, shape.layers),
      schedule_(std::move(policy)),
      planner_(shape, epoch) {}

absl::StatusOr<PlanCycle::ReportState> PlanCycle::TakeReport(
    WorkerRank rank, const v1::LoadReport& report, Generation generation,
    Push push) {
  const absl::Time now = environment_.clock.Now();
  ReportOutcome outcome =
      gather_.Add(rank,
                  {.iteration = Iteration(report.iteration()),
                   .layers = report.layers(),
                   .tokens_per_expert = report.tokens_per_expert(),
                   .placement_version = report.placement_version()},
                  now);
  if (outcome.rejection.has_value()) {
    metrics_.reports_rejected[ToString(*outcome.rejection)].Increment();
    if (!IsNonsense(*outcome.rejection)) return ReportState::kDone;
    return absl::InvalidArgumentError(absl::StrCat(
        "load report of worker ", rank.value(), ": ", outcome.message));
  }
  metrics_.reports_received->Increment();
  metrics_.report_lateness->Observe(
      absl::ToDoubleSeconds(now - outcome.opened));
  TakeProgress(Iteration(report.iteration()));
  for (const MissedGather& missed : outcome.missed) PushMissed(missed, push);
  const ReportState state = outcome.complete.empty() && !missed_last_
                                ? ReportState::kWaiting
                                : ReportState::kDone;
  for (const CompleteGather& complete : outcome.complete) {
    metrics_.gather_duration->Observe(
        absl::ToDoubleSeconds(now - complete.opened));
  }
  if (!PlanAhead(outcome.complete, generation, push)) {
    for (const CompleteGather& complete : outcome.complete) {
      PushPlan(complete, generation, push);
    }
  }
  // Once the workers have their plans: writing rows takes longer than solving.
  for (const CompleteGather& complete : outcome.complete) record_.Add(complete);
  return state;
}

bool PlanCycle::PlanAhead(const std::vector<CompleteGather>& gathers,
                          Generation generation, Push push) {
  if (gathers.empty()) return false;
  const PolicyChoice& choice = schedule_.At(gathers.front().iteration);
  if (choice.plans_inline()) return false;
  if (static_cast<int32_t>(gathers.size()) != shape_.layers) {
    // From workers that have not heard of it yet, and wait.
    for (const CompleteGather& gather : gathers) {
      PushMissed({.iteration = gather.iteration,
                  .layer = gather.layer,
                  .cause = "mode",
                  .reason = absl::StrCat(choice.ToString(), " plans ahead")},
                 push);
    }
    return true;
  }
  const bool known = std::all_of(
      gathers.begin(), gathers.end(), [&](const CompleteGather& gather) {
        return gather.placement_version == planner_.placement_version();
      });
  // Nobody waits, so that nobody has to be told that there is no plan.
  if (!known) return true;
  missed_last_ = false;
  const absl::Time began = environment_.clock.Now();
  const auto planned = planner_.DecideStep(choice, generation, gathers);
  const absl::Time decided = environment_.clock.Now();
  if (!planned.has_value()) return true;
  v1::SessionResponse message;
  message.mutable_step_plan()->set_plan(EncodeStepPlan(planned->plan));
  push(Encode(Outbound::Kind::kStepPlan, LayerId(0), message));

  metrics_.solve_duration->Observe(absl::ToDoubleSeconds(decided - began));
  metrics_.push_duration->Observe(
      absl::ToDoubleSeconds(environment_.clock.Now() - decided));
  for (const LayerPlan& plan : planned->plan.layers) CountTransfers(plan);
  metrics_.imbalance["before"].Set(planned->imbalance_before);
  metrics_.imbalance["after_predicted"].Set(planned->imbalance_after);
  return true;
}

void PlanCycle::PushPlan(CompleteGather gather, Generation generation,
                         Push push) {
  if (gather.placement_version != planner_.placement_version()) {
    // Whoever carries out plans checks them against the homes; this only saves
    // making one that nobody would take.
    PushMissed({.iteration = gather.iteration,
                .layer = gather.layer,
                .cause = "placement",
                .reason = absl::StrCat(
                    "the workers' placement ", gather.placement_version,
                    " is not known, only ", planner_.placement_version())},
               push);
    return;
  }
  missed_last_ = false;
  const absl::Time began = environment_.clock.Now();
  const PlannedLayer planned = planner_.Decide(schedule_.At(gather.iteration),
                                               generation, std::move(gather));
  const absl::Time decided = environment_.clock.Now();
  const Plan& plan = planned.plan;
  v1::SessionResponse message;
  message.mutable_plan()->set_plan(EncodePlan(plan));
  push(Encode(Outbound::Kind::kPlan, plan.layer, message));

  metrics_.solve_duration->Observe(absl::ToDoubleSeconds(decided - began));
  metrics_.push_duration->Observe(
      absl::ToDoubleSeconds(environment_.clock.Now() - decided));
  CountTransfers(plan.decision);
  metrics_.imbalance["before"].Set(planned.imbalance_before);
  metrics_.imbalance["after_predicted"].Set(planned.imbalance_after);
}

void PlanCycle::CountTransfers(const LayerPlan& plan) {
  const auto lends = static_cast<double>(plan.lends.size());
  const auto moves = static_cast<double>(plan.moves.size());
  metrics_.plan_transfers->Increment(lends + moves);
  // A move takes the parameters again at the end of its step, with what the
  // optimizer keeps.
  const auto expert_bytes = static_cast<double>(shape_.expert_bytes);
  metrics_.plan_transfer_bytes->Increment(
      lends * expert_bytes +
      moves *
          (2 * expert_bytes + static_cast<double>(planner_.optimizer_bytes())));
}

void PlanCycle::PushMissed(const MissedGather& missed, Push push) {
  missed_last_ = true;
  metrics_.iterations_skipped[missed.cause].Increment();
  v1::SessionResponse message;
  v1::NoPlan* const no_plan = message.mutable_no_plan();
  no_plan->set_iteration(missed.iteration.value());
  no_plan->set_layer(missed.layer.value());
  no_plan->set_reason(missed.reason);
  push(Encode(Outbound::Kind::kPlan, missed.layer, message));
}

absl::Status PlanCycle::TakeCalibration(WorkerRank rank,
                                        const v1::Calibration& calibration) {
  BMOE_ASSIGN_OR_RETURN(const CostModel model,
                        FromProto(calibration, shape_.expert_bytes));
  planner_.SetCostModel(rank, model);
  return absl::OkStatus();
}

void PlanCycle::TakeResult(WorkerRank rank, const v1::PlanResult& result) {
  // The workers agreed on the outcome, so one of them speaks for all.
  if (rank != WorkerRank(0)) return;
  metrics_.plans[OutcomeLabel(result.outcome())].Increment();
}

void PlanCycle::TakeProgress(Iteration iteration) {
  if (iteration > kLastIteration) return;
  newest_begun_ = std::max(newest_begun_, iteration);
}

void PlanCycle::Admit(const Registration& registration, bool new_process) {
  if (new_process) {
    planner_.SetWorker(registration.rank, registration.spare_slots,
                       registration.node);
  }
  planner_.SetPlacement(registration.placement);
}

absl::Status PlanCycle::TakePlacement(const v1::Placement& placement) {
  BMOE_ASSIGN_OR_RETURN(
      JobPlacement decoded,
      FromProto(placement, shape_.layers, shape_.world_size, shape_.experts));
  planner_.SetPlacement(std::move(decoded));
  return absl::OkStatus();
}

void PlanCycle::Expire(Push push) {
  for (const MissedGather& missed : gather_.Expire(environment_.clock.Now())) {
    PushMissed(missed, push);
  }
}

PolicySchedule::Change PlanCycle::SetPolicy(const PolicyChoice& choice,
                                            Iteration first_iteration) {
  return schedule_.Set(choice, first_iteration,
                       Iteration(newest_begun_.value() + 1));
}

}  // namespace balancemoe::coordinator
