#include "common/io/profile_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kSmall[] =
    "name: small\n"
    "hidden: 64\n"
    "ffn: 256\n"
    "dtype_bytes: 4\n"
    "optimizer_bytes_per_parameter: 8\n"
    "tflops: 0.5\n"
    "expert_launch_us: 3\n"
    "intra_node: {latency_us: 1, gb_per_s: 2}\n"
    "inter_node:\n"
    "  latency_us: 4\n"
    "  gb_per_s: 5\n"
    "plan_latency_us: 100\n"
    "watts: {busy: 10, idle: 1}\n";

TEST(ProfileFileTest, EveryShippedProfileLoads) {
  EXPECT_THAT(ShippedProfileNames(),
              ElementsAre("a100-nvlink-ib", "cpu-loopback", "h200-nvlink",
                          "v100-pcie-100g"));
  for (const std::string& name : ShippedProfileNames()) {
    const auto profile = LoadProfile(name);

    ASSERT_THAT(profile, IsOk());
    EXPECT_EQ(profile->name, name);
  }
}

TEST(ProfileFileTest, ShippedValuesAreTheDocumentedOnes) {
  const auto profile = LoadProfile("v100-pcie-100g");

  ASSERT_THAT(profile, IsOk());
  EXPECT_EQ(*profile, (Profile{.name = "v100-pcie-100g",
                               .hidden = 1024,
                               .ffn = 4096,
                               .gated = false,
                               .dtype_bytes = 4,
                               .optimizer_bytes_per_parameter = 8,
                               .tflops = 11.5,
                               .expert_launch_us = 15,
                               .intra_node = {15, 11},
                               .inter_node = {40, 2.5},
                               .workers_per_node = 4,
                               .overlap_slowdown = 1.10,
                               .backward_factor = 2,
                               .plan_latency_us = 300,
                               .host_cpu_s_per_gb = 0,
                               .watts = {300, 50}}));
}

TEST(ProfileFileTest, KeysThatHaveADefaultMayBeLeftOut) {
  const auto profile = ParseProfile(kSmall, "p.yaml");

  ASSERT_THAT(profile, IsOk());
  EXPECT_FALSE(profile->gated);
  EXPECT_EQ(profile->workers_per_node, 1);
  EXPECT_EQ(profile->overlap_slowdown, 1);
  EXPECT_EQ(profile->backward_factor, 2);
  EXPECT_EQ(profile->host_cpu_s_per_gb, 0);
  EXPECT_EQ(profile->inter_node, (Profile::Link{4, 5}));
}

TEST(ProfileFileTest, WrittenProfilesReadBackBitForBit) {
  auto profile = LoadProfile("cpu-loopback");
  ASSERT_THAT(profile, IsOk());
  profile->tflops = 0.1 + 0.2;
  profile->gated = true;
  profile->name = "mine: \"the\" one";

  const std::string text = FormatProfile(*profile, "Measured here.\nTwice.");

  EXPECT_THAT(text, HasSubstr("# Measured here.\n# Twice.\nname: "));
  const auto back = ParseProfile(text, "p.yaml");
  ASSERT_THAT(back, IsOk());
  EXPECT_EQ(*back, *profile);
}

TEST(ProfileFileTest, WrittenFormIsTheDocumentedOne) {
  const auto profile = ParseProfile(kSmall, "p.yaml");
  ASSERT_THAT(profile, IsOk());

  EXPECT_EQ(FormatProfile(*profile, "From a test."),
            "# From a test.\n"
            "name: \"small\"\n"
            "hidden: 64\n"
            "ffn: 256\n"
            "gated: false\n"
            "dtype_bytes: 4\n"
            "optimizer_bytes_per_parameter: 8\n"
            "tflops: 0.5\n"
            "expert_launch_us: 3\n"
            "intra_node: {latency_us: 1, gb_per_s: 2}\n"
            "inter_node: {latency_us: 4, gb_per_s: 5}\n"
            "workers_per_node: 1\n"
            "overlap_slowdown: 1\n"
            "backward_factor: 2\n"
            "plan_latency_us: 100\n"
            "host_cpu_s_per_gb: 0\n"
            "watts: {busy: 10, idle: 1}\n");
}

