#include "common/status_macros.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

absl::Status Passes(absl::Status status, bool& reached) {
  BMOE_RETURN_IF_ERROR(std::move(status));
  reached = true;
  return absl::OkStatus();
}

absl::StatusOr<int> Unpack(absl::StatusOr<std::unique_ptr<int>> value) {
  BMOE_ASSIGN_OR_RETURN(const std::unique_ptr<int> number, std::move(value));
  return *number;
}

TEST(StatusMacrosTest, OkGoesOn) {
  bool reached = false;

  EXPECT_THAT(Passes(absl::OkStatus(), reached), IsOk());
  EXPECT_TRUE(reached);
}

TEST(StatusMacrosTest, ErrorReturnsAtOnceUnchanged) {
  bool reached = false;

  EXPECT_EQ(Passes(absl::AbortedError("stale"), reached),
            absl::AbortedError("stale"));
  EXPECT_FALSE(reached);
}

TEST(StatusMacrosTest, ValueThatOnlyMovesIsUnpacked) {
  EXPECT_EQ(Unpack(std::make_unique<int>(3)).value(), 3);
  EXPECT_EQ(Unpack(absl::NotFoundError("none")).status(),
            absl::NotFoundError("none"));
}

}  // namespace
}  // namespace balancemoe
