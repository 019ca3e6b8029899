#include "worker/train/job_checkpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "common/status_macros.h"
#include "tests/fixtures/status_matchers.h"
#include "worker/checkpoint/safetensors.h"
#include "worker/train/testing/loopback_job.h"
#include "worker/train/train_inputs.h"
#include "worker/train/train_job.h"
#include "worker/train/worker_device.h"

namespace balancemoe::worker {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::KilledBySignal;

// Trains like RunTrainJob, to --steps or up to `last_step`, and reports the
// losses, digests and homes at the end. Tells `observer` of each point and the
// step that is saved.
class ObservedTraining {
 public:
  using Observer =
      std::function<void(int64_t step, WorkerRank rank, CheckpointPoint)>;

  using OfMoves = std::function<void(int64_t step, WorkerRank rank, MovePoint)>;

  explicit ObservedTraining(int64_t last_step, Observer observer = {},
                            OfMoves of_moves = {})
      : last_step_(last_step),
        observer_(std::move(observer)),
        of_moves_(std::move(of_moves)) {}

  absl::StatusOr<TrainReport> operator()(const TrainOptions& options,
                                         const WorkerPlace& place,
                                         const torch::Device& device,
                                         Agent& agent) const {
    // A thread for each, whatever the machine: sums of the same order.
    ShareCores(1024);
    BMOE_ASSIGN_OR_RETURN(TrainInputs inputs,
                          LoadTrainInputs(options, place.world_size));
    int64_t taking = 0;
    Trainer trainer(
        options, std::move(inputs), agent,
        [&](MovePoint point, absl::Span<std::byte>) {
          if (of_moves_) of_moves_(taking, place.rank, point);
        },
        device);
    BMOE_RETURN_IF_ERROR(GiveCostModel(options, device, agent));
    int64_t saving = 0;
    JobCheckpoints checkpoints(options, agent.transport(),
                               [&](CheckpointPoint point) {
                                 if (observer_)
                                   observer_(saving, place.rank, point);
                               });
    BMOE_ASSIGN_OR_RETURN(const int64_t first, checkpoints.Begin(trainer));
    TrainReport report = {{"first", first}, {"loss", TrainReport::array()}};
    for (int64_t step = first; step < last_step_; ++step) {
      taking = step;
      BMOE_ASSIGN_OR_RETURN(const StepRecord record, trainer.Step(step, step));
      report["loss"].push_back(record.loss);
      saving = step + 1;
      BMOE_RETURN_IF_ERROR(checkpoints.AfterStep(saving, trainer));
    }
    BMOE_ASSIGN_OR_RETURN(const Trainer::Digests digests,
                          trainer.StateDigests());
    report["parameters_sha256"] = ToHex(digests.parameters);
    report["optimizer_sha256"] = ToHex(digests.optimizer);
    return report;
  }

 private:
  const int64_t last_step_;
  const Observer observer_;
  const OfMoves of_moves_;
};

// Of this process and of those in which it dies, which run the test once more.
std::string SharedDirectory() {
  const std::string mine =
      absl::StrCat(::testing::TempDir(), "job_checkpoints_", getpid());
  setenv("JOB_CHECKPOINTS_TEST", mine.c_str(), /*overwrite=*/0);
  return getenv("JOB_CHECKPOINTS_TEST");
}

class JobCheckpointsTest : public ::testing::Test {
 protected:
  JobCheckpointsTest() : directory_(SharedDirectory()) {
    std::filesystem::remove_all(directory_);
  }
  ~JobCheckpointsTest() override { std::filesystem::remove_all(directory_); }

  // Experts move in nearly every step.
  TrainOptions MovingModel() const {
    TrainOptions options = SmallModel();
    options.skew = 1;
    options.policy = "pairwise-moves";
    options.checkpoint_dir = directory_;
    options.checkpoint_every = 2;
    return options;
  }

  static TrainReport Run(const TrainOptions& options, int32_t workers,
                         int64_t last_step) {
    const auto report =
        RunOverLoopback(options, workers, ObservedTraining(last_step));
    EXPECT_THAT(report, IsOk());
    return report.ok() ? *report : TrainReport();
  }

