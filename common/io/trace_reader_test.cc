#include "common/io/trace_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;

std::vector<int64_t> Counts(const TraceRecord& record, int32_t rank) {
  const auto row = record.tokens.Row(WorkerRank(rank));
  return {row.begin(), row.end()};
}

TEST(TraceReaderTest, RowsOfAnyOrderBecomeRecordsByIterationAndLayer) {
  const auto trace = ParseTrace(
      "iteration,layer,e0,e1,e2\n"
      "10,3,7,8,9\n"
      "2,3,4,5,6\n"
      "2,0,1,2,3\n",
      "t.csv");

  ASSERT_THAT(trace, IsOk());
  EXPECT_EQ(trace->name, "t.csv");
  EXPECT_EQ(trace->num_experts, 3);
  EXPECT_EQ(trace->num_ranks, 0);
  EXPECT_THAT(trace->layers, ElementsAre(LayerId(0), LayerId(3)));
  ASSERT_EQ(trace->records.size(), 3u);
  EXPECT_EQ(trace->records[0].iteration, Iteration(2));
  EXPECT_EQ(trace->records[0].layer, LayerId(0));
  EXPECT_EQ(trace->records[0].tokens.num_workers(), 1);
  EXPECT_THAT(Counts(trace->records[0], 0), ElementsAre(1, 2, 3));
  EXPECT_THAT(Counts(trace->records[1], 0), ElementsAre(4, 5, 6));
  EXPECT_THAT(Counts(trace->records[2], 0), ElementsAre(7, 8, 9));
}

TEST(TraceReaderTest, RowsOfRanksJoinInOneRecord) {
  const auto trace = ParseTrace(
      "iteration,layer,rank,e0,e1\n"
      "1,0,1,3,4\n"
      "1,0,0,1,2\n",
      "t.csv");

  ASSERT_THAT(trace, IsOk());
  EXPECT_EQ(trace->num_ranks, 2);
  ASSERT_EQ(trace->records.size(), 1u);
  EXPECT_THAT(Counts(trace->records[0], 0), ElementsAre(1, 2));
  EXPECT_THAT(Counts(trace->records[0], 1), ElementsAre(3, 4));
}

TEST(TraceReaderTest, WindowsLineEndsAndBlankLinesAtTheEndDoNotMatter) {
  const auto unix_trace =
      ParseTrace("iteration,layer,e0\n1,0,5\n2,0,6", "t.csv");
  const auto windows_trace =
      ParseTrace("iteration,layer,e0\r\n1,0,5\r\n2,0,6\r\n\r\n", "t.csv");

  ASSERT_THAT(windows_trace, IsOk());
  EXPECT_EQ(*windows_trace, *unix_trace);
}

TEST(TraceReaderTest, LargestCountIsRead) {
  EXPECT_THAT(ParseTrace("iteration,layer,e0\n1,0,1099511627776\n", "t.csv"),
              IsOk());
}

struct BadTrace {
  std::string name;
  std::string text;
  std::string message;
};

class BadTraceTest : public ::testing::TestWithParam<BadTrace> {};

TEST_P(BadTraceTest, IsRefusedWithLineAndReason) {
  EXPECT_THAT(ParseTrace(GetParam().text, "t.csv"),
              IsStatus(absl::StatusCode::kInvalidArgument, GetParam().message));
}

constexpr char kSums[] = "iteration,layer,e0,e1\n";
constexpr char kByRank[] = "iteration,layer,rank,e0\n";
constexpr char kHeaderHelp[] =
    " out of place; a trace begins with iteration,layer[,rank],e0,e1,... and "
    "`balancemoectl trace convert` reads other tables";

