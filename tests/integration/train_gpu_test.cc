// balancemoe-train on a GPU: workers that share one, over NCCL.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "worker/cuda/cuda_status.h"
#include "worker/train/child_process.h"

namespace balancemoe::worker {
namespace {

// Far beyond what loading CUDA and a few steps take on a busy machine.
constexpr absl::Duration kDeadline = absl::Minutes(3);

class TrainGpuTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto gpus = CudaDeviceCount();
    if (!gpus.ok()) GTEST_SKIP() << "needs a GPU: " << gpus.status().message();
    // Of workers that would gain by lends; those that share a GPU have none.
    std::ofstream(Path("cost.yaml")) << "us_per_token: 10\n"
                                     << "link_us_per_byte: 1.0e-6\n";
  }

  static std::string Path(const std::string& name) {
    return absl::StrCat(::testing::TempDir(), "/train_gpu_test.", name);
  }

  // The report of a run of a small model.
  static nlohmann::json Run(const std::string& flags, int steps = 12) {
    const std::string report = Path("report.json");
    Command command;
    command.arguments = {
        absl::StrCat(std::getenv("BALANCEMOE_BIN_DIR"), "/balancemoe-train"),
        absl::StrCat("--steps=", steps),
        "--batch=4",
        "--seq=64",
        "--hidden=64",
        "--ffn=128",
        absl::StrCat("--cost-model=", Path("cost.yaml")),
        absl::StrCat("--report=", report)};
    for (const auto flag : absl::StrSplit(flags, ' ')) {
      command.arguments.emplace_back(flag);
    }
    // Workers of one machine find each other there, whatever networks it has.
    command.environment = {{"NCCL_SOCKET_IFNAME", "lo"},
                           {"NCCL_IB_DISABLE", "1"}};
    auto process = ChildProcess::Start(command);
    EXPECT_TRUE(process.ok()) << process.status();
    if (!process.ok()) return {};
    const auto end = (*process)->Await(kDeadline);
    EXPECT_TRUE(end.has_value()) << "still running: " << flags;
    if (!end.has_value()) return {};
    EXPECT_EQ(*end, 0) << DescribeEnd(*end) << ": " << flags;
    std::ifstream file(report);
    return nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  }

  static void ExpectSameState(const nlohmann::json& one,
                              const nlohmann::json& other) {
    for (const char* key :
         {"loss_sha256", "parameters_sha256", "optimizer_sha256"}) {
      EXPECT_EQ(one.at(key), other.at(key)) << key;
    }
  }

  static void ExpectCloseLosses(const nlohmann::json& one,
                                const nlohmann::json& other, double relative) {
    const auto& expected = one.at("loss");
    ASSERT_EQ(expected.size(), other.at("loss").size());
    for (size_t step = 0; step < expected.size(); ++step) {
      const double value = expected[step];
      EXPECT_NEAR(other.at("loss")[step], value, relative * value) << step;
    }
  }
};

constexpr char kCuda[] =
    "--workers=2 --device=cuda --transport=nccl --imbalance=1.6 --policy=";
constexpr char kProcessors[] = "--workers=2 --imbalance=1.6 --policy=static";

TEST_F(TrainGpuTest, LearnsWhatProcessorsLearn) {
  ExpectCloseLosses(Run(kProcessors), Run(absl::StrCat(kCuda, "static")), 1e-4);
}

TEST_F(TrainGpuTest, LendsAndMovesChangeNoBit) {
  const nlohmann::json still = Run(absl::StrCat(kCuda, "static"));
  const nlohmann::json lent = Run(absl::StrCat(kCuda, "pairwise"));
  const nlohmann::json moved = Run(absl::StrCat(kCuda, "smartmoe"));

  EXPECT_GT(lent.at("lends"), 0);
  EXPECT_GT(moved.at("moves"), 0);
  ExpectSameState(still, lent);
  ExpectSameState(still, moved);
}

TEST_F(TrainGpuTest, QuotasLearnTheSameButForRounding) {
  const nlohmann::json split = Run(absl::StrCat(kCuda, "adaptive"));

  EXPECT_GT(split.at("lends"), 0);
  ExpectCloseLosses(Run(absl::StrCat(kCuda, "static")), split, 1e-4);
}

TEST_F(TrainGpuTest, Bf16LearnsNearlyTheSame) {
  const std::string cuda = absl::StrCat(kCuda, "static");
  const nlohmann::json bf16 = Run(absl::StrCat(cuda, " --dtype=bf16"));

  ExpectCloseLosses(Run(cuda), bf16, 0.02);
  EXPECT_NE(bf16.at("loss_sha256"), Run(cuda).at("loss_sha256"));
}

TEST_F(TrainGpuTest, ACheckpointGoesFromTheGpuToProcessors) {
  const std::string directory = Path("checkpoints");
  std::filesystem::remove_all(directory);
  const std::string checkpoint = absl::StrCat(" --checkpoint-dir=", directory,
                                              " --checkpoint-every=6 --resume");
  const nlohmann::json whole =
      Run(absl::StrCat(kCuda, "static", checkpoint), 18);
  std::filesystem::remove_all(directory);
  Run(absl::StrCat(kCuda, "pairwise", checkpoint));
  const nlohmann::json resumed = Run(absl::StrCat(kProcessors, checkpoint), 18);

  ASSERT_EQ(resumed.at("loss").size(), 6u);
  for (size_t step = 0; step < 6; ++step) {
    const double expected = whole.at("loss")[12 + step];
    EXPECT_NEAR(resumed.at("loss")[step], expected, 1e-4 * expected);
  }
}

}  // namespace
}  // namespace balancemoe::worker
