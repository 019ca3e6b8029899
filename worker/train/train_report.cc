#include "worker/train/train_report.h"

#include <algorithm>
#include <cstddef>
#include <functional>

#include "common/statistics.h"
#include "worker/train/sha256.h"

namespace balancemoe::worker {
namespace {

using Json = nlohmann::ordered_json;
using LayerValue = std::function<double(const LayerFigures&)>;
using WorkerValue = std::function<double(const WorkerFigures&)>;

// Per step: the slowest worker of each layer, added up over the layers.
double SumOfLayerMaxima(const StepRecord& step, const LayerValue& value) {
  double sum = 0;
  for (size_t layer = 0; layer < step.num_layers(); ++layer) {
    double largest = 0;
    for (size_t worker = 0; worker < step.workers.size(); ++worker) {
      largest = std::max(largest, value(step.At(worker, layer)));
    }
    sum += largest;
  }
  return sum;
}

// Per step: the layers of each worker added up, [W].
std::vector<double> SumOverLayers(const StepRecord& step,
                                  const LayerValue& value) {
  std::vector<double> sums(step.workers.size());
  for (size_t worker = 0; worker < sums.size(); ++worker) {
    for (size_t layer = 0; layer < step.num_layers(); ++layer) {
      sums[worker] += value(step.At(worker, layer));
    }
  }
  return sums;
}

std::vector<double> PerStep(
    absl::Span<const StepRecord> steps,
    const std::function<double(const StepRecord&)>& value) {
  std::vector<double> values;
  for (const StepRecord& step : steps) values.push_back(value(step));
  return values;
}

double MaxOverWorkers(const StepRecord& step, const WorkerValue& value) {
  double largest = 0;
  for (const WorkerFigures& worker : step.workers) {
    largest = std::max(largest, value(worker));
  }
  return largest;
}

double SumOverWorkers(const StepRecord& step, const WorkerValue& value) {
  double sum = 0;
  for (const WorkerFigures& worker : step.workers) sum += value(worker);
  return sum;
}

double LayerUs(const LayerFigures& layer) { return layer.layer_us; }
double ExpertComputeMs(const LayerFigures& layer) {
  return layer.expert_compute_us / 1e3;
}

double ImbalanceOfLayer(const StepRecord& step, size_t layer) {
  double largest = 0;
  double sum = 0;
  for (size_t worker = 0; worker < step.workers.size(); ++worker) {
    const auto tokens =
        static_cast<double>(step.At(worker, layer).tokens_computed);
    largest = std::max(largest, tokens);
    sum += tokens;
  }
  return sum == 0 ? 1
                  : largest * static_cast<double>(step.workers.size()) / sum;
}

// Time in experts where a worker lends or borrows, over what the same tokens
// take the same worker in the same layer in steps in which it does not; null
// when no worker and layer has both kinds of steps. The first step is left out:
// it pays for memory that later ones find.
Json ComputeSlowdown(absl::Span<const StepRecord> all_steps) {
  const auto steps = all_steps.subspan(std::min<size_t>(1, all_steps.size()));
  const size_t places = steps.empty() ? 0 : steps[0].layers.size();
  double with_us = 0;
  double without_us = 0;
  for (size_t place = 0; place < places; ++place) {
    double us[2] = {0, 0};
    double tokens[2] = {0, 0};
    for (const StepRecord& step : steps) {
      const LayerFigures& layer = step.layers[place];
      const size_t lends = layer.lends > 0 ? 1 : 0;
      us[lends] += layer.expert_compute_us;
      tokens[lends] += static_cast<double>(layer.tokens_computed);
    }
    if (tokens[0] == 0 || tokens[1] == 0) continue;
    with_us += us[1];
    without_us += tokens[1] * us[0] / tokens[0];
  }
  if (without_us == 0) return nullptr;
  return with_us / without_us;
}

Json PredictedOverMeasured(absl::Span<const StepRecord> steps) {
  std::vector<double> ratios;
  for (const StepRecord& step : steps) {
    double predicted = 0;
    double measured = 0;
    for (size_t layer = 0; layer < step.num_layers(); ++layer) {
      if (step.At(0, layer).predicted_us == 0) continue;
      predicted += step.At(0, layer).predicted_us;
      double slowest = 0;
      for (size_t worker = 0; worker < step.workers.size(); ++worker) {
        slowest = std::max(slowest, step.At(worker, layer).layer_us);
      }
      measured += slowest;
    }
    if (measured > 0) ratios.push_back(predicted / measured);
  }
  if (ratios.empty()) return nullptr;
  return {{"mean", Mean(ratios)},
          {"p05", Quantile(ratios, 0.05)},
          {"p95", Quantile(ratios, 0.95)}};
}

Json TextOrNull(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

// The share of the steps that neither paced compute nor paced transfers
// explain.
double Distortion(absl::Span<const StepRecord> steps) {
  const auto shares = PerStep(steps, [](const StepRecord& step) {
    const double overrun_ms = SumOfLayerMaxima(
        step,
        [](const LayerFigures& layer) { return layer.pace_overrun_us / 1e3; });
    return 1 - (MoeLayersMs(step) - overrun_ms) / step.step_ms;
  });
  return Mean(shares);
}

Json Paced(const RunSummary& summary, absl::Span<const StepRecord> steps) {
  if (!summary.pacing.has_value()) return nullptr;
  const auto measured =
      steps.subspan(static_cast<size_t>(summary.warmup_steps));
  return {{"profile", summary.pacing->profile.name},
          {"scale", summary.pacing->scale},
          {"tokens", summary.pacing->tokens},
          {"distortion", Distortion(measured)}};
}

void AddIdentity(const TrainOptions& options, const RunSummary& summary,
                 absl::Span<const StepRecord> steps, Json& report) {
  report["policy"] = summary.policy;
  report["mode"] = summary.mode;
  report["workers"] = summary.workers;
  report["transport"] = options.transport;
  report["device"] = options.device;
  report["paced"] = Paced(summary, steps);
  report["seed"] = options.seed;
  report["steps"] = steps.size();
  report["resumed_from_step"] = summary.resumed_from_step.has_value()
                                    ? Json(*summary.resumed_from_step)
                                    : Json(nullptr);
  Json losses = Json::array();
  for (const StepRecord& step : steps) losses.push_back(step.loss);
  report["loss"] = losses;
  report["loss_sha256"] = LossSha256(steps);
  report["parameters_sha256"] = TextOrNull(summary.parameters_sha256);
  report["optimizer_sha256"] = TextOrNull(summary.optimizer_sha256);
}

void AddTimes(absl::Span<const StepRecord> steps, Json& report) {
  const auto moe_layer_ms = PerStep(steps, MoeLayersMs);
  report["moe_layer_ms"] = {{"mean", Mean(moe_layer_ms)},
                            {"p50", Quantile(moe_layer_ms, 0.5)},
                            {"p95", Quantile(moe_layer_ms, 0.95)}};
  const auto compute_mean = PerStep(steps, [](const StepRecord& step) {
    return Mean(SumOverLayers(step, ExpertComputeMs));
  });
  const auto compute_max = PerStep(steps, [](const StepRecord& step) {
    const auto sums = SumOverLayers(step, ExpertComputeMs);
    return *std::max_element(sums.begin(), sums.end());
  });
  report["expert_compute_ms"] = {{"mean", Mean(compute_mean)},
                                 {"max_over_workers", Mean(compute_max)}};
  // Nothing computes while experts move.
  const auto exposed = PerStep(steps, [](const StepRecord& step) {
    return SumOfLayerMaxima(step,
                            [](const LayerFigures& layer) {
                              return layer.exposed_transfer_us / 1e3;
                            }) +
           MaxOverWorkers(step, [](const WorkerFigures& worker) {
             return worker.move_us / 1e3;
           });
  });
  report["exposed_transfer_ms"] = {{"mean", Mean(exposed)},
                                   {"p95", Quantile(exposed, 0.95)}};
  const auto plan_wait = PerStep(steps, [](const StepRecord& step) {
    return MaxOverWorkers(step, [](const WorkerFigures& worker) {
      return worker.plan_wait_us / 1e3;
    });
  });
  report["plan_wait_ms"] = {{"mean", Mean(plan_wait)},
                            {"p95", Quantile(plan_wait, 0.95)}};
  const auto peer_wait = PerStep(steps, [](const StepRecord& step) {
    const double for_counts_us =
        SumOverWorkers(
            step,
            [](const WorkerFigures& worker) { return worker.peer_wait_us; }) /
        static_cast<double>(step.workers.size());
    const double for_tokens_us = Mean(SumOverLayers(
        step, [](const LayerFigures& layer) { return layer.peer_wait_us; }));
    return (for_counts_us + for_tokens_us) / 1e3;
  });
  report["peer_wait_ms"] = {{"mean", Mean(peer_wait)}};
  report["all_to_all_ms"] = {
      {"mean", Mean(PerStep(steps, [](const StepRecord& step) {
         return Mean(SumOverLayers(step, [](const LayerFigures& layer) {
           return layer.all_to_all_us / 1e3;
         }));
       }))}};
}

void AddImbalance(absl::Span<const StepRecord> steps, Json& report) {
  std::vector<double> imbalances;
  for (const StepRecord& step : steps) {
    for (size_t layer = 0; layer < step.num_layers(); ++layer) {
      imbalances.push_back(ImbalanceOfLayer(step, layer));
    }
  }
  report["imbalance"] = {{"mean", Mean(imbalances)},
                         {"p95", Quantile(imbalances, 0.95)}};
}

void AddTransfers(absl::Span<const StepRecord> steps, Json& report) {
  int64_t lends = 0;
  LayerFigures sums;
  WorkerFigures plans;
  for (const StepRecord& step : steps) {
    lends += Lends(step);
    for (const LayerFigures& layer : step.layers) {
      sums.lends_in_part += layer.lends_in_part;
      sums.tokens_computed += layer.tokens_computed;
      sums.tokens_borrowed += layer.tokens_borrowed;
      sums.tokens_dropped += layer.tokens_dropped;
      sums.transfer_bytes += layer.transfer_bytes;
    }
    plans.plans_used += step.workers[0].plans_used;
    plans.plans_none += step.workers[0].plans_none;
    plans.plans_late += step.workers[0].plans_late;
    plans.plans_refused += step.workers[0].plans_refused;
    plans.moves += step.workers[0].moves;
    plans.moves_refused += step.workers[0].moves_refused;
    for (const WorkerFigures& worker : step.workers) {
      plans.move_bytes += worker.move_bytes;
    }
  }
  report["moves"] = plans.moves;
  report["moves_refused"] = plans.moves_refused;
  report["lends"] = lends;
  // Both ends count each.
  report["lends_in_part"] = sums.lends_in_part / 2;
  const auto share = [](int64_t part, int64_t whole) {
    return whole == 0 ? 0.0
                      : static_cast<double>(part) / static_cast<double>(whole);
  };
  report["borrowed_token_share"] =
      share(sums.tokens_borrowed, sums.tokens_computed);
  report["dropped_token_share"] =
      share(sums.tokens_dropped, sums.tokens_computed + sums.tokens_dropped);
  report["transfer_bytes"] = sums.transfer_bytes + plans.move_bytes;
  report["plans"] = {{"used", plans.plans_used},
                     {"none", plans.plans_none},
                     {"late", plans.plans_late},
                     {"refused", plans.plans_refused}};
}

// Largest over steps and workers; the layers of a step add up, because their
// activations live until the backward pass.
double PeakOverWorkers(absl::Span<const StepRecord> steps,
                       const LayerValue& value) {
  double peak = 0;
  for (const StepRecord& step : steps) {
    for (const double sum : SumOverLayers(step, value)) {
      peak = std::max(peak, sum);
    }
  }
  return peak;
}

void AddMemory(const TrainOptions& options, const RunSummary& summary,
               absl::Span<const StepRecord> steps, Json& report) {
  const double row_bytes = static_cast<double>(
      (2 * options.hidden + (options.swiglu ? 3 : 2) * options.ffn) *
      static_cast<int64_t>(sizeof(float)));
  const double activations =
      PeakOverWorkers(steps, [row_bytes](const LayerFigures& layer) {
        return row_bytes * static_cast<double>(layer.tokens_computed);
      });
  const double experts = PeakOverWorkers(steps, [](const LayerFigures& layer) {
    return static_cast<double>(layer.expert_bytes);
  });
  report["peak_rss_bytes"] = {{"max_over_workers", summary.peak_rss_bytes}};
  report["peak_expert_bytes"] = {
      {"max_over_workers", static_cast<int64_t>(experts)}};
  report["peak_activation_bytes"] = {
      {"max_over_workers", static_cast<int64_t>(activations)}};
}

}  // namespace

std::string LossSha256(absl::Span<const StepRecord> steps) {
  std::vector<float> losses;
  for (const StepRecord& step : steps) losses.push_back(step.loss);
  return ToHex(Sha256({reinterpret_cast<const std::byte*>(losses.data()),
                       losses.size() * sizeof(float)}));
}

double MoeLayersMs(const StepRecord& step) {
  return SumOfLayerMaxima(step, LayerUs) / 1e3;
}

double MeanImbalance(const StepRecord& step) {
  double sum = 0;
  for (size_t layer = 0; layer < step.num_layers(); ++layer) {
    sum += ImbalanceOfLayer(step, layer);
  }
  return sum / static_cast<double>(step.num_layers());
}

int64_t Lends(const StepRecord& step) {
  int64_t lends = 0;
  for (size_t layer = 0; layer < step.num_layers(); ++layer) {
    for (size_t worker = 0; worker < step.workers.size(); ++worker) {
      lends += step.At(worker, layer).lends;
    }
  }
  // Both ends count each.
  return lends / 2;
}

nlohmann::ordered_json BuildTrainReport(const TrainOptions& options,
                                        const RunSummary& summary,
                                        absl::Span<const StepRecord> steps) {
  Json report;
  AddIdentity(options, summary, steps, report);
  const auto measured =
      steps.subspan(static_cast<size_t>(summary.warmup_steps));
  const auto step_ms =
      PerStep(measured, [](const StepRecord& step) { return step.step_ms; });
  report["step_ms"] = {{"mean", Mean(step_ms)},
                       {"p50", Quantile(step_ms, 0.5)},
                       {"p95", Quantile(step_ms, 0.95)}};
  report["tokens_per_s"] =
      static_cast<double>(options.batch * options.seq * summary.workers) /
      Mean(step_ms) * 1e3;
  report["warmup_steps"] = summary.warmup_steps;
  AddTimes(measured, report);
  report["transfer_cpu_s_per_step"] =
      Mean(PerStep(measured, [](const StepRecord& step) {
        return Mean(SumOverLayers(step,
                                  [](const LayerFigures& layer) {
                                    return layer.transport_cpu_us / 1e6;
                                  })) *
               static_cast<double>(step.workers.size());
      }));
  report["compute_slowdown"] = ComputeSlowdown(steps);
  AddImbalance(measured, report);
  AddTransfers(steps, report);
  report["predicted_over_measured"] = PredictedOverMeasured(measured);
  AddMemory(options, summary, steps, report);
  report["cpu_s_per_step"] = Mean(PerStep(measured, [](const StepRecord& step) {
    return SumOverWorkers(
        step, [](const WorkerFigures& worker) { return worker.cpu_us / 1e6; });
  }));
  report["energy_j_per_step"] =
      summary.energy_j.has_value()
          ? Json(*summary.energy_j / static_cast<double>(steps.size()))
          : Json(nullptr);
  return report;
}

}  // namespace balancemoe::worker
