#include "common/io/trace_conversion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/io/trace_writer.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

constexpr TableFormat kCsv = TableFormat::kCsv;
constexpr TableFormat kJsonLines = TableFormat::kJsonLines;

struct GoodTable {
  std::string name;
  std::string text;
  TableFormat format;
  TraceColumns columns;
  // The canonical trace that it becomes.
  std::string trace;
};

class GoodTableTest : public ::testing::TestWithParam<GoodTable> {};

TEST_P(GoodTableTest, BecomesTheTrace) {
  const auto trace = ConvertTrace(
      GetParam().text, {.table = {.name = "t", .format = GetParam().format},
                        .columns = GetParam().columns});

  ASSERT_THAT(trace, IsOk());
  EXPECT_EQ(FormatTrace(*trace), GetParam().trace);
}

constexpr char kSums[] = "iteration,layer,e0,e1\n1,0,5,6\n2,0,7,8\n";
constexpr char kByRank[] = "iteration,layer,rank,e0,e1\n1,0,0,5,6\n1,0,1,7,8\n";

INSTANTIATE_TEST_SUITE_P(
    Csv, GoodTableTest,
    ::testing::Values(GoodTable{"ColumnPerExpert",
                                "layer_id,expert_0,loss,expert_1,step\n"
                                "0,5,0.1,6,1\n"
                                "0,7,0.2,8,2\n",
                                kCsv,
                                {.iteration = "step",
                                 .layer = "layer_id",
                                 .expert_prefix = "expert_"},
                                kSums},
                      GoodTable{"NumbersFromOneInAnyOrder",
                                "iteration,layer,rank,x2,x1\n"
                                "1,0,1,8,7\n"
                                "1,0,0,6,5\n",
                                kCsv,
                                {.rank = "rank", .expert_prefix = "x"},
                                kByRank},
                      GoodTable{"QuotedArray",
                                "\"iteration\",\"layer\",\"note\",\"counts\"\n"
                                "1,0,\"a \"\"b\"\", c\",\"[5, 6]\"\n"
                                "2,0,\"\",\"[7.0, 8.0]\"\n",
                                kCsv,
                                {.counts_array = "counts"},
                                kSums},
                      GoodTable{"RowPerExpertWithGaps",
                                "iteration,layer,expert,tokens\n"
                                "1,0,1,6\n"
                                "2,0,0,7.0\n",
                                kCsv,
                                {.expert = "expert", .count = "tokens"},
                                "iteration,layer,e0,e1\n1,0,0,6\n2,0,7,0\n"}),
    [](const auto& test_case) { return test_case.param.name; });

INSTANTIATE_TEST_SUITE_P(
    JsonLines, GoodTableTest,
    ::testing::Values(
        GoodTable{"ArrayOfCounts",
                  "{\"step\": 1, \"layer\": 0, \"load\": [5, 6]}\n"
                  "{\"layer\": 0, \"step\": 2, \"load\": [7, 8], \"x\": {}}\n",
                  kJsonLines,
                  {.iteration = "step", .counts_array = "load"},
                  kSums},
        GoodTable{"FieldPerExpert",
                  "{\"iteration\": 1, \"layer\": 0, \"r\": 0, \"e0\": 5, "
                  "\"e1\": 6}\n"
                  "{\"iteration\": 1, \"layer\": 0, \"r\": 1, \"e0\": 7, "
                  "\"e1\": \"8\"}\n",
                  kJsonLines,
                  {.rank = "r", .expert_prefix = "e"},
                  kByRank},
        GoodTable{"RowPerExpert",
                  "{\"iteration\": 1, \"layer\": 0, \"e\": 0, \"n\": 5}\n"
                  "{\"iteration\": 1, \"layer\": 0, \"e\": 1, \"n\": 6}\n"
                  "{\"iteration\": 2, \"layer\": 0, \"e\": 0, \"n\": 7}\n"
                  "{\"iteration\": 2, \"layer\": 0, \"e\": 1, \"n\": 8}\n",
                  kJsonLines,
                  {.expert = "e", .count = "n"},
                  kSums}),
    [](const auto& test_case) { return test_case.param.name; });

TEST(TraceConversionTest, OtherSeparatorsSplitTheCells) {
  const auto trace =
      ConvertTrace("iteration\tlayer\te0\te1\n1\t0\t5\t6\n2\t0\t7\t8\n",
                   {.table = {.name = "t.tsv", .separator = '\t'},
                    .columns = {.expert_prefix = "e"}});

  ASSERT_THAT(trace, IsOk());
  EXPECT_EQ(FormatTrace(*trace), kSums);
}

struct BadTable {
  std::string name;
  std::string text;
  TableFormat format;
  TraceColumns columns;
  std::string message;
};

