// Training on a device whose memory the host cannot touch, over the transport
// that GPUs have, as far as both can be had without one.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/planning/cost_model.h"
#include "common/status_macros.h"
#include "tests/fixtures/status_matchers.h"
#include "worker/expert/testing/simulated_device.h"
#include "worker/train/testing/loopback_job.h"
#include "worker/train/train_job.h"
#include "worker/transport/streamed/streamed_transport.h"
#include "worker/transport/streamed/testing/fake_stream_device.h"

namespace balancemoe::worker {
namespace {

// Torch counts devices when it first differentiates.
class DevicesAreKnown : public ::testing::Environment {
 public:
  void SetUp() override { SimulatedDevice(0); }
};
const auto* const kDevicesAreKnown =
    ::testing::AddGlobalTestEnvironment(new DevicesAreKnown);

// In each of `workers` threads, on a device of its own.
absl::StatusOr<TrainReport> RunOnDevices(const TrainOptions& options,
                                         int32_t workers,
                                         const ThreadWorker& worker) {
  FakeFabric fabric;
  const FakeBus bus = {.on_device = &OnSimulatedDevice, .copy = &CopySimulated};
  const JobMachine devices = {
      .transport = StreamedFactory(
          {.name = "streamed",
           .open_device = [&] { return OpenFakeStreamDevice(fabric, bus); }}),
      .device = [](WorkerRank rank) {
        return SimulatedDevice(static_cast<int>(rank.value()));
      }};
  return RunInThreads(options, workers, devices, worker);
}

TrainReport Checked(const absl::StatusOr<TrainReport>& report) {
  EXPECT_THAT(report, IsOk());
  return report.ok() ? *report : TrainReport();
}

TrainReport OnDevices(const TrainOptions& options, int32_t workers = 2) {
  return Checked(RunOnDevices(options, workers, RunTrainJobQuietly));
}

TrainReport OnProcessors(const TrainOptions& options, int32_t workers = 2) {
  return Checked(TrainOverLoopback(options, workers));
}

void ExpectSameBits(const TrainReport& one, const TrainReport& other) {
  ASSERT_TRUE(one.is_object() && other.is_object());
  EXPECT_EQ(one["loss"], other["loss"]);
  EXPECT_EQ(one["parameters_sha256"], other["parameters_sha256"]);
  EXPECT_EQ(one["optimizer_sha256"], other["optimizer_sha256"]);
}

void ExpectCloseLosses(const TrainReport& one, const TrainReport& other,
                       double relative) {
  ASSERT_TRUE(one.is_object() && other.is_object());
  ASSERT_EQ(one["loss"].size(), other["loss"].size());
  for (size_t step = 0; step < one["loss"].size(); ++step) {
    const double expected = one["loss"][step];
    EXPECT_NEAR(other["loss"][step], expected, relative * expected) << step;
  }
}

TrainOptions Imbalanced(const std::string& policy) {
  TrainOptions options = SmallModel();
  // Moves come by and by.
  if (policy.find("move") == std::string::npos && policy != "smartmoe") {
    options.imbalance = 1.6;
  } else {
    options.steps = 20;
    options.skew = 1;
  }
  options.policy = policy;
  return options;
}

// As Imbalanced, with the kernels that GPUs get.
TrainOptions Grouped(const std::string& policy) {
  TrainOptions options = Imbalanced(policy);
  options.device = "cuda";
  return options;
}

// Kernels read other strides there, so it is not to the bit.
TEST(DeviceTrainingTest, LearnsWhatProcessorsLearn) {
  const TrainReport processors = OnProcessors(Imbalanced("static"));

  ExpectCloseLosses(processors, OnDevices(Imbalanced("static")), 1e-6);
  ExpectCloseLosses(processors, OnDevices(Grouped("static")), 1e-6);
}

struct PolicyCase {
  std::string policy;
  int32_t workers;
  // Splits experts, and adds their gradients up in another order.
  bool splits = false;
};

class PoliciesOnDevicesTest : public ::testing::TestWithParam<PolicyCase> {};

TEST_P(PoliciesOnDevicesTest, LearnTheSame) {
  const auto& [policy, workers, splits] = GetParam();
  for (const auto options : {&Imbalanced, &Grouped}) {
    TrainOptions of_run = options(policy);
    const TrainReport balanced = OnDevices(of_run, workers);
    of_run.policy = "static";
    const TrainReport still = OnDevices(of_run, workers);

    EXPECT_GT(balanced.value("lends", 0) + balanced.value("moves", 0), 0);
    if (splits) {
      ExpectCloseLosses(still, balanced, 1e-5);
    } else {
      ExpectSameBits(still, balanced);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, PoliciesOnDevicesTest,
    ::testing::Values(PolicyCase{"pairwise", 2}, PolicyCase{"pairwise", 4},
                      PolicyCase{"smartmoe", 2}, PolicyCase{"smartmoe", 4},
                      PolicyCase{"pairwise-moves", 2},
                      PolicyCase{"fastermoe", 4, true},
                      PolicyCase{"ultraep", 4, true},
                      PolicyCase{"adaptive", 2, true},
                      PolicyCase{"adaptive", 4, true}),
    [](const auto& test_case) {
      return absl::StrCat(
          absl::StrReplaceAll(test_case.param.policy, {{"-", "_"}}), "On",
          test_case.param.workers);
    });

TEST(DeviceTrainingTest, Bf16LearnsNearlyTheSame) {
  TrainOptions options = Grouped("pairwise");
  options.dtype = "bf16";
  const TrainReport bf16 = OnDevices(options);
  const TrainReport fp32 = OnDevices(Grouped("static"));

  ExpectCloseLosses(fp32, bf16, 0.02);
  EXPECT_NE(fp32["loss_sha256"], bf16["loss_sha256"]);
}

TEST(DeviceTrainingTest, AllThatTheModelHasWorksThere) {
  TrainOptions options = Grouped("adaptive");
  options.swiglu = true;
  options.capacity_factor = 1.2;
  options.aux_loss = 0.01;
  options.z_loss = 0.001;
  TrainOptions still = options;
  still.policy = "static";

  ExpectCloseLosses(OnProcessors(still), OnDevices(options), 1e-5);
}

TEST(DeviceTrainingTest, ACheckpointGoesFromDevicesToProcessorsAndBack) {
  const std::string directory =
      absl::StrCat(::testing::TempDir(), "device_training_", getpid());
  TrainOptions options = Imbalanced("pairwise");
  const TrainReport whole = OnProcessors(options);
  options.checkpoint_dir = directory;
  options.checkpoint_every = 2;
  options.resume = true;
  options.steps = 4;
  OnDevices(options);
  options.steps = 6;
  const TrainReport processors = OnProcessors(options);
  options.steps = 8;
  const TrainReport devices = OnDevices(options, 4);
  std::filesystem::remove_all(directory);

  ASSERT_EQ(processors["loss"].size(), 2u);
  EXPECT_NEAR(processors["loss"][0], whole["loss"][4], 1e-5);
  EXPECT_NEAR(processors["loss"][1], whole["loss"][5], 1e-5);
  ASSERT_EQ(devices["loss"].size(), 2u);
}

TEST(DeviceTrainingTest, IsCalibrated) {
  for (const char* dtype : {"fp32", "bf16"}) {
    SCOPED_TRACE(dtype);
    TrainOptions options = Grouped("static");
    options.hidden = 8;
    options.ffn = 16;
    options.dtype = dtype;
    const auto calibrated = RunOnDevices(
        options, 2,
        [](const TrainOptions& of_run, const WorkerPlace&,
           const torch::Device& device,
           Agent& agent) -> absl::StatusOr<TrainReport> {
          BMOE_ASSIGN_OR_RETURN(const CostModel model,
                                CalibrateFor(of_run, device, agent));
          EXPECT_THAT(ValidateCostModel(model), IsOk());
          EXPECT_GT(model.us_per_token, 0);
          EXPECT_GT(model.intra_node.latency_us, 0);
          return TrainReport();
        });
    EXPECT_THAT(calibrated, IsOk());
  }
}

}  // namespace
}  // namespace balancemoe::worker
