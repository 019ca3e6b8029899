#include "common/io/text_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "common/io/text_file_writer.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

using ::testing::StartsWith;

std::string InTempDir(absl::string_view name) {
  return absl::StrCat(::testing::TempDir(), "text_file_test_", name);
}

TEST(TextFileTest, NameDecidesTheWritingAndBytesTheReading) {
  const std::string path = InTempDir("a.csv.gz");
  ASSERT_THAT(WriteTextFile(path, "some text\n"), IsOk());
  const std::string renamed = InTempDir("a.csv");
  ASSERT_EQ(rename(path.c_str(), renamed.c_str()), 0);

  const auto text = ReadTextFile(renamed);

  ASSERT_THAT(text, IsOk());
  EXPECT_EQ(*text, "some text\n");
}

TEST(TextFileTest, UnreadableFileIsNamedWithTheReason) {
  EXPECT_THAT(ReadTextFile("/nowhere/a.csv"),
              IsStatus(absl::StatusCode::kNotFound,
                       "/nowhere/a.csv cannot be read: No such file or "
                       "directory; name a file that can"));
  EXPECT_THAT(ReadTextFile("/"),
              IsStatus(absl::StatusCode::kNotFound,
                       StartsWith("/ cannot be read: Is a directory")));
}

TEST(TextFileTest, UnwritableFileIsNamedWithTheReason) {
  EXPECT_THAT(WriteTextFile("/nowhere/a.csv", "text"),
              IsStatus(absl::StatusCode::kPermissionDenied,
                       "/nowhere/a.csv cannot be written: No such file or "
                       "directory; name a file that can"));
}

TEST(TextFileTest, EmptyFileIsAnErrorCompressedOrNot) {
  for (const absl::string_view name : {"empty.csv", "empty.csv.gz"}) {
    const std::string path = InTempDir(name);
    ASSERT_THAT(WriteTextFile(path, ""), IsOk());

    EXPECT_THAT(ReadTextFile(path),
                IsStatus(absl::StatusCode::kInvalidArgument,
                         absl::StrCat(path, ":1: the file is empty")));
  }
}

TEST(TextFileTest, LongTextsMayComeInPieces) {
  const std::string path = InTempDir("long.csv.gz");
  auto writer = TextFileWriter::Open(path);
  ASSERT_THAT(writer, IsOk());
  std::string expected;
  for (int i = 0; i < 10; ++i) {
    const std::string part(1'000'000, static_cast<char>('a' + i));
    ASSERT_THAT(writer->Append(part), IsOk());
    expected += part;
  }
  ASSERT_THAT(writer->Close(), IsOk());

  const auto text = ReadTextFile(path);

  ASSERT_THAT(text, IsOk());
  EXPECT_TRUE(*text == expected);
}

TEST(TextFileTest, LargerFilesThanAllowedAreRefused) {
  const std::string path = InTempDir("large.csv");
  ASSERT_THAT(WriteTextFile(path, std::string(2000, 'x')), IsOk());

  EXPECT_THAT(ReadTextFile(path, 1999),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       absl::StrCat(path,
                                    ":1: the file has more than 1999 "
                                    "bytes; split it")));
  EXPECT_THAT(ReadTextFile(path, 2000), IsOk());
}

}  // namespace
}  // namespace balancemoe
