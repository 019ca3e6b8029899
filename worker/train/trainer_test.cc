#include "worker/train/trainer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/io/trace_reader.h"
#include "tests/fixtures/status_matchers.h"
#include "worker/train/loss_agreement.h"
#include "worker/train/recorded_routes.h"
#include "worker/train/testing/loopback_job.h"

namespace balancemoe::worker {
namespace {

using Report = TrainReport;

// Rank 0's report.
Report Train(const TrainOptions& options, int32_t workers) {
  const auto report = TrainOverLoopback(options, workers);
  EXPECT_THAT(report, IsOk());
  return report.ok() ? *report : Report();
}

struct SameLearningCase {
  std::string name;
  int32_t workers;
  TrainOptions options;
};

class SameLearningTest : public ::testing::TestWithParam<SameLearningCase> {};

TEST_P(SameLearningTest, LendsChangeNoBitOfLossesParametersOrOptimizer) {
  TrainOptions options = GetParam().options;
  options.policy = "static";
  const Report alone = Train(options, GetParam().workers);
  options.policy = "pairwise";
  const Report lent = Train(options, GetParam().workers);

  ASSERT_TRUE(alone.is_object() && lent.is_object());
  EXPECT_EQ(alone["lends"], 0);
  EXPECT_GE(lent["lends"], options.steps);
  EXPECT_LT(lent["imbalance"]["mean"], alone["imbalance"]["mean"]);
  EXPECT_EQ(alone["loss"], lent["loss"]);
  EXPECT_EQ(alone["loss_sha256"], lent["loss_sha256"]);
  EXPECT_EQ(alone["parameters_sha256"], lent["parameters_sha256"]);
  EXPECT_EQ(alone["optimizer_sha256"], lent["optimizer_sha256"]);
}

TrainOptions Imbalanced(TrainOptions options, double imbalance) {
  options.imbalance = imbalance;
  return options;
}

TrainOptions OddSizes() {
  TrainOptions options = SmallModel();
  options.layers = 3;
  options.batch = 3;
  options.seq = 23;
  options.hidden = 34;
  options.heads = 2;
  options.ffn = 51;
  options.experts = 13;
  options.top_k = 3;
  options.aux_loss = 0.01;
  options.z_loss = 0.001;
  return options;
}

TrainOptions Skewed() {
  TrainOptions options = SmallModel();
  options.skew = 1;
  return options;
}

INSTANTIATE_TEST_SUITE_P(
    All, SameLearningTest,
    ::testing::Values(
        SameLearningCase{"TwoWorkers", 2, Imbalanced(SmallModel(), 1.6)},
        SameLearningCase{"FourWorkers", 4, Imbalanced(SmallModel(), 1.6)},
        SameLearningCase{"OddSizesOnThreeWorkers", 3,
                         Imbalanced(OddSizes(), 2.1)},
        SameLearningCase{"TheGatesOwnChoice", 2, Skewed()}),
    [](const auto& test_case) { return test_case.param.name; });

// Learning is the same to the bit when experts change their homes, with their
// optimizer state, again and again.
struct MovesCase {
  std::string policy;
  int32_t workers;
  TrainOptions options;
};

class MovesTest : public ::testing::TestWithParam<MovesCase> {};

TEST_P(MovesTest, ChangeNoBitOfLossesParametersOrOptimizer) {
  TrainOptions options = GetParam().options;
  options.steps = 20;
  options.policy = "static";
  const Report stayed = Train(options, GetParam().workers);
  options.policy = GetParam().policy;
  const Report moved = Train(options, GetParam().workers);

  ASSERT_TRUE(stayed.is_object() && moved.is_object());
  EXPECT_EQ(stayed["moves"], 0);
  EXPECT_GE(moved["moves"], 4);
  EXPECT_EQ(moved["moves_refused"], 0);
  EXPECT_EQ(stayed["loss"], moved["loss"]);
  EXPECT_EQ(stayed["parameters_sha256"], moved["parameters_sha256"]);
  EXPECT_EQ(stayed["optimizer_sha256"], moved["optimizer_sha256"]);
}

TrainOptions TopOne(TrainOptions options) {
  options.top_k = 1;
  return options;
}

INSTANTIATE_TEST_SUITE_P(
    All, MovesTest,
    ::testing::Values(
        MovesCase{"pairwise-moves", 2, Skewed()},
        MovesCase{"pairwise-moves", 4, Skewed()},
        MovesCase{"pairwise-moves", 3, Imbalanced(OddSizes(), 2.1)},
        MovesCase{"pairwise-moves", 2, TopOne(Imbalanced(SmallModel(), 1.6))},
        MovesCase{"smartmoe", 2, Skewed()}, MovesCase{"smartmoe", 4, Skewed()},
        MovesCase{"pairwise-dp", 2, Skewed()},
        MovesCase{"pairwise-dp", 4, Skewed()}),
    [](const auto& test_case) {
      const MovesCase& of = test_case.param;
      return absl::StrCat(absl::StrReplaceAll(of.policy, {{"-", "_"}}), "On",
                          of.workers, "Top", of.options.top_k);
    });

class SplitExpertsTest : public ::testing::TestWithParam<std::string> {};

TEST_P(SplitExpertsTest, RunStaysNearTheOneWithoutLendsAndRepeatsToTheBit) {
  for (const int32_t workers : {2, 4}) {
    SCOPED_TRACE(workers);
    TrainOptions options = Imbalanced(SmallModel(), 1.6);
    options.steps = 20;
    options.lr = 1e-3;
    options.policy = "static";
    const Report alone = Train(options, workers);
    options.policy = GetParam();
    const Report split = Train(options, workers);
    const Report again = Train(options, workers);

    ASSERT_TRUE(alone.is_object() && split.is_object() && again.is_object());
    EXPECT_GE(split["lends_in_part"], options.steps);
    EXPECT_GT(split["borrowed_token_share"], 0.05);
    EXPECT_LT(split["imbalance"]["mean"], alone["imbalance"]["mean"]);
    EXPECT_LT(LargestDifference(alone["loss"].get<std::vector<float>>(),
                                split["loss"].get<std::vector<float>>()),
              1e-5);
    EXPECT_LT(split["loss"].back(), split["loss"].front());
    EXPECT_EQ(split["loss_sha256"], again["loss_sha256"]);
    EXPECT_EQ(split["parameters_sha256"], again["parameters_sha256"]);
    EXPECT_EQ(split["optimizer_sha256"], again["optimizer_sha256"]);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, SplitExpertsTest,
    ::testing::Values("adaptive", "adaptive@ahead", "adaptive@inline", "eplb",
                      "fastermoe", "llep", "ultraep"),
    [](const auto& test_case) {
      return absl::StrReplaceAll(test_case.param, {{"@", "_"}});
    });

TEST(TrainerTest, QuotaGivesTheAskedImbalanceInEveryStep) {
  TrainOptions options = Imbalanced(SmallModel(), 1.5);
  options.policy = "static";

  const Report report = Train(options, 2);

  EXPECT_DOUBLE_EQ(report["imbalance"]["mean"], 1.5);
  EXPECT_DOUBLE_EQ(report["imbalance"]["p95"], 1.5);
}

// A trace of SmallModel by two ranks, with `iterations` iterations.
std::string WriteTrace(int64_t iterations) {
  const std::string path =
      absl::StrCat(::testing::TempDir(), "trainer_test_", getpid(), ".csv");
  std::ofstream file(path);
  file << "iteration,layer,rank,e0,e1,e2,e3,e4,e5,e6,e7\n";
  std::mt19937_64 random(11);
  for (int64_t iteration = 0; iteration < iterations; ++iteration) {
    for (int64_t layer = 0; layer < SmallModel().layers; ++layer) {
      for (int rank = 0; rank < 2; ++rank) {
        file << iteration << ',' << layer << ',' << rank;
        for (int expert = 0; expert < 8; ++expert) file << ',' << random() % 99;
        file << '\n';
      }
    }
  }
  return path;
}

// Of two workers that have half of the experts each, in one row, by layer.
std::vector<double> ImbalancesOf(const RecordedRoutes& routes, int64_t row,
                                 const TrainOptions& options) {
  std::vector<double> imbalances;
  for (int32_t layer = 0; layer < options.layers; ++layer) {
    int64_t loads[2] = {0, 0};
    for (const int32_t worker : {0, 1}) {
      const auto counts = routes.Counts(row, LayerId(layer), WorkerRank(worker),
                                        options.batch * options.seq);
      for (size_t e = 0; e < counts.size(); ++e) loads[e / 4] += counts[e];
    }
    imbalances.push_back(static_cast<double>(std::max(loads[0], loads[1])) * 2 /
                         static_cast<double>(loads[0] + loads[1]));
  }
  return imbalances;
}

TEST(TrainerTest, RecordGivesTheImbalanceOfItsScaledCounts) {
  TrainOptions options = SmallModel();
  options.policy = "static";
  // Two steps of the eight are warm-up. The other six start at row 2 and wrap,
  // and meet some rows more often than others, so that each row counts.
  options.route_from = WriteTrace(4);

  const auto trace = ReadTrace(options.route_from);
  const Report report = Train(options, 2);
  std::filesystem::remove(options.route_from);

  ASSERT_THAT(trace, IsOk());
  const auto routes = RecordedRoutes::Create(
      *trace, "", {.workers = 2, .layers = 2, .experts = 8, .top_k = 2});
  ASSERT_THAT(routes, IsOk());
  double sum = 0;
  for (int64_t step = 2; step < options.steps; ++step) {
    for (const double of_layer : ImbalancesOf(*routes, step, options)) {
      sum += of_layer;
    }
  }
  EXPECT_GT(sum / 12, 1.02);
  ASSERT_TRUE(report.is_object());
  EXPECT_DOUBLE_EQ(report["imbalance"]["mean"], sum / 12);
}

TEST(TrainerTest, LossFallsOnAnEasyText) {
  TrainOptions options = Imbalanced(SmallModel(), 1);
  options.steps = 60;
  options.lr = 3e-3;

  const Report report = Train(options, 2);

  EXPECT_LT(report["loss"].back(), report["loss"].front());
}

TEST(TrainerTest, OtherSeedIsAnotherRun) {
  TrainOptions options = Imbalanced(SmallModel(), 1);
  options.steps = 2;
  const Report one = Train(options, 2);
  options.seed = 2;
  const Report two = Train(options, 2);

  EXPECT_NE(one["loss_sha256"], two["loss_sha256"]);
  EXPECT_NE(one["parameters_sha256"], two["parameters_sha256"]);
}

}  // namespace
}  // namespace balancemoe::worker
