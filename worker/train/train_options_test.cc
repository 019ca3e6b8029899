#include "worker/train/train_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe::worker {
namespace {

using ::testing::HasSubstr;

// What parsing the line says, empty when it is accepted.
std::string ParseError(const std::string& line, TrainOptions& options) {
  CLI::App app;
  AddTrainFlags(app, options);
  AddCheckpointFlags(app, options);
  try {
    app.parse(line);
  } catch (const CLI::ParseError& error) {
    return error.what();
  }
  return "";
}

struct BadLine {
  std::string name;
  std::string line;
  std::string message;
};

class BadTrainFlagTest : public ::testing::TestWithParam<BadLine> {};

TEST_P(BadTrainFlagTest, MessageNamesTheFlagAndWhatWouldBeRight) {
  TrainOptions options;

  EXPECT_THAT(ParseError(GetParam().line, options),
              HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadTrainFlagTest,
    ::testing::Values(
        BadLine{"NumberTooSmall", "--layers 0",
                "--layers: Value 0 not in range 1 to 1000000"},
        BadLine{"NotANumber", "--experts many", "--experts"},
        BadLine{"MissingFile", "--text /no/such/file",
                "--text: File does not exist: /no/such/file"},
        BadLine{"UnknownTransport", "--transport carrier-pigeon",
                "--transport: carrier-pigeon not in {loopback,gloo,nccl}"},
        BadLine{"OtherDtype", "--dtype fp16",
                "--dtype: fp16 not in {fp32,bf16}"},
        BadLine{"CostModelFile", "--cost-model /no/such/file",
                "--cost-model: /no/such/file: cannot be read"},
        BadLine{"TwoRoutings", "--imbalance 1.6 --skew 1", "--imbalance"},
        BadLine{"QuotaAndRecord", "--imbalance 1.6 --route-from trace.csv",
                "--imbalance excludes --route-from"},
        BadLine{"BiasAndRecord", "--skew 1 --route-from trace.csv",
                "--skew excludes --route-from"},
        BadLine{"IterationsOfNoRecord", "--route-iterations 0:9",
                "--route-iterations requires --route-from"},
        BadLine{"ResumeFromNowhere", "--resume",
                "--resume requires --checkpoint-dir"},
        BadLine{"CheckpointsToNowhere", "--checkpoint-every 5",
                "--checkpoint-every requires --checkpoint-dir"},
        BadLine{"NoStepsBetweenCheckpoints",
                "--checkpoint-dir d --checkpoint-every 0",
                "--checkpoint-every: Value 0 not in range"}),
    [](const auto& test_case) { return test_case.param.name; });

TrainOptions LocalRun() {
  TrainOptions options;
  options.workers = 2;
  return options;
}

TEST(TrainOptionsTest, DefaultsWithLocalWorkersAreValid) {
  EXPECT_THAT(ValidateTrainOptions(LocalRun(), 2), IsOk());
}

TEST(TrainOptionsTest, HeadsMustDivideHidden) {
  TrainOptions options = LocalRun();
  options.heads = 3;

  EXPECT_THAT(ValidateTrainOptions(options, 2),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--heads: 3 does not divide --hidden 256")));
}

TEST(TrainOptionsTest, MoreChoicesThanExpertsAreRefused) {
  TrainOptions options = LocalRun();
  options.top_k = 9;

  EXPECT_THAT(ValidateTrainOptions(options, 2),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--top-k: 9 is more than --experts 8")));
}

TEST(TrainOptionsTest, EveryWorkerNeedsAnExpert) {
  EXPECT_THAT(ValidateTrainOptions(LocalRun(), 9),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--experts: 8 experts do not reach 9")));
}

TEST(TrainOptionsTest, ImbalanceBeyondTheGroupIsRefused) {
  TrainOptions options = LocalRun();
  options.imbalance = 2.5;

  EXPECT_THAT(ValidateTrainOptions(options, 2),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--imbalance: 2.5")));
}

TEST(TrainOptionsTest, AGpuNeedsATransportThatReachesItsMemory) {
  TrainOptions options = LocalRun();
  options.device = "cuda";

  EXPECT_THAT(ValidateTrainOptions(options, 2),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--device: cuda goes with --transport nccl "
                                 "only; gloo moves memory of the host")));
  options.transport = "nccl";
  EXPECT_THAT(ValidateTrainOptions(options, 2), IsOk());
}

TEST(TrainOptionsTest, GroupedKernelsNeedWholeRows) {
  TrainOptions options = LocalRun();
  options.device = "cuda";
  options.transport = "nccl";
  options.dtype = "bf16";
  options.ffn = 1028;

  EXPECT_THAT(ValidateTrainOptions(options, 2),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       HasSubstr("multiples of 8 for --hidden and --ffn, not "
                                 "256 and 1028")));
  options.dtype = "fp32";
  EXPECT_THAT(ValidateTrainOptions(options, 2), IsOk());
}

TEST(TrainOptionsTest, Bf16AndPacingGoWithOneDeviceEach) {
  TrainOptions options = LocalRun();
  options.dtype = "bf16";
  EXPECT_THAT(ValidateTrainOptions(options, 2),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--dtype: bf16 goes with --device cuda")));

  options.device = "cuda";
  options.transport = "nccl";
  options.pace = "h200-nvlink";
  EXPECT_THAT(ValidateTrainOptions(options, 2),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--pace: emulates on processors")));
}

TEST(TrainOptionsTest, EmbeddedCoordinatorNeedsLocalWorkers) {
  TrainOptions options;

  EXPECT_THAT(ValidateTrainOptions(options, 2),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--coordinator: embedded")));
}

}  // namespace
}  // namespace balancemoe::worker