  static TrainReport RunWithoutCheckpoints(TrainOptions options,
                                           int32_t workers, int64_t steps) {
    options.checkpoint_dir.clear();
    return Run(options, workers, steps);
  }

  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(absl::StrCat(directory_, "/", name)) << text;
  }

  const std::string directory_;
};

TEST_F(JobCheckpointsTest, AResumedRunIsTheSameRunToTheBit) {
  TrainOptions options = MovingModel();
  const auto whole = TrainOverLoopback(options, 4);
  ASSERT_THAT(whole, IsOk());
  EXPECT_GE((*whole)["moves"], 4);
  EXPECT_EQ((*whole)["resumed_from_step"], nullptr);
  std::filesystem::remove_all(directory_);

  Run(options, 4, 5);
  options.resume = true;
  const auto resumed = TrainOverLoopback(options, 4);

  ASSERT_THAT(resumed, IsOk());
  EXPECT_EQ((*resumed)["resumed_from_step"], 4);
  EXPECT_EQ((*resumed)["steps"], 4);
  for (size_t step = 4; step < 8; ++step) {
    EXPECT_EQ((*resumed)["loss"][step - 4], (*whole)["loss"][step]) << step;
  }
  EXPECT_EQ((*resumed)["parameters_sha256"], (*whole)["parameters_sha256"]);
  EXPECT_EQ((*resumed)["optimizer_sha256"], (*whole)["optimizer_sha256"]);
}

TEST_F(JobCheckpointsTest, LoadsUnderAnyPlacementAndNumberOfWorkers) {
  TrainOptions options = MovingModel();
  options.batch = 2;
  const TrainReport saved = Run(options, 4, 4);
  const TrainReport next = RunWithoutCheckpoints(options, 4, 5);
  options.resume = true;
  options.policy = "static";
  for (const int32_t workers : {1, 2, 4, 8}) {
    SCOPED_TRACE(workers);
    // As many sequences in all.
    options.batch = 8 / workers;
    // Nothing but loading, then one step more.
    const TrainReport loaded = Run(options, workers, 0);
    EXPECT_EQ(loaded["first"], 4);
    EXPECT_EQ(loaded["parameters_sha256"], saved["parameters_sha256"]);
    EXPECT_EQ(loaded["optimizer_sha256"], saved["optimizer_sha256"]);
    const TrainReport step = Run(options, workers, 5);
    ASSERT_EQ(step["loss"].size(), 1);
    // Workers' shares add up in another order.
    EXPECT_NEAR(step["loss"][0], next["loss"][4], 2e-6);
  }
}

TEST_F(JobCheckpointsTest, SavesWhileReplicasOfPlansAheadTravel) {
  TrainOptions options = MovingModel();
  options.policy = "adaptive";
  options.steps = 6;
  const TrainReport saved = Run(options, 2, 6);
  options.steps = 7;
  options.resume = true;
  EXPECT_EQ(Run(options, 2, 0)["parameters_sha256"],
            saved["parameters_sha256"]);
}

TEST_F(JobCheckpointsTest, WithoutACheckpointAResumedRunBegins) {
  TrainOptions options = MovingModel();
  options.resume = true;
  EXPECT_EQ(Run(options, 2, 1)["first"], 0);
}

TEST_F(JobCheckpointsTest, WrongUseIsSaidToAllWorkers) {
  TrainOptions options = MovingModel();
  Run(options, 2, 4);
  const auto error = [](const TrainOptions& wrong) {
    const auto none = RunOverLoopback(
        wrong, 2,
        [](const TrainOptions& of_run, const WorkerPlace& place,
           const torch::Device& device,
           Agent& agent) -> absl::StatusOr<TrainReport> {
          const absl::Status status =
              ObservedTraining(8)(of_run, place, device, agent).status();
          EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
          return status;
        });
    return std::string(none.status().message());
  };

  EXPECT_THAT(error(options),
              AllOf(HasSubstr("--checkpoint-dir: "), HasSubstr("step 4"),
                    HasSubstr("with --resume, or name another directory")));
  options.resume = true;
  options.steps = 4;
  EXPECT_THAT(error(options), AllOf(HasSubstr("--steps: "),
                                    HasSubstr("has 4 behind it; name more")));
  options.steps = 8;
  options.ffn = 64;
  EXPECT_THAT(error(options), AllOf(HasSubstr("--ffn: 64, and the checkpoint"),
                                    HasSubstr("index.json has 48")));
  options.ffn = 48;
  options.swiglu = true;
  EXPECT_THAT(error(options),
              AllOf(HasSubstr("--swiglu: 1, and the checkpoint"),
                    HasSubstr("index.json has 0")));
}

