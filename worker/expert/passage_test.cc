#include "worker/expert/passage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

namespace balancemoe::worker {
namespace {

TEST(PassageTest, PartsCoverAllBytesInOrderInWholeLines) {
  for (const size_t size : {0u, 1u, 63u, 64u, 65u, 1000u, 4096u, 100'004u}) {
    std::vector<std::byte> bytes(size);
    for (const size_t parts : {1u, 2u, 3u, 7u, 32u}) {
      size_t covered = 0;
      for (size_t part = 0; part < parts; ++part) {
        const auto span = PartOf(absl::MakeSpan(bytes), parts, part);
        EXPECT_EQ(span.data(), bytes.data() + covered);
        covered += span.size();
        EXPECT_TRUE(covered == size || covered % 64 == 0);
        EXPECT_LE(span.size(), size / parts + 128);
      }
      EXPECT_EQ(covered, size);
    }
  }
}

}  // namespace
}  // namespace balancemoe::worker
