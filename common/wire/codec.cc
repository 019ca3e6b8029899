#include "common/wire/codec.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "balancemoe/v1/plan.pb.h"
#include "common/status_macros.h"

namespace balancemoe {
namespace {

v1::SplitRule ToProto(SplitRule split) {
  switch (split) {
    case SplitRule::kExact:
      return v1::SPLIT_RULE_EXACT;
    case SplitRule::kShares:
      return v1::SPLIT_RULE_SHARES;
    case SplitRule::kMinMax:
      return v1::SPLIT_RULE_MIN_MAX;
  }
  return v1::SPLIT_RULE_EXACT;
}

absl::StatusOr<SplitRule> FromProto(v1::SplitRule split) {
  switch (split) {
    case v1::SPLIT_RULE_EXACT:
      return SplitRule::kExact;
    case v1::SPLIT_RULE_SHARES:
      return SplitRule::kShares;
    case v1::SPLIT_RULE_MIN_MAX:
      return SplitRule::kMinMax;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("split rule ", static_cast<int>(split),
                       " is unknown; rules are 0 to 2"));
  }
}

v1::FanOut ToProto(FanOut fan_out) {
  switch (fan_out) {
    case FanOut::kCheapest:
      return v1::FAN_OUT_CHEAPEST;
    case FanOut::kOneByOne:
      return v1::FAN_OUT_ONE_BY_ONE;
  }
  return v1::FAN_OUT_CHEAPEST;
}

absl::StatusOr<FanOut> FromProto(v1::FanOut fan_out) {
  switch (fan_out) {
    case v1::FAN_OUT_CHEAPEST:
      return FanOut::kCheapest;
    case v1::FAN_OUT_ONE_BY_ONE:
      return FanOut::kOneByOne;
    default:
      return absl::InvalidArgumentError(absl::StrCat(
          "fan-out ", static_cast<int>(fan_out), " is unknown; it is 0 or 1"));
  }
}

// Whether any expert goes to several workers.
bool FansOut(const LayerPlan& plan) {
  return std::adjacent_find(plan.lends.begin(), plan.lends.end(),
                            [](const Lend& one, const Lend& next) {
                              return one.expert == next.expert;
                            }) != plan.lends.end();
}

bool LendsOnlyWholeExperts(const LayerPlan& plan) {
  return std::all_of(
      plan.lends.begin(), plan.lends.end(),
      [](const Lend& lend) { return lend.tokens == kAllTokens; });
}

absl::Status CheckLengths(const v1::Plan& proto) {
  const int moves = proto.move_expert_size();
  if (proto.move_from_size() != moves || proto.move_to_size() != moves) {
    return absl::InvalidArgumentError(absl::StrCat(
        "plan ", proto.plan_id(), ": ", moves, " experts to move, ",
        proto.move_from_size(), " old homes and ", proto.move_to_size(),
        " new ones; each move needs one of each"));
  }
  const int lends = proto.lend_expert_size();
  if (proto.lend_from_size() != lends || proto.lend_to_size() != lends) {
    return absl::InvalidArgumentError(absl::StrCat(
        "plan ", proto.plan_id(), ": ", lends, " experts, ",
        proto.lend_from_size(), " senders and ", proto.lend_to_size(),
        " receivers; each lend needs one of each"));
  }
  if (proto.lend_tokens_size() != 0 && proto.lend_tokens_size() != lends) {
    return absl::InvalidArgumentError(
        absl::StrCat("plan ", proto.plan_id(), ": ", proto.lend_tokens_size(),
                     " quotas for ", lends, " lends; one each, or none"));
  }
  return absl::OkStatus();
}

void EncodeDecision(const LayerPlan& decision, v1::Plan& proto) {
  for (const Move& move : decision.moves) {
    proto.add_move_expert(move.expert.value());
    proto.add_move_from(move.from.value());
    proto.add_move_to(move.to.value());
  }
  for (const Lend& lend : decision.lends) {
    proto.add_lend_expert(lend.expert.value());
    proto.add_lend_from(lend.from.value());
    proto.add_lend_to(lend.to.value());
  }
  if (!LendsOnlyWholeExperts(decision)) {
    for (const Lend& lend : decision.lends) proto.add_lend_tokens(lend.tokens);
  }
  proto.set_split(ToProto(decision.split));
  proto.set_fan_out(ToProto(decision.fan_out));
  proto.set_predicted_before_us(decision.predicted_before_us);
  proto.set_predicted_after_us(decision.predicted_after_us);
  proto.set_reason(decision.reason);
}

absl::StatusOr<LayerPlan> DecodeDecision(const v1::Plan& proto) {
  BMOE_RETURN_IF_ERROR(CheckLengths(proto));
  LayerPlan decision;
  BMOE_ASSIGN_OR_RETURN(decision.split, FromProto(proto.split()));
  BMOE_ASSIGN_OR_RETURN(decision.fan_out, FromProto(proto.fan_out()));
  for (int i = 0; i < proto.move_expert_size(); ++i) {
    decision.moves.push_back({ExpertId(proto.move_expert(i)),
                              WorkerRank(proto.move_from(i)),
                              WorkerRank(proto.move_to(i))});
  }
  const int lends = proto.lend_expert_size();
  decision.lends.reserve(static_cast<size_t>(lends));
  for (int i = 0; i < lends; ++i) {
    decision.lends.push_back(
        {ExpertId(proto.lend_expert(i)), WorkerRank(proto.lend_from(i)),
         WorkerRank(proto.lend_to(i)),
         proto.lend_tokens_size() == 0 ? kAllTokens : proto.lend_tokens(i)});
  }
  decision.predicted_before_us = proto.predicted_before_us();
  decision.predicted_after_us = proto.predicted_after_us();
  decision.reason = proto.reason();
  return decision;
}

template <typename Message>
absl::StatusOr<Message> Parse(absl::string_view bytes, const char* what) {
  Message proto;
  if (proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return proto;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "plan: ", bytes.size(), " bytes are not a ", what, " message"));
}

}  // namespace