TEST_F(JobCheckpointsTest, LostAndDoubledExpertsAndDamageAreFound) {
  TrainOptions options = MovingModel();
  Run(options, 2, 4);
  options.resume = true;
  const auto error = [&options] {
    return std::string(
        RunOverLoopback(options, 2, ObservedTraining(8)).status().message());
  };
  const std::string step = absl::StrCat(directory_, "/step-00000004/");
  const std::string file = step + WorkerFileName(1, 2);
  const auto names = SafetensorsFile::Open(file)->Names();

  std::filesystem::copy(file, step + "copy");
  const std::string begin =
      R"({"format":"balancemoe-checkpoint","version":1,"step":4,"model":)"
      R"({"layers":2,"hidden":32,"ffn":48,"heads":4,"experts":8,"seq":24,)"
      R"("swiglu":0},)"
      R"("files":[")";
  Write("step-00000004/index.json",
        absl::StrCat(begin, WorkerFileName(0, 2), "\",\"", WorkerFileName(1, 2),
                     "\",\"copy\"]}"));
  EXPECT_THAT(error(), AllOf(HasSubstr("copy: has tensor "),
                             HasSubstr(absl::StrCat(file, " has too"))));

  Write("step-00000004/index.json",
        absl::StrCat(begin, WorkerFileName(0, 2), "\"]}"));
  EXPECT_THAT(error(), HasSubstr("no file has tensor block"));

  Write("step-00000004/index.json",
        absl::StrCat(begin, WorkerFileName(0, 2), "\",\"copy\"]}"));
  std::fstream copy(step + "copy",
                    std::ios::in | std::ios::out | std::ios::binary);
  copy.seekp(-1, std::ios::end);
  copy.put('\x55');
  copy.close();
  EXPECT_THAT(error(), AllOf(HasSubstr("copy: tensor "),
                             HasSubstr("is damaged: its checksum is")));

  Write("latest", "step-00000002\n");
  EXPECT_EQ(Run(options, 2, 0)["first"], 2);
}

TEST_F(JobCheckpointsTest, WhatOneWorkerCannotWriteFailsForAll) {
  TrainOptions options = MovingModel();
  Run(options, 2, 2);
  options.resume = true;
  const auto block_the_file = [this](int64_t step, WorkerRank rank,
                                     CheckpointPoint point) {
    if (step != 4 || rank != WorkerRank(1) ||
        point != CheckpointPoint::kPrepared) {
      return;
    }
    std::filesystem::create_directories(absl::StrCat(
        directory_, "/step-00000004/", WorkerFileName(1, 2), ".new"));
  };
  const ObservedTraining training(8, block_the_file);
  const auto failed = RunOverLoopback(
      options, 2,
      [&training](const TrainOptions& of_run, const WorkerPlace& place,
                  const torch::Device& device,
                  Agent& agent) -> absl::StatusOr<TrainReport> {
        const absl::Status status =
            training(of_run, place, device, agent).status();
        EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
        EXPECT_THAT(status.message(), HasSubstr("Is a directory"));
        return status;
      });

  EXPECT_THAT(failed.status().message(),
              HasSubstr("worker 1: " + directory_ + "/step-00000004/"));
  EXPECT_EQ(Run(options, 2, 0)["first"], 2);
}

struct CrashCase {
  std::string name;
  CheckpointPoint point;
  int32_t rank;
  // Of the checkpoint that counts afterwards.
  int64_t step;
};

