#include "common/wire/grpc_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace balancemoe {
namespace {

TEST(GrpcStatusTest, EveryCodeAndMessageComesBack) {
  for (int code = 0; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "why");

    EXPECT_EQ(FromGrpcStatus(ToGrpcStatus(status)), status);
  }
}

TEST(GrpcStatusTest, LongMessagesAreCutToFitTrailingMetadata) {
  const grpc::Status status =
      ToGrpcStatus(absl::InternalError(std::string(100'000, 'x')));

  EXPECT_EQ(status.error_message(), std::string(2048, 'x'));
}

}  // namespace
}  // namespace balancemoe