class BadTableTest : public ::testing::TestWithParam<BadTable> {};

TEST_P(BadTableTest, IsRefusedWithLineAndReason) {
  EXPECT_THAT(ConvertTrace(GetParam().text,
                           {.table = {.name = "t", .format = GetParam().format},
                            .columns = GetParam().columns}),
              IsStatus(absl::StatusCode::kInvalidArgument, GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Csv, BadTableTest,
    ::testing::Values(
        BadTable{"NoColumn",
                 "step,layer,e0\n1,0,5\n",
                 kCsv,
                 {.expert_prefix = "e"},
                 "t:1: there is no column 'iteration'; there are 'step', "
                 "'layer', 'e0'"},
        BadTable{"NoExperts",
                 "iteration,layer,e0\n1,0,5\n",
                 kCsv,
                 {.expert_prefix = "expert"},
                 "t:1: no column is named 'expert' and a number"},
        BadTable{"ExpertLeftOut",
                 "iteration,layer,e0,e2\n1,0,5,6\n",
                 kCsv,
                 {.expert_prefix = "e"},
                 "t:1: there is no column 'e1'; the numbers of experts follow "
                 "each other"},
        BadTable{"Ragged",
                 "iteration,layer,e0\n1,0,5\n2,0\n",
                 kCsv,
                 {.expert_prefix = "e"},
                 "t:3: 2 columns; the header has 3"},
        BadTable{"FractionOfAToken",
                 "iteration,layer,e0\n1,0,5.5\n",
                 kCsv,
                 {.expert_prefix = "e"},
                 "t:2: e0 is '5.5', which is no whole number; a whole number "
                 "from 0 to 1099511627776 is right"},
        BadTable{"OpenQuote",
                 "iteration,layer,e0\n1,0,\"5\n",
                 kCsv,
                 {.expert_prefix = "e"},
                 "t:2: a quote is never closed"},
        BadTable{"NoArray",
                 "iteration,layer,counts\n1,0,5\n",
                 kCsv,
                 {.counts_array = "counts"},
                 "t:2: counts is '5'; an array of counts is right: [5, 0, 7]"},
        BadTable{"ExpertTwice",
                 "iteration,layer,expert,tokens\n1,0,3,5\n1,0,3,6\n",
                 kCsv,
                 {.expert = "expert", .count = "tokens"},
                 "t:3: iteration 1, layer 0, expert 3 comes again; each may "
                 "come once"},
        BadTable{"NoRows",
                 "iteration,layer,counts\n",
                 kCsv,
                 {.counts_array = "counts"},
                 "t:1: no rows; a trace has one or more with counts"}),
    [](const auto& test_case) { return test_case.param.name; });

INSTANTIATE_TEST_SUITE_P(
    JsonLines, BadTableTest,
    ::testing::Values(
        BadTable{"NoJson",
                 "{\"iteration\": 1,\n",
                 kJsonLines,
                 {.counts_array = "n"},
                 "t:1: '{\\\"iteration\\\": 1,' is no JSON object; each line "
                 "is one"},
        BadTable{"FieldMissingLater",
                 "{\"iteration\": 1, \"layer\": 0, \"n\": [1]}\n"
                 "{\"iteration\": 2, \"n\": [1]}\n",
                 kJsonLines,
                 {.counts_array = "n"},
                 "t:2: the object has no 'layer', which the first one has"},
        BadTable{"OtherLength",
                 "{\"iteration\": 1, \"layer\": 0, \"n\": [1]}\n"
                 "{\"iteration\": 2, \"layer\": 0, \"n\": [1, 2]}\n",
                 kJsonLines,
                 {.counts_array = "n"},
                 "t:2: 2 counts; the first row has 1"},
        BadTable{"Nested",
                 "{\"iteration\": 1, \"layer\": 0, \"n\": [[1]]}\n",
                 kJsonLines,
                 {.counts_array = "n"},
                 "t:1: 'n' is neither a plain value nor an array of them"},
        BadTable{"NegativeCount",
                 "{\"iteration\": 1, \"layer\": 0, \"n\": [1, -2]}\n",
                 kJsonLines,
                 {.counts_array = "n"},
                 "t:1: n[1] is '-2', which is negative; a whole number from 0 "
                 "to 1099511627776 is right"},
        BadTable{"NoExperts",
                 "{\"iteration\": 1, \"layer\": 0, \"n\": []}\n",
                 kJsonLines,
                 {.counts_array = "n"},
                 "t:1: 0 experts; 1 to 16384 are right"}),
    [](const auto& test_case) { return test_case.param.name; });

}  // namespace
}  // namespace balancemoe
