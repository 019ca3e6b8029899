#include "coordinator/ctl/flag_error.h"

#include <gtest/gtest.h>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe::coordinator {
namespace {

std::string WithFlag(absl::string_view message) {
  return std::string(
      OfFlag("--trace", absl::InvalidArgumentError(message)).message());
}

TEST(FlagErrorTest, FlagComesInFront) {
  EXPECT_EQ(WithFlag("a.csv cannot be read"), "--trace: a.csv cannot be read");
  EXPECT_EQ(WithFlag("at 10:30 o'clock"), "--trace: at 10:30 o'clock");
}

TEST(FlagErrorTest, FileWithLineNeedsNoFlag) {
  EXPECT_EQ(WithFlag("a:b.csv:12: wrong"), "a:b.csv:12: wrong");
}

TEST(FlagErrorTest, AnotherFlagStays) {
  EXPECT_EQ(WithFlag("--workers: wrong"), "--workers: wrong");
}

TEST(FlagErrorTest, NoErrorStaysNone) {
  EXPECT_THAT(OfFlag("--trace", absl::OkStatus()), IsOk());
}

}  // namespace
}  // namespace balancemoe::coordinator
