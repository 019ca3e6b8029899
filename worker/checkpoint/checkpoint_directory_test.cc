#include "worker/checkpoint/checkpoint_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class CheckpointDirectoryTest : public ::testing::Test {
 protected:
  CheckpointDirectoryTest() { std::filesystem::remove_all(directory_.path()); }
  ~CheckpointDirectoryTest() override {
    std::filesystem::remove_all(directory_.path());
  }

  void Save(int64_t step, const CheckpointObserver& observer = {}) {
    ASSERT_THAT(directory_.Prepare(step), IsOk());
    Write(directory_.FilePath(step, "a"), "what was learned");
    ASSERT_THAT(directory_.Commit({step, {{"experts", 8}}, {"a"}}, observer),
                IsOk());
  }

  static void Write(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
  }

  std::vector<std::string> Entries() const {
    std::vector<std::string> names;
    for (const auto& entry :
         std::filesystem::directory_iterator(directory_.path())) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  const CheckpointDirectory directory_{absl::StrCat(
      ::testing::TempDir(), "checkpoint_directory_test_", getpid())};
};

TEST_F(CheckpointDirectoryTest, NothingCountsBeforeTheFirstCommit) {
  EXPECT_EQ(*directory_.Latest(), std::nullopt);
  ASSERT_THAT(directory_.Prepare(5), IsOk());
  EXPECT_EQ(*directory_.Latest(), std::nullopt);
}

TEST_F(CheckpointDirectoryTest, TheNewestCountsAndTheOneBeforeIsKept) {
  for (const int64_t step : {20, 40, 60}) Save(step);

  const auto latest = directory_.Latest();
  ASSERT_THAT(latest, IsOk());
  ASSERT_TRUE(latest->has_value());
  EXPECT_EQ((*latest)->step, 60);
  EXPECT_THAT((*latest)->model, ElementsAre(Pair("experts", 8)));
  EXPECT_THAT((*latest)->files, ElementsAre("a"));
  EXPECT_THAT(Entries(),
              UnorderedElementsAre("latest", "step-00000040", "step-00000060"));
}

TEST_F(CheckpointDirectoryTest, LeftoversOfAttemptsGoButNothingElse) {
  Save(20);
  ASSERT_THAT(directory_.Prepare(30), IsOk());
  ASSERT_THAT(directory_.Prepare(99999999), IsOk());
  Write(absl::StrCat(directory_.path(), "/step-notes.txt"), "mine");
  Write(directory_.FilePath(30, "worker-00002-of-00004"), "half a file");

  Save(30);
  Save(100000000);

  EXPECT_THAT(Entries(),
              UnorderedElementsAre("latest", "step-notes.txt", "step-00000030",
                                   "step-100000000"));
  EXPECT_FALSE(std::filesystem::exists(
      directory_.FilePath(30, "worker-00002-of-00004")));
}

TEST_F(CheckpointDirectoryTest, TheOneBeforeCountsUntilLatestSaysOtherwise) {
  Save(20);
  std::vector<int64_t> counted;
  Save(40, [&](CheckpointPoint) {
    counted.push_back((*directory_.Latest())->step);
    EXPECT_TRUE(std::filesystem::exists(directory_.FilePath(20, "a")));
  });
  EXPECT_THAT(counted, ElementsAre(20, 40, 40));
}

TEST_F(CheckpointDirectoryTest, DamageIsNamedWithAWayOut) {
  Save(20);
  Save(40);
  const std::string index = directory_.FilePath(40, "index.json");
  for (const char* text :
       {"", "{", "[]", R"({"format": "other"})",
        R"({"format":"balancemoe-checkpoint","version":1,"step":40})",
        R"({"format":"balancemoe-checkpoint","version":1,"step":20,)"
        R"("model":{},"files":[]})",
        R"({"format":"balancemoe-checkpoint","version":1,"step":40,)"
        R"("model":{"experts":"8"},"files":[]})",
        R"({"format":"balancemoe-checkpoint","version":1,"step":40,)"
        R"("model":{},"files":["../../etc/passwd"]})"}) {
    Write(index, text);
    const absl::Status status = directory_.Latest().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(status.message(), HasSubstr(index));
    EXPECT_THAT(status.message(), HasSubstr("write its name into `latest`"));
  }
  Write(absl::StrCat(directory_.path(), "/latest"), "step-00000020\n");
  EXPECT_EQ((*directory_.Latest())->step, 20);
  Write(absl::StrCat(directory_.path(), "/latest"), "../step-00000020");
  EXPECT_THAT(directory_.Latest().status().message(),
              HasSubstr("names no checkpoint"));
}

TEST_F(CheckpointDirectoryTest, LaterVersionsAreToldApart) {
  Save(40);
  Write(directory_.FilePath(40, "index.json"),
        R"({"format":"balancemoe-checkpoint","version":2})");
  EXPECT_THAT(directory_.Latest().status().message(),
              HasSubstr("has version 2, and this program reads version 1"));
}

TEST_F(CheckpointDirectoryTest, SaysWhereItCannotLook) {
  const std::string path(5000, 'x');
  const absl::Status status = CheckpointDirectory(path).Latest().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("/latest: File name too long"));
}

TEST_F(CheckpointDirectoryTest, SaysWhatCannotBeMade) {
  Write(directory_.path(), "a file");
  const absl::Status status = directory_.Prepare(1);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr(directory_.path()));
}

TEST(WorkerFileNameTest, SaysWhoseItIs) {
  EXPECT_EQ(WorkerFileName(3, 16), "worker-00003-of-00016.safetensors");
}

}  // namespace
}  // namespace balancemoe::worker
