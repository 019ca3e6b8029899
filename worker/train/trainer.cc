#include "worker/train/trainer.h"

#include <torch/nn/functional/loss.h>
#include <torch/utils.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/types/span.h"
#include "common/status_macros.h"
#include "worker/train/model_shape.h"
#include "worker/train/process_usage.h"
#include "worker/train/routers.h"
#include "worker/train/state_digest.h"
#include "worker/transport/gather_all.h"

namespace balancemoe::worker {
namespace {

MoeGptOptions ModelOf(const TrainOptions& options,
                      const std::optional<Pacing>& pacing,
                      const torch::Device& device) {
  MoeGptOptions model;
  model.device = device;
  model.kernels = KernelsOf(options);
  model.layers = options.layers;
  model.seq = options.seq;
  model.hidden = options.hidden;
  model.ffn = options.ffn;
  model.gated = options.swiglu;
  model.heads = options.heads;
  model.experts = options.experts;
  model.top_k = options.top_k;
  model.capacity_factor = options.capacity_factor;
  model.seed = options.seed;
  model.moments = kAdamMoments;
  model.split_peer_wait = options.split_peer_wait;
  if (pacing.has_value()) {
    const CostModel cost =
        PacedCostModel(*pacing, ExpertShapeOf(options).bytes());
    model.pace = {.launch_us = cost.expert_launch_us,
                  .us_per_token = cost.us_per_token,
                  .backward_factor = cost.backward_factor};
  }
  return model;
}

std::vector<AdamParameter> WithFreshState(const MoeGpt& model) {
  std::vector<AdamParameter> all;
  for (const auto& [name, parameter] : model->ReplicatedParameters()) {
    all.push_back(FreshAdamParameter(name, parameter));
  }
  return all;
}

std::vector<torch::Tensor> TensorsOf(
    const std::vector<AdamParameter>& parameters) {
  std::vector<torch::Tensor> tensors;
  for (const AdamParameter& of : parameters) tensors.push_back(of.parameter);
  return tensors;
}

// The four parameters of an expert that lives in `store`.
std::vector<AdamParameter> ParametersOf(const ExpertStore& store,
                                        ExpertId expert) {
  std::vector<AdamParameter> all;
  for (size_t i = 0; i < ExpertTensors::kNames.size(); ++i) {
    all.push_back(
        {.name = MoeGptImpl::ExpertName(store.layer(), expert,
                                        ExpertTensors::kNames[i]),
         .parameter = store.Find(expert)->all[i],
         .mean = store.Moment(expert, 0).all[i],
         .variance = store.Moment(expert, 1).all[i],
         .steps = store.Steps(expert).select(0, static_cast<int64_t>(i))});
  }
  return all;
}

LayerFigures FiguresOf(MoeLayer& moe) {
  const MoeLayerTimes& times = moe->last_times();
  const auto us = [](absl::Duration duration) {
    return absl::ToDoubleMicroseconds(duration);
  };
  LayerFigures figures;
  figures.layer_us = us(times.forward + times.backward);
  figures.expert_compute_us = us(times.expert_compute);
  figures.pace_overrun_us = us(times.pace_overrun);
  figures.exposed_transfer_us = us(times.exposed_transfer);
  figures.all_to_all_us = us(times.all_to_all - times.peer_wait);
  figures.peer_wait_us = us(times.peer_wait);
  figures.predicted_us = times.predicted_us;
  figures.transport_cpu_us = us(times.other_threads_cpu);
  figures.tokens_computed = times.tokens_computed;
  figures.tokens_dropped = times.tokens_dropped;
  figures.tokens_borrowed = times.tokens_borrowed;
  figures.lends = times.lends;
  figures.lends_in_part = times.lends_in_part;
  figures.transfer_bytes = times.transfer_bytes;
  figures.expert_bytes = moe->experts().TakePeakBytes();
  return figures;
}

}  // namespace

Trainer::Trainer(const TrainOptions& options, TrainInputs inputs, Agent& agent,
                 MoveObserver observer, const torch::Device& device)
    : options_(options),
      inputs_(std::move(inputs)),
      agent_(agent),
      device_(device),
      model_(ModelOf(options, inputs_.pacing, device), agent),
      replicated_(WithFreshState(model_)),
      bucket_(TensorsOf(replicated_)),
      between_steps_(agent, model_->moe_layers(), std::move(observer)) {
  GatherParameters();
  RouteAsAsked();
}

void Trainer::GatherParameters() {
  parameters_ = replicated_;
  for (MoeLayer moe : model_->moe_layers()) {
    const ExpertStore& store = moe->experts();
    for (const ExpertId expert : store.home_experts()) {
      for (AdamParameter& parameter : ParametersOf(store, expert)) {
        parameters_.push_back(std::move(parameter));
      }
    }
  }
}

absl::StatusOr<StepRecord> Trainer::Step(int64_t iteration, int64_t batch) {
  const absl::Time start = clock_.Now();
  const AgentCounters counters = agent_.counters();
  const absl::Duration cpu = ProcessCpuTime();
  Transport& transport = agent_.transport();
  StepRecord record;
  if (routes_by_record_) RouteByRecord(batch);
  agent_.BeginIteration(Iteration(iteration));
  try {
    const float share = ForwardBackward(Batch(batch));
    BMOE_ASSIGN_OR_RETURN(record.loss, bucket_.Sum(share, transport));
    AdamStep(parameters_, options_.lr);
    ZeroGradients();
  } catch (const c10::Error& error) {
    return absl::UnavailableError(error.what_without_backtrace());
  }
  WorkerFigures figures = MeasuredSince(counters, cpu);
  BMOE_RETURN_IF_ERROR(EndStep(figures));
  BMOE_RETURN_IF_ERROR(GatherFigures(figures, record));
  // All workers have just met, so that one clock is as good as another.
  record.step_ms = absl::ToDoubleMilliseconds(clock_.Now() - start);
  return record;
}

torch::Tensor Trainer::Batch(int64_t batch) const {
  torch::Tensor bytes =
      torch::empty({options_.batch, options_.seq + 1}, torch::kInt64);
  int64_t* out = bytes.mutable_data_ptr<int64_t>();
  const int64_t first = agent_.transport().rank().value() * options_.batch;
  for (int64_t i = 0; i < options_.batch; ++i) {
    const int64_t row = (i + options_.rotate_batch) % options_.batch;
    for (const char byte :
         inputs_.corpus.Sequence(options_.seed, batch, first + row)) {
      *out++ = static_cast<unsigned char>(byte);
    }
  }
  return bytes.to(device_);
}

// Workers have equally many tokens, so the mean over all is the sum of the
// workers' means divided by their number. Divided before backward, which gives
// every gradient its share, of experts and replicated parameters alike.
float Trainer::ForwardBackward(const torch::Tensor& bytes) {
  const int64_t seq = options_.seq;
  const torch::Tensor logits = model_->forward(bytes.narrow(1, 0, seq));
  const torch::Tensor targets = bytes.narrow(1, 1, seq).flatten();
  torch::Tensor loss = torch::nn::functional::cross_entropy(logits, targets) /
                       agent_.transport().world_size();
  const float share = loss.item<float>();
  if (options_.aux_loss > 0 || options_.z_loss > 0) {
    const GateLosses gate = model_->gate_losses();
    loss =
        loss + (gate.balance * options_.aux_loss + gate.z * options_.z_loss) /
                   agent_.transport().world_size();
  }
  loss.backward();
  return share;
}

void Trainer::ZeroGradients() {
  bucket_.Zero();
  for (size_t i = replicated_.size(); i < parameters_.size(); ++i) {
    parameters_[i].parameter.mutable_grad().zero_();
  }
}

absl::Status Trainer::EndStep(WorkerFigures& figures) {
  BMOE_ASSIGN_OR_RETURN(const MoveReport report, between_steps_.EndStep());
  if (report.moves > 0) GatherParameters();
  figures.moves = report.moves;
  figures.moves_refused = report.refused;
  figures.move_bytes = report.bytes_sent;
  figures.move_us = absl::ToDoubleMicroseconds(report.elapsed);
  return absl::OkStatus();
}

WorkerFigures Trainer::MeasuredSince(const AgentCounters& before,
                                     absl::Duration cpu_before) const {
  const AgentCounters now = agent_.counters();
  WorkerFigures figures;
  figures.plan_wait_us =
      absl::ToDoubleMicroseconds(now.plan_wait - before.plan_wait);
  figures.peer_wait_us =
      absl::ToDoubleMicroseconds(now.peer_wait - before.peer_wait);
  figures.plans_used = now.plans_used - before.plans_used;
  figures.plans_none = now.plans_none - before.plans_none;
  figures.plans_late = now.plans_late - before.plans_late;
  figures.plans_refused = now.plans_refused - before.plans_refused;
  // Threads of one process would count it once each.
  const bool own_process = agent_.transport().name() != "loopback" ||
                           agent_.transport().rank() == WorkerRank(0);
  if (own_process) {
    figures.cpu_us = absl::ToDoubleMicroseconds(ProcessCpuTime() - cpu_before);
  }
  return figures;
}

absl::Status Trainer::GatherFigures(const WorkerFigures& mine,
                                    StepRecord& record) {
  std::vector<LayerFigures> layers;
  for (MoeLayer moe : model_->moe_layers()) {
    layers.push_back(FiguresOf(moe));
  }
  BMOE_ASSIGN_OR_RETURN(record.layers,
                        GatherAll<LayerFigures>(layers, agent_.transport()));
  BMOE_ASSIGN_OR_RETURN(record.workers,
                        GatherAll<WorkerFigures>({mine}, agent_.transport()));
  return absl::OkStatus();
}

void Trainer::RouteByRecord(int64_t row) {
  const WorkerRank me = agent_.transport().rank();
  for (MoeLayer moe : model_->moe_layers()) {
    const LayerId layer = moe->experts().layer();
    moe->SetRouter(CountsRouter(
        inputs_.routes->Counts(row, layer, me, options_.batch * options_.seq),
        static_cast<int32_t>(options_.top_k), me, layer, row, options_.seed));
  }
}

void Trainer::RouteByQuota(double imbalance) {
  routes_by_record_ = false;
  QuotaSpec spec;
  spec.imbalance = imbalance;
  spec.workers = agent_.transport().world_size();
  spec.experts = options_.experts;
  spec.top_k = options_.top_k;
  spec.tokens = spec.workers * options_.batch * options_.seq;
  for (MoeLayer moe : model_->moe_layers()) {
    moe->SetRouter(QuotaRouter(spec, agent_.transport().rank(),
                               moe->experts().layer(), options_.seed));
  }
}

void Trainer::RouteAsAsked() {
  routes_by_record_ = inputs_.routes.has_value();
  if (routes_by_record_) return;
  if (options_.imbalance.has_value()) return RouteByQuota(*options_.imbalance);
  for (MoeLayer moe : model_->moe_layers()) {
    moe->SetRouter(options_.skew.has_value()
                       ? SkewedRouter(*options_.skew, options_.experts,
                                      options_.top_k, moe->experts().layer(),
                                      options_.seed)
                       : TopKRouter(options_.top_k));
  }
}

absl::StatusOr<Trainer::Digests> Trainer::StateDigests() {
  StateTensors parameters;
  StateTensors optimizer;
  const auto add = [](const AdamParameter& of,
                      std::vector<torch::Tensor>& values,
                      std::vector<torch::Tensor>& states) {
    values.push_back(of.parameter);
    for (const auto& state : {of.mean, of.variance, of.steps}) {
      states.push_back(state);
    }
  };
  for (const AdamParameter& of : replicated_) {
    add(of, parameters.replicated, optimizer.replicated);
  }
  for (MoeLayer moe : model_->moe_layers()) {
    const ExpertStore& store = moe->experts();
    for (const ExpertId expert : store.home_experts()) {
      const size_t key =
          store.layer().index() * static_cast<size_t>(options_.experts) +
          expert.index();
      parameters.experts.push_back({key, {}});
      optimizer.experts.push_back({key, {}});
      for (const AdamParameter& of : ParametersOf(store, expert)) {
        add(of, parameters.experts.back().second,
            optimizer.experts.back().second);
      }
    }
  }
  const auto experts = static_cast<size_t>(options_.layers) *
                       static_cast<size_t>(options_.experts);
  Digests digests;
  BMOE_ASSIGN_OR_RETURN(
      digests.parameters,
      GatherStateDigest(parameters, experts, agent_.transport()));
  BMOE_ASSIGN_OR_RETURN(
      digests.optimizer,
      GatherStateDigest(optimizer, experts, agent_.transport()));
  return digests;
}

Trainer::State Trainer::CopyState() const {
  const torch::NoGradGuard no_grad;
  State state;
  state.placement = between_steps_.CurrentPlacement();
  for (const AdamParameter& of : parameters_) {
    state.parameters.push_back({.name = of.name,
                                .parameter = of.parameter.detach().clone(),
                                .mean = of.mean.clone(),
                                .variance = of.variance.clone(),
                                .steps = of.steps.clone()});
  }
  return state;
}

absl::Status Trainer::MoveTo(const JobPlacement& placement) {
  BMOE_RETURN_IF_ERROR(between_steps_.RestorePlacement(placement).status());
  GatherParameters();
  return between_steps_.SendAhead();
}

absl::Status Trainer::Restore(const State& state) {
  BMOE_RETURN_IF_ERROR(
      between_steps_.RestorePlacement(state.placement).status());
  GatherParameters();
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < state.parameters.size(); ++i) {
    parameters_[i].parameter.copy_(state.parameters[i].parameter);
    parameters_[i].mean.copy_(state.parameters[i].mean);
    parameters_[i].variance.copy_(state.parameters[i].variance);
    parameters_[i].steps.copy_(state.parameters[i].steps);
  }
  return between_steps_.SendAhead();
}

}  // namespace balancemoe::worker