INSTANTIATE_TEST_SUITE_P(
    Header, BadTraceTest,
    ::testing::Values(
        BadTrace{"Empty", "", "t.csv:1: the file is empty"},
        BadTrace{"Other", "step,layer,e0\n1,0,5\n",
                 absl::StrCat("t.csv:1: the header has 'step'", kHeaderHelp)},
        BadTrace{"ExpertLeftOut", "iteration,layer,e0,e2\n",
                 absl::StrCat("t.csv:1: the header has 'e2'", kHeaderHelp)},
        BadTrace{"RankAtTheEnd", "iteration,layer,e0,rank\n",
                 absl::StrCat("t.csv:1: the header has 'rank'", kHeaderHelp)},
        BadTrace{"NoExperts", "iteration,layer,rank\n",
                 "t.csv:1: the header has no experts; their columns are "
                 "e0,e1,..."},
        BadTrace{
            "Bytes", "\x01\x02\n",
            absl::StrCat("t.csv:1: the header has '\\001\\002'", kHeaderHelp)}),
    [](const auto& test_case) { return test_case.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Rows, BadTraceTest,
    ::testing::Values(
        BadTrace{"None", kSums,
                 "t.csv:1: no rows; a trace has one or more with counts"},
        BadTrace{"Short", absl::StrCat(kSums, "1,0,5,6\n2,0,5\n"),
                 "t.csv:3: 3 columns; the header has 4"},
        BadTrace{"Long", absl::StrCat(kSums, "1,0,5,6,7\n"),
                 "t.csv:2: 5 columns; the header has 4"},
        BadTrace{"BlankBetween", absl::StrCat(kSums, "1,0,5,6\n\n2,0,5,6\n"),
                 "t.csv:3: 1 columns; the header has 4"},
        BadTrace{"Negative", absl::StrCat(kSums, "1,0,5,-6\n"),
                 "t.csv:2: e1 is '-6', which is negative; a whole number from "
                 "0 to 1099511627776 is right"},
        BadTrace{"Huge", absl::StrCat(kSums, "1,0,1099511627777,6\n"),
                 "t.csv:2: e0 is '1099511627777', which is too large; a whole "
                 "number from 0 to 1099511627776 is right"},
        BadTrace{"Astronomic",
                 absl::StrCat(kSums, "1,0,1", std::string(70, '0'), ",6\n"),
                 absl::StrCat("t.csv:2: e0 is '1", std::string(47, '0'), "...",
                              std::string(12, '0'),
                              "', which is too large; a whole number from 0 to "
                              "1099511627776 is right")},
        BadTrace{"Fraction", absl::StrCat(kSums, "1,0,5.5,6\n"),
                 "t.csv:2: e0 is '5.5', which is no whole number; a whole "
                 "number from 0 to 1099511627776 is right"},
        BadTrace{"Blank", absl::StrCat(kSums, "1,0,5,\n"),
                 "t.csv:2: e1 is '', which is nothing; a whole number from 0 "
                 "to 1099511627776 is right"},
        BadTrace{"Layer", absl::StrCat(kSums, "1,x,5,6\n"),
                 "t.csv:2: layer is 'x', which is no whole number; a whole "
                 "number from 0 to 1048576 is right"},
        BadTrace{"Twice", absl::StrCat(kSums, "1,0,5,6\n1,1,5,6\n1,0,5,6\n"),
                 "t.csv:4: iteration 1, layer 0 comes again, after line 2; "
                 "each may come once"}),
    [](const auto& test_case) { return test_case.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Ranks, BadTraceTest,
    ::testing::Values(
        BadTrace{"Negative", absl::StrCat(kByRank, "1,0,-1,5\n"),
                 "t.csv:2: rank is '-1', which is negative; a whole number "
                 "from 0 to 1048576 is right"},
        BadTrace{"OutOfRange",
                 absl::StrCat(kByRank,
                              "1,0,0,5\n1,0,1,5\n2,0,0,5\n2,0,7,5\n"
                              "3,0,0,5\n3,0,1,5\n"),
                 "t.csv:5: rank 7 of iteration 2, layer 0 is out of range; "
                 "this trace has ranks 0 to 1"},
        BadTrace{"Missing",
                 absl::StrCat(kByRank,
                              "1,0,0,5\n1,0,1,5\n2,0,1,5\n"
                              "3,0,0,5\n3,0,1,5\n"),
                 "t.csv:4: iteration 2, layer 0 has no row of rank 0; this "
                 "trace has ranks 0 to 1"},
        BadTrace{"Twice", absl::StrCat(kByRank, "1,0,0,5\n1,0,1,5\n1,0,1,5\n"),
                 "t.csv:4: iteration 1, layer 0, rank 1 comes again, after "
                 "line 3; each may come once"}),
    [](const auto& test_case) { return test_case.param.name; });

// Traces that are too large for this repository.
TEST(SharedTracesTest, LargestIsReadWhole) {
  const char* directory = std::getenv("BALANCEMOE_SHARED_TRACES");
  const char* source = std::getenv("BALANCEMOE_SOURCE_DIR");
  const std::string path = absl::StrCat(
      directory != nullptr
          ? directory
          : absl::StrCat(source == nullptr ? "." : source, "/../shared/traces"),
      "/smartmoe_training_e32_by_rank.csv.gz");
  if (!std::filesystem::exists(path)) {
    GTEST_SKIP() << "no " << path << "; set BALANCEMOE_SHARED_TRACES";
  }

  const auto trace = ReadTrace(path);

  ASSERT_THAT(trace, IsOk());
  EXPECT_EQ(trace->records.size(), 501u * 24);
  EXPECT_EQ(trace->num_experts, 32);
  EXPECT_EQ(trace->num_ranks, 16);
}

}  // namespace
}  // namespace balancemoe