std::string EncodePlan(const Plan& plan) {
  v1::Plan proto;
  proto.set_plan_id(plan.id.value());
  proto.set_job_epoch(plan.epoch.value());
  proto.set_generation(plan.generation.value());
  proto.set_iteration(plan.iteration.value());
  proto.set_layer(plan.layer.value());
  proto.set_policy(plan.policy);
  if (FansOut(plan.decision) && plan.cost != CostModel()) {
    *proto.mutable_cost() = ToProto(plan.cost);
  }
  EncodeDecision(plan.decision, proto);
  return proto.SerializeAsString();
}

absl::StatusOr<Plan> DecodePlan(absl::string_view bytes, int64_t expert_bytes) {
  BMOE_ASSIGN_OR_RETURN(const auto proto, Parse<v1::Plan>(bytes, "Plan"));
  Plan plan;
  plan.id = PlanId(proto.plan_id());
  plan.epoch = JobEpoch(proto.job_epoch());
  plan.generation = Generation(proto.generation());
  plan.iteration = Iteration(proto.iteration());
  plan.layer = LayerId(proto.layer());
  plan.policy = proto.policy();
  BMOE_ASSIGN_OR_RETURN(plan.decision, DecodeDecision(proto));
  if (proto.has_cost()) {
    BMOE_ASSIGN_OR_RETURN(plan.cost, FromProto(proto.cost(), expert_bytes));
  }
  return plan;
}

std::string EncodeStepPlan(const StepPlan& plan) {
  v1::StepPlan proto;
  proto.set_plan_id(plan.id.value());
  proto.set_job_epoch(plan.epoch.value());
  proto.set_generation(plan.generation.value());
  proto.set_first_iteration(plan.first.value());
  proto.set_placement_version(plan.placement_version);
  proto.set_policy(plan.policy);
  *proto.mutable_cost() = ToProto(plan.cost);
  for (const LayerPlan& layer : plan.layers) {
    EncodeDecision(layer, *proto.add_layers());
  }
  return proto.SerializeAsString();
}

absl::StatusOr<StepPlan> DecodeStepPlan(absl::string_view bytes,
                                        int64_t expert_bytes) {
  BMOE_ASSIGN_OR_RETURN(const auto proto,
                        Parse<v1::StepPlan>(bytes, "StepPlan"));
  StepPlan plan;
  plan.id = PlanId(proto.plan_id());
  plan.epoch = JobEpoch(proto.job_epoch());
  plan.generation = Generation(proto.generation());
  plan.first = Iteration(proto.first_iteration());
  plan.placement_version = proto.placement_version();
  plan.policy = proto.policy();
  BMOE_ASSIGN_OR_RETURN(plan.cost, FromProto(proto.cost(), expert_bytes));
  for (const v1::Plan& layer : proto.layers()) {
    BMOE_ASSIGN_OR_RETURN(plan.layers.emplace_back(), DecodeDecision(layer));
  }
  return plan;
}

