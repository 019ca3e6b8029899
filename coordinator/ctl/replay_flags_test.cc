#include "coordinator/ctl/replay_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/algorithm/container.h"
#include "absl/strings/str_split.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Layers 0 and 2 of iterations 10 and 20, 6 experts, 4 ranks.
Trace SmallTrace() {
  Trace trace;
  trace.name = "t.csv";
  trace.num_experts = 6;
  trace.num_ranks = 4;
  trace.layers = {LayerId(0), LayerId(2)};
  for (const int64_t iteration : {10, 20}) {
    for (const LayerId layer : trace.layers) {
      trace.records.push_back({.iteration = Iteration(iteration),
                               .layer = layer,
                               .tokens = LoadMatrix(4, 6)});
    }
  }
  return trace;
}

class ReplayFlagsTest : public ::testing::Test {
 protected:
  ReplayFlagsTest() {
    command_.name("replay");
    AddReplayFlags(command_, flags_);
  }

  absl::StatusOr<ReplayOptions> Parse(const std::string& arguments) {
    std::vector<std::string> argv =
        absl::StrSplit("--trace t.csv --policy static " + arguments, ' ');
    // CLI11 takes them from the back.
    absl::c_reverse(argv);
    command_.parse(argv);
    return OptionsFor(flags_, SmallTrace());
  }

  CLI::App command_;
  ReplayFlags flags_;
};

TEST_F(ReplayFlagsTest, DefaultsAreTheDocumentedOnes) {
  const auto options = Parse("--workers 2");

  ASSERT_THAT(options, IsOk());
  EXPECT_EQ(flags_.profile, "h200-nvlink");
  EXPECT_EQ(flags_.output, "table");
  EXPECT_EQ(options->mode, "native");
  EXPECT_EQ(options->slots, 4);
  EXPECT_EQ(options->objective, "time");
  EXPECT_FALSE(options->first_iteration.has_value());
  EXPECT_FALSE(options->end_iteration.has_value());
  EXPECT_THAT(options->layers, ElementsAre());
}

TEST_F(ReplayFlagsTest, ListsAreSeparatedByCommas) {
  const auto options =
      Parse("--workers 2 --policy pairwise,adaptive --layers 2,0");

  ASSERT_THAT(options, IsOk());
  EXPECT_THAT(options->policies, ElementsAre("static", "pairwise", "adaptive"));
  EXPECT_THAT(options->layers, ElementsAre(LayerId(2), LayerId(0)));
}

TEST_F(ReplayFlagsTest, IterationsAreHalfOpen) {
  const auto options = Parse("--workers 2 --iterations 10:20");

  ASSERT_THAT(options, IsOk());
  EXPECT_EQ(options->first_iteration, Iteration(10));
  EXPECT_EQ(options->end_iteration, Iteration(20));
}

TEST_F(ReplayFlagsTest, WhatDoesNotFitNamesTheFlag) {
  const struct {
    std::string arguments;
    std::string message;
  } cases[] = {
      {"--workers 7",
       "--workers: 7 workers are more than the 6 experts of t.csv; at most "
       "that many"},
      {"--workers 4",
       "--workers: 4 does not divide the 6 experts of t.csv; one of 1, 2, 3, 6 "
       "does"},
      {"--workers 3",
       "--workers: 3 does not divide the 4 source ranks of t.csv; one of 1, 2 "
       "does"},
      {"--workers 2 --iterations ",
       "--iterations: '' is not A:B, two whole numbers"},
      {"--workers 2 --iterations 5",
       "--iterations: '5' is not A:B, two whole numbers"},
      {"--workers 2 --iterations 20:20",
       "--iterations: 20:20 holds no iteration; A:B starts with A and ends "
       "before B, so A is smaller than B"},
      {"--workers 2 --iterations 11:20",
       "--iterations: no iteration of t.csv is in 11:20; they reach from 10 to "
       "20"},
      {"--workers 2 --layers 0,1", "--layers: 1 is no layer of t.csv; 0,2 are"},
  };
  for (const auto& bad : cases) {
    flags_ = ReplayFlags();
    EXPECT_THAT(Parse(bad.arguments),
                IsStatus(absl::StatusCode::kInvalidArgument, bad.message));
  }
}

TEST_F(ReplayFlagsTest, UnknownModeIsRefusedWithTheFlag) {
  try {
    Parse("--workers 2 --mode sideways").IgnoreError();
    FAIL() << "was accepted";
  } catch (const CLI::ParseError& error) {
    EXPECT_THAT(error.what(), HasSubstr("--mode"));
  }
}

}  // namespace
}  // namespace balancemoe::coordinator
