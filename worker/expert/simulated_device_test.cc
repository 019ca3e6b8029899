// The device that stands in for GPUs in tests is as strict as it claims.
#include "worker/expert/testing/simulated_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <csignal>
#include <string>
#include <vector>

#include "worker/expert/compute_device.h"

namespace balancemoe::worker {
namespace {

using ::testing::HasSubstr;
using ::testing::KilledBySignal;

torch::Tensor OnDevice(int index, std::vector<float> values) {
  return torch::tensor(values).to(SimulatedDevice(index));
}

TEST(SimulatedDeviceTest, ComputesWhatCpusCompute) {
  const torch::Tensor a = torch::arange(12, torch::kFloat).view({3, 4});
  const torch::Tensor b = a.to(SimulatedDevice(1));

  EXPECT_EQ(b.device(), SimulatedDevice(1));
  EXPECT_TRUE(torch::equal(torch::mm(a, a.t()), torch::mm(b, b.t()).cpu()));
  torch::Tensor row = b[1];
  row.add_(100);
  EXPECT_EQ(b.select(0, 1).sum().item<float>(), 422);
  EXPECT_EQ(b.sum().item<float>(), 466);
}

TEST(SimulatedDeviceTest, DifferentiatesOnItsOwnThread) {
  torch::Tensor x = OnDevice(2, {1, 2, 3}).requires_grad_();

  (x * x).sum().backward();

  EXPECT_EQ(x.grad().device(), SimulatedDevice(2));
  EXPECT_TRUE(torch::equal(x.grad().cpu(), torch::tensor({2.0F, 4.0F, 6.0F})));
}

TEST(SimulatedDeviceTest, NewMemoryIsNotZero) {
  { const torch::Tensor gone = OnDevice(0, {0, 0, 0}); }
  const torch::Tensor fresh =
      torch::empty({3}, torch::TensorOptions().device(SimulatedDevice(0)));

  EXPECT_TRUE(fresh.isnan().all().item<bool>());
}

TEST(SimulatedDeviceTest, TheHostCannotTouchItsMemory) {
  const torch::Tensor x = OnDevice(0, {1, 2, 3});
  const volatile float* const values = x.const_data_ptr<float>();

  EXPECT_TRUE(OnSimulatedDevice(x.const_data_ptr()));
  EXPECT_EXIT((void)values[0], KilledBySignal(SIGSEGV), "");
}

TEST(SimulatedDeviceTest, KernelsTakeTensorsOfOneDevice) {
  const torch::Tensor x = OnDevice(0, {1, 2, 3});
  const auto error = [&x](const torch::Tensor& other) -> std::string {
    try {
      torch::add(x, other);
    } catch (const c10::Error& failed) {
      return failed.what_without_backtrace();
    }
    return "";
  };

  EXPECT_THAT(error(torch::ones({3})), HasSubstr("simulated:0"));
  EXPECT_THAT(error(OnDevice(1, {1, 2, 3})), HasSubstr("simulated:0"));
  EXPECT_EQ(error(torch::tensor(1.0F)), "");
}

TEST(SimulatedDeviceTest, OthersSeeWhatHasBeenWaitedFor) {
  torch::Tensor x = OnDevice(0, {1, 2, 3});
  AwaitCompute(x.device());
  x.add_(10);
  const auto seen = [&x] {
    std::vector<float> values(3);
    CopySimulated(values.data(), x.const_data_ptr(), 3 * sizeof(float));
    return values;
  };

  EXPECT_EQ(seen(), (std::vector<float>{1, 2, 3}));
  AwaitCompute(x.device());
  EXPECT_EQ(seen(), (std::vector<float>{11, 12, 13}));
}

TEST(SimulatedDeviceTest, KernelsSeeWhatOthersWrite) {
  const torch::Tensor x = OnDevice(0, {1, 2, 3});
  const std::vector<float> values = {7, 8, 9};
  CopySimulated(x.mutable_data_ptr(), values.data(), 3 * sizeof(float));

  EXPECT_EQ(x.sum().item<float>(), 24);
}

}  // namespace
}  // namespace balancemoe::worker