class CheckpointCrashTest : public JobCheckpointsTest,
                            public ::testing::WithParamInterface<CrashCase> {};

TEST_P(CheckpointCrashTest, TheRunGoesOnFromAWholeCheckpoint) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  TrainOptions options = MovingModel();
  const CrashCase& crash = GetParam();
  const auto die = [&crash](int64_t step, WorkerRank rank,
                            CheckpointPoint point) {
    if (step == 4 && rank == WorkerRank(crash.rank) && point == crash.point) {
      raise(SIGKILL);
    }
  };

  EXPECT_EXIT((void)RunOverLoopback(options, 2, ObservedTraining(8, die)),
              KilledBySignal(SIGKILL), "");

  options.resume = true;
  const TrainReport loaded = Run(options, 2, 0);
  EXPECT_EQ(loaded["first"], crash.step);
  const TrainReport then = RunWithoutCheckpoints(options, 2, crash.step);
  EXPECT_EQ(loaded["parameters_sha256"], then["parameters_sha256"]);
  EXPECT_EQ(loaded["optimizer_sha256"], then["optimizer_sha256"]);
  const TrainReport finished = Run(options, 2, 8);
  const TrainReport whole = RunWithoutCheckpoints(options, 2, 8);
  EXPECT_EQ(finished["parameters_sha256"], whole["parameters_sha256"]);
  EXPECT_EQ(finished["optimizer_sha256"], whole["optimizer_sha256"]);
}

INSTANTIATE_TEST_SUITE_P(
    All, CheckpointCrashTest,
    ::testing::Values(
        CrashCase{"Prepared", CheckpointPoint::kPrepared, 0, 2},
        CrashCase{"FileOfTheFirstWritten", CheckpointPoint::kFileWritten, 0, 2},
        CrashCase{"FileOfTheSecondWritten", CheckpointPoint::kFileWritten, 1,
                  2},
        CrashCase{"IndexWritten", CheckpointPoint::kIndexWritten, 0, 2},
        CrashCase{"Committed", CheckpointPoint::kCommitted, 0, 4},
        CrashCase{"Done", CheckpointPoint::kDone, 0, 4}),
    [](const auto& test_case) { return test_case.param.name; });

struct MoveCrashCase {
  std::string name;
  MovePoint point;
};

class MoveCrashTest : public JobCheckpointsTest,
                      public ::testing::WithParamInterface<MoveCrashCase> {};

TEST_P(MoveCrashTest, TheRunGoesOnFromItsCheckpointWithEveryExpertOnce) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  TrainOptions options = MovingModel();
  options.steps = 12;
  const MovePoint fatal = GetParam().point;
  const auto die = [fatal](int64_t step, WorkerRank, MovePoint point) {
    if (step >= 4 && point == fatal) raise(SIGKILL);
  };

  EXPECT_EXIT((void)RunOverLoopback(options, 2, ObservedTraining(12, {}, die)),
              KilledBySignal(SIGKILL), "");

  options.resume = true;
  const TrainReport finished = Run(options, 2, 12);
  EXPECT_GE(finished["first"], 4);
  EXPECT_LT(finished["first"], 12);
  const TrainReport whole = RunWithoutCheckpoints(options, 2, 12);
  EXPECT_EQ(finished["parameters_sha256"], whole["parameters_sha256"]);
  EXPECT_EQ(finished["optimizer_sha256"], whole["optimizer_sha256"]);
}

INSTANTIATE_TEST_SUITE_P(
    All, MoveCrashTest,
    ::testing::Values(MoveCrashCase{"BeforeSend", MovePoint::kBeforeSend},
                      MoveCrashCase{"MidTransfer", MovePoint::kMidTransfer},
                      MoveCrashCase{"Arrived", MovePoint::kArrived},
                      MoveCrashCase{"BeforeCommit", MovePoint::kBeforeCommit},
                      MoveCrashCase{"AfterCommit", MovePoint::kAfterCommit}),
    [](const auto& test_case) { return test_case.param.name; });

}  // namespace
}  // namespace balancemoe::worker
