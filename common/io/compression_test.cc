#include "common/io/compression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int64_t kMany = 1 << 24;

// Lines enough for several of the decoder's chunks.
std::string SeveralChunks() {
  std::string text;
  for (int line = 0; line < 100'000; ++line) {
    absl::StrAppend(&text, line * 7919 % 100'003, "\n");
  }
  return text;
}

class CompressionTest : public ::testing::TestWithParam<Compression> {};

TEST_P(CompressionTest, TextComesBackByteByByte) {
  for (const std::string& text : {std::string("x"), SeveralChunks()}) {
    const auto back =
        Decompress(Compress(text, GetParam()), "trace.csv", kMany);

    ASSERT_THAT(back, IsOk());
    EXPECT_EQ(*back, text);
  }
}

TEST_P(CompressionTest, FirstBytesSayWhatItIs) {
  EXPECT_EQ(CompressionOfBytes(Compress("text", GetParam())), GetParam());
}

INSTANTIATE_TEST_SUITE_P(All, CompressionTest,
                         ::testing::Values(Compression::kNone,
                                           Compression::kGzip,
                                           Compression::kZstd));

class BrokenDataTest : public ::testing::TestWithParam<Compression> {
 protected:
  const std::string bytes_ = Compress(SeveralChunks(), GetParam());
};

TEST_P(BrokenDataTest, PartsInARowAreOneText) {
  const auto text =
      Decompress(absl::StrCat(bytes_, Compress("end", GetParam())), "f", kMany);

  ASSERT_THAT(text, IsOk());
  EXPECT_EQ(*text, absl::StrCat(SeveralChunks(), "end"));
}

TEST_P(BrokenDataTest, EndingEarlyAnywhereIsAnErrorWithTheLine) {
  for (const size_t size : {size_t{5}, bytes_.size() / 2, bytes_.size() - 1}) {
    const auto text = Decompress(bytes_.substr(0, size), "t.csv.gz", kMany);

    EXPECT_THAT(text, IsStatus(absl::StatusCode::kInvalidArgument,
                               ::testing::ContainsRegex(
                                   "^t.csv.gz:[0-9]+: the (gzip|zstd) data end "
                                   "early, after [0-9]+ bytes of text; copy or "
                                   "make the file again$")))
        << size;
  }
}

TEST_P(BrokenDataTest, WhatFollowsTheEndMustBeMoreOfTheSame) {
  EXPECT_THAT(Decompress(absl::StrCat(bytes_, "garbage"), "f", kMany),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       StartsWith("f:100001: corrupt ")));
}

TEST_P(BrokenDataTest, MoreTextThanAllowedIsRefused) {
  EXPECT_THAT(Decompress(bytes_, "f", 1000),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       HasSubstr("more than 1000 bytes of text; split")));
}

INSTANTIATE_TEST_SUITE_P(All, BrokenDataTest,
                         ::testing::Values(Compression::kGzip,
                                           Compression::kZstd));

TEST(GzipTest, DamagedByteIsAnError) {
  std::string bytes =
      Compress("iteration,layer,e0\n1,0,5\n", Compression::kGzip);
  // In the checksum at the end.
  bytes[bytes.size() - 6] = static_cast<char>(bytes[bytes.size() - 6] ^ 1);

  EXPECT_THAT(Decompress(bytes, "f", kMany),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "f:1: corrupt gzip data (incorrect data check); copy or "
                       "make the file again"));
}

TEST(CompressionOfNameTest, GoesByTheEnd) {
  EXPECT_EQ(CompressionOfName("a.csv"), Compression::kNone);
  EXPECT_EQ(CompressionOfName("a.csv.gz"), Compression::kGzip);
  EXPECT_EQ(CompressionOfName("a.gz.csv"), Compression::kNone);
  EXPECT_EQ(CompressionOfName("a.csv.zst"), Compression::kZstd);
}

}  // namespace
}  // namespace balancemoe
