#include "coordinator/cluster/job_epoch_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe::coordinator {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class JobEpochStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "epochs-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string File() const { return directory_ + "/epochs"; }
  std::string ReadFile() const {
    std::ifstream file(File());
    return {std::istreambuf_iterator<char>(file),
            std::istreambuf_iterator<char>()};
  }
  void WriteFile(const std::string& text) const {
    std::ofstream(File()) << text;
  }
  // Keeps one epoch of one job, and closes the store.
  void Fill() const {
    auto store = JobEpochStore::Open(directory_);
    ASSERT_THAT(store, IsOk());
    ASSERT_THAT((*store)->Next("job"), IsOk());
  }

  std::string directory_;
};

TEST_F(JobEpochStoreTest, EpochsRiseOverRestartsForEachJobAlone) {
  {
    auto store = JobEpochStore::Open(directory_);
    ASSERT_THAT(store, IsOk());
    EXPECT_EQ(*(*store)->Next("a"), JobEpoch(1));
    EXPECT_EQ(*(*store)->Next("a"), JobEpoch(2));
    EXPECT_EQ(*(*store)->Next("b"), JobEpoch(1));
  }
  auto store = JobEpochStore::Open(directory_);
  ASSERT_THAT(store, IsOk());
  EXPECT_EQ(*(*store)->Next("a"), JobEpoch(3));
  EXPECT_EQ(*(*store)->Next("b"), JobEpoch(2));
}

TEST_F(JobEpochStoreTest, SecondStoreOnTheSameDirectoryIsRefused) {
  auto first = JobEpochStore::Open(directory_);
  ASSERT_THAT(first, IsOk());

  EXPECT_THAT(
      JobEpochStore::Open(directory_),
      IsStatus(absl::StatusCode::kFailedPrecondition,
               AllOf(HasSubstr(directory_), HasSubstr("another coordinator"))));
}

TEST_F(JobEpochStoreTest, CutFileIsRefusedAtEveryLength) {
  Fill();
  const std::string whole = ReadFile();
  for (size_t length = 0; length < whole.size(); ++length) {
    WriteFile(whole.substr(0, length));
    EXPECT_THAT(JobEpochStore::Open(directory_),
                HasCode(absl::StatusCode::kDataLoss))
        << "cut to " << length;
  }
}

TEST_F(JobEpochStoreTest, ChangedFileIsRefused) {
  Fill();
  std::string text = ReadFile();
  text.replace(text.find("epoch 1"), 7, "epoch 0");
  WriteFile(text);

  EXPECT_THAT(JobEpochStore::Open(directory_),
              IsStatus(absl::StatusCode::kDataLoss, HasSubstr(File() + ":")));
}

TEST_F(JobEpochStoreTest, FileOfALaterVersionIsRefusedNamingBoth) {
  WriteFile("balancemoe-epochs 2\nwho knows\n");

  EXPECT_THAT(JobEpochStore::Open(directory_),
              IsStatus(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("version 2"), HasSubstr("version 1"))));
}

TEST_F(JobEpochStoreTest, UnusableDirectoryIsNamedWithTheReason) {
  const std::string file = directory_ + "/file";
  std::ofstream(file) << "no directory";

  EXPECT_THAT(JobEpochStore::Open(file + "/below"),
              IsStatus(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr(file), HasSubstr("Not a directory"))));
}

TEST_F(JobEpochStoreTest, HalfWrittenNewFileIsNotLookedAt) {
  Fill();
  std::ofstream(File() + ".new") << "balancemoe-epo";

  auto store = JobEpochStore::Open(directory_);
  ASSERT_THAT(store, IsOk());
  EXPECT_EQ(*(*store)->Next("job"), JobEpoch(2));
}

TEST_F(JobEpochStoreTest, ForgottenJobStartsAboveEveryEpochThatWas) {
  auto store = JobEpochStore::Open(directory_, /*max_jobs=*/2);
  ASSERT_THAT(store, IsOk());
  for (const char* job : {"a", "b", "b", "c", "c", "c"}) {
    ASSERT_THAT((*store)->Next(job), IsOk());
  }

  // "a" was forgotten at epoch 1 and comes back.
  EXPECT_EQ(*(*store)->Next("a"), JobEpoch(2));
}

TEST(JobEpochStoreInMemoryTest, EpochsStartAboveTheFloor) {
  auto store = JobEpochStore::InMemory(JobEpoch(1000));

  EXPECT_EQ(*store->Next("job"), JobEpoch(1001));
  EXPECT_EQ(*store->Next("job"), JobEpoch(1002));
}

}  // namespace
}  // namespace balancemoe::coordinator