TEST(ProfileFileTest, UnknownNameListsThoseThatThereAre) {
  EXPECT_THAT(LoadProfile("h100"),
              IsStatus(absl::StatusCode::kNotFound,
                       "there is no profile 'h100'; name one of "
                       "a100-nvlink-ib, cpu-loopback, h200-nvlink, "
                       "v100-pcie-100g, or a FILE.yaml"));
}

TEST(ProfileFileTest, UnreadableFileIsNamed) {
  EXPECT_THAT(LoadProfile("/nowhere/p.yaml"),
              IsStatus(absl::StatusCode::kNotFound,
                       HasSubstr("/nowhere/p.yaml cannot be read")));
}

struct BadProfile {
  std::string name;
  // What of kSmall becomes what.
  std::string from;
  std::string to;
  std::string message;
};

class BadProfileTest : public ::testing::TestWithParam<BadProfile> {};

TEST_P(BadProfileTest, IsRefusedWithLineAndKey) {
  const std::string text =
      absl::StrReplaceAll(kSmall, {{GetParam().from, GetParam().to}});
  ASSERT_NE(text, kSmall);

  EXPECT_THAT(ParseProfile(text, "p.yaml"),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       HasSubstr(GetParam().message)));
}

INSTANTIATE_TEST_SUITE_P(
    Profile, BadProfileTest,
    ::testing::Values(
        BadProfile{"UnknownKey", "tflops:", "teraflops:",
                   "p.yaml:6: 'teraflops' is no key of a profile; they are "
                   "name, hidden, ffn, gated, "},
        BadProfile{"UnknownInnerKey", "{busy:", "{hot:",
                   "p.yaml:13: 'watts.hot' is no key of a profile; they are"},
        BadProfile{"MissingKey", "ffn: 256\n", "",
                   "p.yaml:1: ffn is missing; add it"},
        BadProfile{"MissingInnerKey", "  gb_per_s: 5\n", "",
                   "p.yaml:9: inter_node.gb_per_s is missing; add it"},
        BadProfile{"KeyTwice", "ffn: 256\n", "ffn: 256\nffn: 256\n",
                   "p.yaml:4: 'ffn' comes twice; keep one"},
        BadProfile{
            "NameInBytes", "name: small", "name: \x80small",
            "p.yaml:1: name is '\\200small'; a name of printable ASCII is "
            "right"},
        BadProfile{"NoNumber", "tflops: 0.5", "tflops: fast",
                   "p.yaml:6: tflops is 'fast'; a number is right"},
        BadProfile{"NotFinite", "tflops: 0.5", "tflops: inf",
                   "p.yaml:6: tflops is 'inf'; a number is right"},
        BadProfile{"NoWholeNumber", "hidden: 64", "hidden: 64.5",
                   "p.yaml:2: hidden is '64.5'; a whole number is right"},
        BadProfile{"List", "hidden: 64", "hidden: [64]",
                   "p.yaml:2: hidden is no plain value; a whole number is "
                   "right"},
        BadProfile{"NoBool", "ffn: 256\n", "ffn: 256\ngated: perhaps\n",
                   "p.yaml:4: gated is 'perhaps'; true or false is right"},
        BadProfile{"NoMap", "{busy: 10, idle: 1}", "10",
                   "p.yaml:13: watts is no map; {busy: .., idle: ..} is right"},
        BadProfile{"NoYaml", "{busy: 10, idle: 1}", "{busy: 10",
                   "p.yaml:14: end of map flow not found"},
        BadProfile{"Refused", "tflops: 0.5", "tflops: -1", "p.yaml:6: tflops"},
        BadProfile{"InnerRefused", "gb_per_s: 5", "gb_per_s: -1",
                   "p.yaml:11: inter_node.gb_per_s"}),
    [](const auto& test_case) { return test_case.param.name; });

TEST(ProfileFileTest, TextThatIsNoMapIsRefused) {
  EXPECT_THAT(ParseProfile("just words\n", "p.yaml"),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "p.yaml:1: no profile; lines of `key: value` make one"));
}

}  // namespace
}  // namespace balancemoe
