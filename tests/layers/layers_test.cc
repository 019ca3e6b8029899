#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_join.h"
#include "tests/fixtures/status_matchers.h"
#include "tests/layers/layer_rules.h"

namespace balancemoe {
namespace {

using ::testing::IsEmpty;

std::filesystem::path Root() {
  const char* root = std::getenv("BALANCEMOE_SOURCE_DIR");
  return root == nullptr ? "." : root;
}

TEST(LayersTest, EveryIncludeKeepsToDocsLayersTxt) {
  std::ifstream file(Root() / "docs/layers.txt");
  ASSERT_TRUE(file.is_open()) << "no docs/layers.txt under " << Root();
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const absl::StatusOr<LayerRules> rules =
      LayerRules::Parse(text, "docs/layers.txt");
  ASSERT_THAT(rules, IsOk());

  const std::vector<std::string> wrong = CheckLayers(Root(), *rules);

  EXPECT_THAT(wrong, IsEmpty()) << absl::StrJoin(wrong, "\n");
}

TEST(LayersTest, EveryFileKeepsToItsBudgetOfLines) {
  const std::vector<std::string> wrong = CheckFileLengths(Root());

  EXPECT_THAT(wrong, IsEmpty()) << absl::StrJoin(wrong, "\n");
}

}  // namespace
}  // namespace balancemoe
