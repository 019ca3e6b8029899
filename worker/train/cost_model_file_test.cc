#include "worker/train/cost_model_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe::worker {
namespace {

using ::testing::HasSubstr;

class CostModelFileTest : public ::testing::Test {
 protected:
  ~CostModelFileTest() override { std::filesystem::remove(path_); }

  absl::StatusOr<CostModel> Read(const std::string& text) {
    std::ofstream(path_) << text;
    return ReadCostModelFile(path_);
  }

  const std::string path_ =
      absl::StrCat(::testing::TempDir(), "cost_model_", getpid(), ".yaml");
};

TEST_F(CostModelFileTest, EveryKeyGoesToItsField) {
  const auto model = Read(
      "# Of some machine.\n"
      "expert_launch_us: 20\n"
      "us_per_token: 1.5\n"
      "backward_factor: 2.25\n"
      "link_latency_us: 80\n"
      "link_us_per_byte: 4e-4\n"
      "overlap_slowdown: 1.1\n"
      "host_cpu_us_per_byte: 2.5e-4\n");

  ASSERT_THAT(model, IsOk());
  EXPECT_EQ(*model, (CostModel{.expert_launch_us = 20,
                               .us_per_token = 1.5,
                               .backward_factor = 2.25,
                               .intra_node = {80, 4e-4},
                               .inter_node = {80, 4e-4},
                               .overlap_slowdown = 1.1,
                               .host_cpu_us_per_byte = 2.5e-4}));
}

TEST_F(CostModelFileTest, KeysThatAreMissingKeepTheirDefaults) {
  const auto model = Read("us_per_token: 3\n");

  ASSERT_THAT(model, IsOk());
  EXPECT_EQ(*model, CostModel{.us_per_token = 3});
}

TEST_F(CostModelFileTest, TimeOfATokenHasNoDefault) {
  EXPECT_THAT(Read("link_latency_us: 3\n"),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       HasSubstr(path_ + ": us_per_token is missing")));
}

TEST_F(CostModelFileTest, UnreadableFileIsNamed) {
  EXPECT_THAT(ReadCostModelFile("/no/such/file"),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "/no/such/file: cannot be read"));
}

struct BadFile {
  std::string name;
  std::string text;
  std::string message;
};

class BadCostModelFileTest : public CostModelFileTest,
                             public ::testing::WithParamInterface<BadFile> {};

TEST_P(BadCostModelFileTest, MessageNamesFileLineAndKey) {
  EXPECT_THAT(Read(GetParam().text),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       HasSubstr(path_ + GetParam().message)));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadCostModelFileTest,
    ::testing::Values(
        BadFile{"UnknownKey", "us_per_token: 1\nus_per_tokem: 1\n",
                ":2: unknown key us_per_tokem; there are expert_launch_us, "},
        BadFile{"NoNumber", "us_per_token: fast\n",
                ":1: us_per_token: 'fast' is no number"},
        BadFile{"OutOfRange", "us_per_token: 1\n\noverlap_slowdown: 0.5\n",
                ":3: cost model: overlap_slowdown is 0.5; it must be"},
        BadFile{"NotFinite", "us_per_token: inf\n",
                ":1: cost model: us_per_token is inf"},
        BadFile{"Zero", "us_per_token: 0\n",
                ":1: cost model: us_per_token is 0"},
        BadFile{"Twice", "us_per_token: 1\nus_per_token: 2\n",
                ":2: us_per_token is set already"},
        BadFile{"NoPlainValue", "us_per_token: [1, 2]\n",
                ":1: must be `key: number`"},
        BadFile{"NoMap", "- us_per_token\n", ":1: must be lines of"},
        BadFile{"NoYaml", "us_per_token: 1: 2\n", ":1: illegal map value"}),
    [](const auto& test_case) { return test_case.param.name; });

}  // namespace
}  // namespace balancemoe::worker
