#include "worker/agent/local_agent.h"

#include <array>
#include <bit>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/checksum.h"
#include "common/planning/layer_snapshot.h"
#include "common/status_macros.h"
#include "worker/agent/agent_environment.h"
#include "worker/agent/agreement.h"

namespace balancemoe::worker {
namespace {

// A cost model as it travels beside the counts: whether there is one, its
// measured fields, two sizes. The size of an expert is common knowledge.
constexpr size_t kMeasured = 10;
constexpr size_t kCostWords = 1 + kMeasured + 2;

// Of a const model or not: pointers to its measured fields, in the order in
// which they travel.
template <typename Model>
auto MeasuredFields(Model& model) {
  return std::array{&model.expert_launch_us,       &model.us_per_token,
                    &model.backward_factor,        &model.intra_node.latency_us,
                    &model.intra_node.us_per_byte, &model.inter_node.latency_us,
                    &model.inter_node.us_per_byte, &model.overlap_slowdown,
                    &model.host_cpu_us_per_byte,   &model.plan_latency_us};
}

std::vector<int64_t> EncodeCostModel(const CostModel& model) {
  std::vector<int64_t> words = {1};
  for (const double* field : MeasuredFields(model)) {
    words.push_back(std::bit_cast<int64_t>(*field));
  }
  words.push_back(model.token_bytes);
  words.push_back(model.optimizer_bytes);
  return words;
}

CostModel DecodeCostModel(absl::Span<const int64_t> words,
                          int64_t expert_bytes) {
  CostModel model;
  const std::array<double*, kMeasured> fields = MeasuredFields(model);
  for (size_t i = 0; i < kMeasured; ++i) {
    *fields[i] = std::bit_cast<double>(words[1 + i]);
  }
  model.token_bytes = words[1 + kMeasured];
  model.optimizer_bytes = words[2 + kMeasured];
  model.expert_bytes = expert_bytes;
  return model;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Agent>> LocalAgent::Create(
    const LocalAgentOptions& options, std::unique_ptr<Transport> transport) {
  BMOE_ASSIGN_OR_RETURN(PolicyChoice choice, ParsePolicyChoice(options.policy));
  BMOE_RETURN_IF_ERROR(CheckStepsEnd(choice.ToString(), options.ends_steps));
  if (options.cost_model.has_value()) {
    BMOE_RETURN_IF_ERROR(ValidateCostModel(*options.cost_model));
  }
  const GroupShape shape = {.layers = options.layers,
                            .experts_per_layer = options.experts_per_layer,
                            .expert_bytes = options.expert_bytes};
  BMOE_ASSIGN_OR_RETURN(
      LayerExchange exchange,
      LayerExchange::Create(*transport, shape,
                            {options.spare_slots, options.node}, kCostWords));
  // Different policies would make different plans of the same counts.
  BMOE_ASSIGN_OR_RETURN(
      const auto votes,
      exchange.GatherVotes(
          {.digest = Checksum(choice.ToString()), .holding = Holding::kPlan}));
  if (Settle(votes) != Verdict::kAgreed) {
    return absl::FailedPreconditionError(
        absl::StrCat("agent: the workers plan by different policies; worker ",
                     transport->rank().value(), " by ", choice.ToString()));
  }
  return std::unique_ptr<Agent>(new LocalAgent(
      options, std::move(choice), std::move(transport), std::move(exchange)));
}

LocalAgent::LocalAgent(const LocalAgentOptions& options, PolicyChoice choice,
                       std::unique_ptr<Transport> transport,
                       LayerExchange exchange)
    : choice_(std::move(choice)),
      policy_(MakePolicy(choice_)),
      transport_(std::move(transport)),
      in_force_(FirstPlacement(options.layers, transport_->world_size(),
                               options.experts_per_layer)),
      past_(static_cast<size_t>(options.layers)),
      exchange_(std::move(exchange)),
      cost_words_(kCostWords) {
  if (options.cost_model.has_value()) ReportCostModel(*options.cost_model);
}

LocalAgent::~LocalAgent() {
  if (fork_guard_.InForkedChild()) static_cast<void>(transport_.release());
}

void LocalAgent::ReportCostModel(const CostModel& model) {
  cost_words_ = EncodeCostModel(model);
}

void LocalAgent::BeginIteration(Iteration iteration) {
  iteration_ = iteration;
  in_force_.BeginIteration(iteration);
}

absl::StatusOr<LayerRouting> LocalAgent::PlanLayer(
    LayerId layer, absl::Span<const int64_t> tokens_per_expert) {
  if (fork_guard_.InForkedChild()) {
    return absl::FailedPreconditionError(
        "agent: this process is a fork of the one that attached");
  }
  const absl::Time begin = clock_.Now();
  BMOE_ASSIGN_OR_RETURN(
      LoadMatrix tokens,
      exchange_.GatherCounts(iteration_, layer, in_force_.placement().version,
                             tokens_per_expert, cost_words_));
  const absl::Time gathered = clock_.Now();
  counters_.peer_wait += gathered - begin;
  LayerRouting routing = Route(layer, std::move(tokens));
  routing.peer_wait = gathered - begin;
  ++(routing.lends.empty() ? counters_.plans_none : counters_.plans_used);
  counters_.plan_wait += clock_.Now() - gathered;
  return routing;
}

std::optional<CostModel> LocalAgent::GatheredCostModel() const {
  std::vector<CostModel> models;
  for (int32_t rank = 0; rank < transport_->world_size(); ++rank) {
    const auto words = exchange_.ExtraOf(WorkerRank(rank));
    if (words[0] == 0) return std::nullopt;
    models.push_back(DecodeCostModel(words, exchange_.shape().expert_bytes));
  }
  CostModel mean = MeanCostModel(models);
  // Every worker sees the same models, so all leave out a bad one alike.
  if (!ValidateCostModel(mean).ok()) return std::nullopt;
  return mean;
}

LayerRouting LocalAgent::Route(LayerId layer, LoadMatrix tokens) {
  if (choice_.plans_inline()) {
    const std::optional<CostModel> cost = GatheredCostModel();
    if (!cost.has_value()) {
      return RouteLayer(std::move(tokens), in_force_.homes(layer), {}, {},
                        exchange_.group());
    }
    const LayerPlan plan = DecideInline(layer, tokens, *cost);
    LayerRouting routing = RouteLayer(std::move(tokens), in_force_.homes(layer),
                                      plan, *cost, exchange_.group());
    if (!plan.empty()) {
      routing.plan = PlanId(++decisions_);
      routing.predicted_us = plan.predicted_after_us;
    }
    return routing;
  }
  std::vector<int64_t> tokens_of_expert;
  for (int32_t expert = 0; expert < tokens.num_experts(); ++expert) {
    tokens_of_expert.push_back(tokens.TokensOfExpert(ExpertId(expert)));
  }
  past_[layer.index()].Remember(iteration_, tokens_of_expert);
  const StepPlan* const plan = in_force_.usable();
  return plan == nullptr
             ? RouteLayer(std::move(tokens), in_force_.homes(layer), {}, {},
                          exchange_.group())
             : RouteLayerAhead(std::move(tokens), in_force_.homes(layer), *plan,
                               layer, exchange_.group());
}

LayerPlan LocalAgent::DecideInline(LayerId layer, const LoadMatrix& tokens,
                                   const CostModel& cost) {
  return policy_->Decide({.iteration = iteration_,
                          .tokens = tokens,
                          .home_of_expert = in_force_.homes(layer),
                          .spare_slots = exchange_.spare_slots(),
                          .node_of_worker = exchange_.group().node_of_worker,
                          .cost = cost});
}

absl::StatusOr<std::vector<LayerMoves>> LocalAgent::EndStep() {
  const auto cost = GatheredCostModel();
  if (choice_.plans_inline() || !cost.has_value())
    return std::vector<LayerMoves>();
  for (const AheadPast& past : past_) {
    if (past.empty()) return std::vector<LayerMoves>();
  }
  StepPlan plan = {.id = PlanId(++decisions_),
                   .epoch = JobEpoch(0),
                   .generation = transport_->generation(),
                   .first = Iteration(iteration_.value() + 1),
                   .placement_version = in_force_.placement().version,
                   .policy = choice_.ToString(),
                   .cost = *cost,
                   .layers = {}};
  for (size_t i = 0; i < past_.size(); ++i) {
    const LayerId layer(static_cast<int32_t>(i));
    plan.layers.push_back(past_[i].Decide(
        *policy_, {.home_of_expert = in_force_.homes(layer),
                   .spare_slots = exchange_.spare_slots(),
                   .node_of_worker = exchange_.group().node_of_worker,
                   .cost = OfLayer(*cost, layer)}));
  }
  in_force_.Adopt(std::move(plan));
  return in_force_.PendingMoves();
}

}  // namespace balancemoe::worker
