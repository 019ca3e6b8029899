#include "common/durable_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

std::string TextOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file),
          std::istreambuf_iterator<char>()};
}

TEST(DurableFileTest, HoldsThePartsInOrderAndLeavesNothingElse) {
  const std::string directory = ::testing::TempDir() + "durable_file_test";
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  const std::string path = directory + "/file";

  ASSERT_THAT(ReplaceFile(path, {"long first text", ", more"}), IsOk());
  EXPECT_EQ(TextOf(path), "long first text, more");
  ASSERT_THAT(ReplaceFile(path, {"b", "", "a"}), IsOk());
  EXPECT_EQ(TextOf(path), "ba");
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
  std::filesystem::remove_all(directory);
}

TEST(DurableFileTest, SaysWhatCannotBeWritten) {
  EXPECT_THAT(ReplaceFile("/no/such/directory/file", {"a"}).message(),
              "/no/such/directory/file.new: No such file or directory");
}

}  // namespace
}  // namespace balancemoe
