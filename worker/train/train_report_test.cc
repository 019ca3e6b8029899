#include "worker/train/train_report.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

namespace balancemoe::worker {
namespace {

LayerFigures Layer(double layer_us, int64_t tokens, int64_t lends) {
  LayerFigures figures;
  figures.layer_us = layer_us;
  figures.expert_compute_us = layer_us / 2;
  figures.tokens_computed = tokens;
  figures.lends = lends;
  figures.predicted_us = lends > 0 ? 900 : 0;
  figures.transfer_bytes = lends * 64;
  return figures;
}

// Two workers, two layers.
StepRecord Step(float loss, double step_ms, int64_t lends) {
  StepRecord step;
  step.loss = loss;
  step.step_ms = step_ms;
  step.workers.resize(2);
  step.workers[0].plans_used = 2;
  step.workers[0].plan_wait_us = 1000;
  step.workers[1].plan_wait_us = 3000;
  step.layers = {Layer(1000, 30, lends), Layer(500, 10, 0),
                 Layer(400, 10, lends), Layer(700, 10, 0)};
  return step;
}

nlohmann::ordered_json Report(const std::vector<StepRecord>& steps,
                              int64_t warmup_steps) {
  RunSummary summary;
  summary.policy = "pairwise";
  summary.mode = "inline";
  summary.workers = 2;
  summary.warmup_steps = warmup_steps;
  return BuildTrainReport(TrainOptions(), summary, steps);
}

TEST(TrainReportTest, HasEveryKeyOfTheContract) {
  const auto report = Report({Step(2, 10, 1)}, 0);

  for (const char* key : {"policy",
                          "mode",
                          "workers",
                          "transport",
                          "device",
                          "paced",
                          "seed",
                          "steps",
                          "resumed_from_step",
                          "loss",
                          "loss_sha256",
                          "parameters_sha256",
                          "optimizer_sha256",
                          "step_ms",
                          "tokens_per_s",
                          "warmup_steps",
                          "moe_layer_ms",
                          "expert_compute_ms",
                          "exposed_transfer_ms",
                          "plan_wait_ms",
                          "peer_wait_ms",
                          "all_to_all_ms",
                          "transfer_cpu_s_per_step",
                          "compute_slowdown",
                          "imbalance",
                          "moves",
                          "lends",
                          "lends_in_part",
                          "borrowed_token_share",
                          "dropped_token_share",
                          "transfer_bytes",
                          "plans",
                          "predicted_over_measured",
                          "peak_rss_bytes",
                          "peak_expert_bytes",
                          "peak_activation_bytes",
                          "cpu_s_per_step",
                          "energy_j_per_step"}) {
    EXPECT_TRUE(report.contains(key)) << key;
  }
}

TEST(TrainReportTest, LossDigestIsThatOfTheirBytes) {
  // printf '\\x00\\x00\\x00\\x40\\x00\\x00\\x80\\x3f' | sha256sum
  EXPECT_EQ(LossSha256(std::vector<StepRecord>{Step(2, 1, 0), Step(1, 1, 0)}),
            "cec62291c7d5e97447562503965c17a32c0c4bdb5696725f2225aa37afc61e28");
}

TEST(TrainReportTest, SlowestWorkerOfEachLayerCounts) {
  const auto report = Report({Step(2, 10, 1)}, 0);

  EXPECT_DOUBLE_EQ(report["moe_layer_ms"]["mean"], 1.7);
  EXPECT_DOUBLE_EQ(report["plan_wait_ms"]["mean"], 3.0);
  // 30 of 40 on two workers in one layer, 10 of 20 in the other.
  EXPECT_DOUBLE_EQ(report["imbalance"]["mean"], 1.25);
}

TEST(TrainReportTest, PeakOfExpertsIsOfTheFullestWorkerInAnyStep) {
  std::vector<StepRecord> steps = {Step(3, 10, 1), Step(2, 10, 1)};
  // [W, layers]
  steps[0].layers[0].expert_bytes = 500;
  steps[0].layers[1].expert_bytes = 100;
  steps[0].layers[2].expert_bytes = 300;
  steps[1].layers[2].expert_bytes = 400;
  steps[1].layers[3].expert_bytes = 400;

  EXPECT_EQ(Report(steps, 0)["peak_expert_bytes"]["max_over_workers"], 800);
}

TEST(TrainReportTest, WarmUpCountsForTotalsButNotForTimes) {
  const auto report = Report({Step(3, 500, 1), Step(2, 10, 1)}, 1);

  EXPECT_DOUBLE_EQ(report["step_ms"]["mean"], 10);
  EXPECT_EQ(report["lends"], 2);
  EXPECT_EQ(report["transfer_bytes"], 256);
  EXPECT_EQ(report["plans"]["used"], 4);
  EXPECT_EQ(report["loss"].size(), 2u);
}

TEST(TrainReportTest, PartsOfExpertsAreToldFromWholeOnes) {
  // Worker 0 lends twice; worker 1 computes a part of one of the experts.
  StepRecord step = Step(2, 10, 1);
  for (const size_t end : {0, 2}) {
    step.layers[end].lends = 2;
    step.layers[end].lends_in_part = 1;
  }
  step.layers[2].tokens_borrowed = 9;
  step.layers[3].tokens_dropped = 20;

  const auto report = Report({step}, 0);

  EXPECT_EQ(report["lends"], 2);
  EXPECT_EQ(report["lends_in_part"], 1);
  EXPECT_DOUBLE_EQ(report["borrowed_token_share"], 9.0 / 60);
  EXPECT_DOUBLE_EQ(report["dropped_token_share"], 20.0 / 80);
}

TEST(TrainReportTest, ForecastIsComparedWithThePlannedLayersAlone) {
  EXPECT_DOUBLE_EQ(
      Report({Step(2, 10, 1)}, 0)["predicted_over_measured"]["mean"], 0.9);
  EXPECT_TRUE(Report({Step(2, 10, 0)}, 0)["predicted_over_measured"].is_null());
}

TEST(TrainReportTest, SlowDownComparesAWorkersLayerWithAndWithoutTransfers) {
  const StepRecord first = Step(3, 500, 0);
  const StepRecord without = Step(2, 10, 0);
  StepRecord with = Step(2, 10, 1);
  // A fifth slower where experts travel; the rest is of no account.
  with.layers[0].expert_compute_us *= 1.2;
  with.layers[2].expert_compute_us *= 1.2;
  with.layers[1].expert_compute_us *= 5;

  EXPECT_TRUE(Report({first, with}, 0)["compute_slowdown"].is_null());
  EXPECT_TRUE(Report({first, without}, 0)["compute_slowdown"].is_null());
  EXPECT_DOUBLE_EQ(Report({first, without, with}, 0)["compute_slowdown"], 1.2);
}

}  // namespace
}  // namespace balancemoe::worker
