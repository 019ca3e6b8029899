#include "common/io/trace_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "common/io/trace_reader.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

constexpr char kSums[] =
    "iteration,layer,e0,e1\n"
    "1,0,5,6\n"
    "1,2,7,0\n";
constexpr char kByRank[] =
    "iteration,layer,rank,e0,e1\n"
    "1,0,0,5,6\n"
    "1,0,1,7,8\n";

TEST(TraceWriterTest, WritesWhatTheReaderRead) {
  for (const absl::string_view text : {kSums, kByRank}) {
    const auto trace = ParseTrace(text, "t.csv");
    ASSERT_THAT(trace, IsOk());

    EXPECT_EQ(FormatTrace(*trace), text);
  }
}

TEST(TraceWriterTest, FilesOfEveryCompressionReadTheSame) {
  auto trace = ParseTrace(kByRank, "");
  ASSERT_THAT(trace, IsOk());
  for (const absl::string_view end : {"csv", "csv.gz", "csv.zst"}) {
    const std::string path =
        absl::StrCat(::testing::TempDir(), "trace_writer_test.", end);
    ASSERT_THAT(WriteTrace(*trace, path), IsOk());

    const auto back = ReadTrace(path);

    ASSERT_THAT(back, IsOk());
    trace->name = path;
    EXPECT_EQ(*back, *trace);
  }
}

}  // namespace
}  // namespace balancemoe
