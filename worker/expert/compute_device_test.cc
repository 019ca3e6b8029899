#include "worker/expert/compute_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe::worker {
namespace {

using ::testing::HasSubstr;

TEST(ComputeDeviceTest, ProcessorsAreAlwaysReady) {
  EXPECT_THAT(OpenComputeDevice(torch::kCPU), IsOk());
  AwaitCompute(torch::kCPU);
}

// With GPUs or without, there are not that many.
TEST(ComputeDeviceTest, AGpuThatIsMissingIsAnErrorInWords) {
  const absl::Status status =
      OpenComputeDevice(torch::Device(torch::kCUDA, 100));

  EXPECT_THAT(status, HasCode(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(status.message(),
              ::testing::AnyOf(HasSubstr("GPU 100: Torch sees "),
                               HasSubstr("CUDA half cannot be loaded")));
}

}  // namespace
}  // namespace balancemoe::worker
