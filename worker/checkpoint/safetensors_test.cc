#include "worker/checkpoint/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;

class SafetensorsTest : public ::testing::Test {
 protected:
  ~SafetensorsTest() override { std::filesystem::remove(path_); }

  static absl::Span<const std::byte> Bytes(const std::vector<float>& values) {
    return {reinterpret_cast<const std::byte*>(values.data()),
            values.size() * sizeof(float)};
  }

  void WriteTwo() {
    ASSERT_THAT(
        WriteSafetensors(
            path_, {{"b", {2, 3}, Bytes(matrix_)}, {"a", {}, Bytes(scalar_)}},
            {{"step", "40"}}),
        IsOk());
  }

  std::string Text() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file),
            std::istreambuf_iterator<char>()};
  }

  void WriteText(const std::string& text) const {
    std::ofstream(path_, std::ios::binary) << text;
  }

  // A file with this header and that many bytes of data.
  void WriteHeader(const std::string& header, size_t data) const {
    std::string size(8, '\0');
    const uint64_t length = header.size();
    std::memcpy(size.data(), &length, sizeof(length));
    WriteText(absl::StrCat(size, header, std::string(data, '\0')));
  }

  absl::Status ReadInto(const std::string& name,
                        const std::vector<int64_t>& shape,
                        std::vector<float>& values) const {
    const auto file = SafetensorsFile::Open(path_);
    if (!file.ok()) return file.status();
    return file->Read(name, shape,
                      {reinterpret_cast<std::byte*>(values.data()),
                       values.size() * sizeof(float)});
  }

  const std::string path_ =
      absl::StrCat(::testing::TempDir(), "safetensors_test_", getpid());
  const std::vector<float> matrix_ = {1, 2, 3, 4, 5, 6.5};
  const std::vector<float> scalar_ = {-7};
};

TEST_F(SafetensorsTest, GivesBackWhatWasSaved) {
  WriteTwo();

  std::vector<float> matrix(6);
  std::vector<float> scalar(1);
  EXPECT_THAT(ReadInto("b", {2, 3}, matrix), IsOk());
  EXPECT_THAT(ReadInto("a", {}, scalar), IsOk());
  EXPECT_EQ(matrix, matrix_);
  EXPECT_EQ(scalar, scalar_);
  EXPECT_THAT(SafetensorsFile::Open(path_)->Names(), ElementsAre("a", "b"));
}

TEST_F(SafetensorsTest, IsTheFormatThatOthersRead) {
  ASSERT_THAT(WriteSafetensors(path_, {{"a", {1}, Bytes({1})}}, {}), IsOk());

  const std::string text = Text();
  const std::string begin =
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"__metadata__":)";
  EXPECT_EQ(text.substr(8, begin.size()), begin);
  uint64_t size = 0;
  std::memcpy(&size, text.data(), sizeof(size));
  EXPECT_EQ(size % 8, 0);
  EXPECT_EQ(text.size(), 8 + size + 4);
  EXPECT_THAT(text, EndsWith(std::string("\x00\x00\x80\x3f", 4)));
}

TEST_F(SafetensorsTest, ReadsFilesOfOthersWithoutChecksums) {
  WriteHeader(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})", 12);
  std::vector<float> values = {1, 1};
  EXPECT_THAT(ReadInto("x", {2}, values), IsOk());
  EXPECT_THAT(values, ElementsAre(0, 0));
}

TEST_F(SafetensorsTest, OtherShapesAndNamesAreErrors) {
  WriteTwo();
  std::vector<float> values(6);
  EXPECT_EQ(ReadInto("b", {3, 2}, values).message(),
            absl::StrCat(path_, ": tensor b has shape [2, 3], not [3, 2]"));
  EXPECT_EQ(ReadInto("c", {6}, values).message(),
            absl::StrCat(path_, ": has no tensor c"));
}

TEST_F(SafetensorsTest, EveryFlippedBitOfTheDataIsFound) {
  WriteTwo();
  const std::string whole = Text();
  const size_t first = whole.size() - 28;
  for (size_t bit = 0; bit < size_t{24} * 8; ++bit) {
    std::string text = whole;
    text[first + bit / 8] = static_cast<char>(
        static_cast<unsigned char>(text[first + bit / 8]) ^ (1U << (bit % 8)));
    WriteText(text);
    std::vector<float> values(6);
    EXPECT_THAT(ReadInto("b", {2, 3}, values).message(),
                ::testing::HasSubstr("tensor b is damaged"));
  }
}

TEST_F(SafetensorsTest, NoFlippedBitOfTheHeaderGivesOtherValues) {
  WriteTwo();
  const std::string whole = Text();
  for (size_t bit = 0; bit < (whole.size() - 28) * 8; ++bit) {
    std::string text = whole;
    text[bit / 8] = static_cast<char>(
        static_cast<unsigned char>(text[bit / 8]) ^ (1U << (bit % 8)));
    WriteText(text);
    std::vector<float> values(6);
    const absl::Status status = ReadInto("b", {2, 3}, values);
    if (status.ok()) {
      EXPECT_EQ(values, matrix_) << bit;
    } else {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bit;
    }
  }
}

TEST_F(SafetensorsTest, NoShorterFileIsTaken) {
  WriteTwo();
  const std::string whole = Text();
  for (size_t size = 0; size < whole.size(); ++size) {
    WriteText(whole.substr(0, size));
    EXPECT_EQ(SafetensorsFile::Open(path_).status().code(),
              absl::StatusCode::kInvalidArgument)
        << size;
  }
}

TEST_F(SafetensorsTest, NonsenseIsAnError) {
  for (const char* header :
       {"", "nonsense", "[]", R"({"a": 1})",
        R"({"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":"x","data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":[1]}})",
        R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})",
        R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
        R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],)"
        R"("data_offsets":[0,0]}})"}) {
    WriteHeader(header, 8);
    EXPECT_EQ(SafetensorsFile::Open(path_).status().code(),
              absl::StatusCode::kInvalidArgument)
        << header;
  }
}

TEST_F(SafetensorsTest, AFileThatIsNotThereIsNamed) {
  EXPECT_EQ(SafetensorsFile::Open(path_).status(),
            absl::NotFoundError(absl::StrCat(path_, ": cannot be read")));
}

}  // namespace
}  // namespace balancemoe::worker
