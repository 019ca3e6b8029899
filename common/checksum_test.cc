#include "common/checksum.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <set>
#include <string>
#include <vector>

namespace balancemoe {
namespace {

TEST(ChecksumTest, IsXxh3OnEveryMachine) {
  // Reference values of XXH3_64bits, seed 0: workers of different builds must
  // agree on a plan's digest.
  EXPECT_EQ(Checksum(""), 0x2d06800538d394c2ULL);
  EXPECT_EQ(Checksum("abc"), 0x78af5f94892f3950ULL);
}

TEST(ChecksumTest, TextAndBytesAgree) {
  const std::vector<std::byte> bytes = {std::byte{'a'}, std::byte{'b'},
                                        std::byte{'c'}};

  EXPECT_EQ(Checksum(bytes), Checksum("abc"));
}

TEST(ChecksumTest, EverySingleBitCounts) {
  std::string text(300, 'x');
  std::set<uint64_t> sums = {Checksum(text)};
  for (char& letter : text) {
    for (int bit = 0; bit < 8; ++bit) {
      letter = static_cast<char>(letter ^ (1 << bit));
      sums.insert(Checksum(text));
      letter = static_cast<char>(letter ^ (1 << bit));
    }
  }

  EXPECT_EQ(sums.size(), 1U + 300U * 8U);
}

TEST(ChecksumTest, LengthCounts) {
  EXPECT_NE(Checksum(std::string(4, '\0')), Checksum(std::string(5, '\0')));
}

}  // namespace
}  // namespace balancemoe
