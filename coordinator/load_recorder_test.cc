#include "coordinator/load_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/io/trace_reader.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

CompleteGather Gather(int64_t iteration, int32_t layer,
                      const std::vector<std::vector<int64_t>>& tokens) {
  CompleteGather gather;
  gather.iteration = Iteration(iteration);
  gather.layer = LayerId(layer);
  gather.tokens = LoadMatrix(static_cast<int32_t>(tokens.size()),
                             static_cast<int32_t>(tokens[0].size()));
  for (size_t rank = 0; rank < tokens.size(); ++rank) {
    std::copy(tokens[rank].begin(), tokens[rank].end(),
              gather.tokens.MutableRow(WorkerRank(static_cast<int32_t>(rank)))
                  .begin());
  }
  return gather;
}

class LoadRecorderTest : public ::testing::Test {
 protected:
  LoadRecorderTest() { std::filesystem::remove_all(directory_); }
  ~LoadRecorderTest() override {
    recorder_.reset();
    std::filesystem::remove_all(directory_);
  }

  void Open(size_t most_waiting_bytes = 1 << 20) {
    ASSERT_THAT(LoadRecorder::MakeDirectory(directory_), IsOk());
    recorder_ = std::make_unique<LoadRecorder>(
        LoadRecorder::Options{directory_, most_waiting_bytes}, metrics_);
  }

  std::string Text(const std::string& file) {
    recorder_->Flush();
    std::ifstream stream(absl::StrCat(directory_, "/", file));
    return {std::istreambuf_iterator<char>(stream),
            std::istreambuf_iterator<char>()};
  }

  const std::string directory_ =
      absl::StrCat(::testing::TempDir(), "load_recorder_test_", getpid());
  prometheus::Registry registry_;
  CoordinatorMetrics metrics_{registry_};
  std::unique_ptr<LoadRecorder> recorder_;
};

TEST_F(LoadRecorderTest, WritesWhatReplayReads) {
  Open();
  JobLoadRecord record(recorder_.get(), "job", JobEpoch(7), 2);
  record.Add(Gather(3, 1, {{5, 6}, {7, 8}}));
  record.Add(Gather(3, 0, {{1, 2}, {3, 4}}));
  record.Add(Gather(4, 0, {{9, 0}, {0, 9}}));
  record.Add(Gather(4, 1, {{1, 1}, {1, 1}}));

  EXPECT_EQ(Text("job-7.csv"),
            "iteration,layer,rank,e0,e1\n"
            "3,0,0,1,2\n3,0,1,3,4\n3,1,0,5,6\n3,1,1,7,8\n"
            "4,0,0,9,0\n4,0,1,0,9\n4,1,0,1,1\n4,1,1,1,1\n");
  EXPECT_THAT(ReadTrace(directory_ + "/job-7.csv"), IsOk());
}

TEST_F(LoadRecorderTest, IterationsWithoutAllLayersAndRepeatedOnesAreLeftOut) {
  Open();
  JobLoadRecord record(recorder_.get(), "job", JobEpoch(1), 2);
  record.Add(Gather(0, 0, {{1}}));
  record.Add(Gather(1, 0, {{2}}));
  record.Add(Gather(1, 1, {{3}}));
  // The group starts over.
  record.Add(Gather(0, 0, {{4}}));
  record.Add(Gather(0, 1, {{4}}));
  record.Add(Gather(1, 1, {{4}}));
  record.Add(Gather(2, 1, {{5}}));
  record.Add(Gather(3, 0, {{6}}));
  record.Add(Gather(3, 1, {{7}}));

  EXPECT_EQ(Text("job-1.csv"),
            "iteration,layer,rank,e0\n1,0,0,2\n1,1,0,3\n3,0,0,6\n3,1,0,7\n");
}

TEST_F(LoadRecorderTest, NamesOfJobsCannotLeaveTheDirectory) {
  EXPECT_EQ(RecordFileName("train-1_a.b", JobEpoch(2)), "train-1_a.b-2.csv");
  EXPECT_EQ(RecordFileName("../../etc/passwd", JobEpoch(1)),
            "%2E.%2F..%2Fetc%2Fpasswd-1.csv");
  EXPECT_NE(RecordFileName("a/b", JobEpoch(1)),
            RecordFileName("a%2Fb", JobEpoch(1)));
}

TEST_F(LoadRecorderTest, ADiskThatIsTooSlowEndsTheRecordingWithoutGaps) {
  Open(/*most_waiting_bytes=*/50);
  JobLoadRecord record(recorder_.get(), "job", JobEpoch(1), 1);
  record.Add(Gather(0, 0, {{1}}));
  recorder_->Flush();
  record.Add(Gather(1, 0, {std::vector<int64_t>(100)}));
  record.Add(Gather(2, 0, {{3}}));

  EXPECT_EQ(Text("job-1.csv"), "iteration,layer,rank,e0\n0,0,0,1\n");
  EXPECT_EQ(metrics_.recordings_cut.Value(), 1);
  // Others go on.
  EXPECT_TRUE(recorder_->Append("other.csv", "a"));
}

TEST_F(LoadRecorderTest, AFileThatCannotBeWrittenEndsItsRecordingOnly) {
  Open();
  std::filesystem::create_directories(directory_ + "/job-1.csv");
  EXPECT_TRUE(recorder_->Append("job-1.csv", "a"));
  recorder_->Flush();
  EXPECT_FALSE(recorder_->Append("job-1.csv", "b"));
  EXPECT_TRUE(recorder_->Append("other.csv", "c"));
  EXPECT_EQ(Text("other.csv"), "c");
  EXPECT_EQ(metrics_.recordings_cut.Value(), 1);
}

TEST_F(LoadRecorderTest, WhatWaitsIsWrittenAtTheEnd) {
  Open();
  for (int i = 0; i < 100; ++i) recorder_->Append("a", "x");
  recorder_.reset();
  EXPECT_EQ(std::filesystem::file_size(directory_ + "/a"), 100);
}

TEST_F(LoadRecorderTest, ADirectoryThatCannotBeIsNamed) {
  std::ofstream(directory_) << "a file";
  EXPECT_THAT(LoadRecorder::MakeDirectory(directory_).message(),
              HasSubstr("--record-loads: " + directory_));
}

TEST(JobLoadRecordTest, WithoutARecorderNothingHappens) {
  JobLoadRecord record(nullptr, "job", JobEpoch(1), 1);
  record.Add(Gather(0, 0, {{1}}));
}

}  // namespace
}  // namespace balancemoe::coordinator