v1::Placement ToProto(const JobPlacement& placement) {
  v1::Placement proto;
  proto.set_version(placement.version);
  for (const std::vector<WorkerRank>& homes : placement.home_of_expert) {
    for (const WorkerRank home : homes) proto.add_home_of_expert(home.value());
  }
  return proto;
}

absl::StatusOr<JobPlacement> FromProto(const v1::Placement& proto,
                                       int32_t layers, int32_t num_workers,
                                       int32_t num_experts) {
  const auto experts = static_cast<size_t>(num_experts);
  const size_t expected = static_cast<size_t>(layers) * experts;
  const auto given = static_cast<size_t>(proto.home_of_expert_size());
  if (given != expected) {
    return absl::InvalidArgumentError(absl::StrCat(
        "home_of_expert: ", given, " entries instead of ", expected));
  }
  JobPlacement placement = {.version = proto.version(), .home_of_expert = {}};
  for (size_t i = 0; i < given; ++i) {
    if (i % experts == 0) placement.home_of_expert.emplace_back();
    placement.home_of_expert.back().emplace_back(
        proto.home_of_expert(static_cast<int>(i)));
  }
  BMOE_RETURN_IF_ERROR(
      ValidatePlacement(placement, layers, num_workers, num_experts));
  return placement;
}

v1::Fencing ToProto(const Fencing& fencing) {
  v1::Fencing proto;
  proto.set_job_id(fencing.job_id);
  proto.set_rank(fencing.rank.value());
  proto.set_session_id(fencing.session.value());
  proto.set_job_epoch(fencing.epoch.value());
  proto.set_coordinator_incarnation(fencing.coordinator.value());
  proto.set_worker_incarnation(fencing.worker.value());
  proto.set_generation(fencing.generation.value());
  return proto;
}

Fencing FromProto(const v1::Fencing& proto) {
  return {.job_id = proto.job_id(),
          .rank = WorkerRank(proto.rank()),
          .session = SessionId(proto.session_id()),
          .epoch = JobEpoch(proto.job_epoch()),
          .coordinator = Incarnation(proto.coordinator_incarnation()),
          .worker = Incarnation(proto.worker_incarnation()),
          .generation = Generation(proto.generation())};
}

v1::Calibration ToProto(const CostModel& model) {
  v1::Calibration proto;
  proto.set_expert_launch_us(model.expert_launch_us);
  proto.set_us_per_token(model.us_per_token);
  proto.set_backward_factor(model.backward_factor);
  proto.set_link_latency_us(model.intra_node.latency_us);
  proto.set_link_us_per_byte(model.intra_node.us_per_byte);
  proto.set_inter_latency_us(model.inter_node.latency_us);
  proto.set_inter_us_per_byte(model.inter_node.us_per_byte);
  proto.set_overlap_slowdown(model.overlap_slowdown);
  proto.set_host_cpu_us_per_byte(model.host_cpu_us_per_byte);
  proto.set_token_bytes(model.token_bytes);
  proto.set_optimizer_bytes(model.optimizer_bytes);
  proto.set_plan_latency_us(model.plan_latency_us);
  return proto;
}

absl::StatusOr<CostModel> FromProto(const v1::Calibration& proto,
                                    int64_t expert_bytes) {
  const Link intra_node = {.latency_us = proto.link_latency_us(),
                           .us_per_byte = proto.link_us_per_byte()};
  // Workers of an earlier build know one link only.
  const Link inter_node = {
      .latency_us = proto.has_inter_latency_us() ? proto.inter_latency_us()
                                                 : intra_node.latency_us,
      .us_per_byte = proto.has_inter_us_per_byte() ? proto.inter_us_per_byte()
                                                   : intra_node.us_per_byte};
  const CostModel model = {
      .expert_launch_us = proto.expert_launch_us(),
      .us_per_token = proto.us_per_token(),
      .backward_factor = proto.backward_factor(),
      .intra_node = intra_node,
      .inter_node = inter_node,
      .overlap_slowdown = proto.overlap_slowdown(),
      .host_cpu_us_per_byte = proto.host_cpu_us_per_byte(),
      .expert_bytes = expert_bytes,
      .token_bytes = proto.token_bytes(),
      .optimizer_bytes = proto.optimizer_bytes(),
      .plan_latency_us = proto.plan_latency_us(),
  };
  BMOE_RETURN_IF_ERROR(ValidateCostModel(model));
  return model;
}

}  // namespace balancemoe
