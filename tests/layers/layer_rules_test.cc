#include "tests/layers/layer_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <utility>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr absl::string_view kTable = R"(# comment
common           -                             absl
common/wire      common balancemoe             absl grpcpp
worker           -                             torch
worker/agent     common common/wire            -
worker/train     worker/...                    -
tests            any                           any
)";

LayerRules Rules() { return *LayerRules::Parse(kTable, "layers.txt"); }

struct IncludeCase {
  const char* path;
  const char* line;
};

TEST(LayerRulesTest, AllowedIncludesPass) {
  const LayerRules rules = Rules();
  for (const auto& [path, line] : {
           IncludeCase{"common/a.cc", "#include \"common/b.h\""},
           IncludeCase{"common/a.cc", "#include \"common/deeper/b.h\""},
           IncludeCase{"common/deeper/a.cc", "#include \"common/b.h\""},
           IncludeCase{"common/a.cc", "#include <vector>"},
           IncludeCase{"common/a.cc", "#include <sys/wait.h>"},
           IncludeCase{"common/a.cc", "#include <unistd.h>"},
           IncludeCase{"common/a.cc", "#include \"absl/time/time.h\""},
           IncludeCase{"common/wire/a.cc", "#include \"common/b.h\""},
           IncludeCase{"common/wire/a.cc", "#include <grpcpp/grpcpp.h>"},
           IncludeCase{"common/wire/a.cc",
                       "#include \"balancemoe/v1/plan.pb.h\""},
           IncludeCase{"worker/train/a.cc", "#include \"worker/agent/b.h\""},
           IncludeCase{"tests/x/a.cc", "#include \"worker/agent/b.h\""},
           IncludeCase{"tests/x/a.cc", "#include <anything/at/all.h>"},
           IncludeCase{"common/a_test.cc", "#include <gtest/gtest.h>"},
           IncludeCase{"common/a_test.cc", "#include \"tests/fixtures/b.h\""},
           IncludeCase{"common/testing/a.h", "#include <gmock/gmock.h>"},
           IncludeCase{"worker/agent/a_test.cc",
                       "#include \"worker/train/b.h\""},
           IncludeCase{"common/a.cc", "// #include \"worker/agent/b.h\""},
           IncludeCase{"common/a.cc", "int include = 0;"},
       }) {
    EXPECT_EQ(rules.Check(path, line), "") << path << ": " << line;
  }
}

TEST(LayerRulesTest, ForbiddenIncludesSayWhatIsAllowed) {
  const LayerRules rules = Rules();

  EXPECT_EQ(rules.Check("worker/agent/a.cc", "#include \"worker/b.h\""),
            "worker/agent must not include \"worker/b.h\"; of ours it may "
            "include worker/agent, common, common/wire (docs/layers.txt)");
  EXPECT_EQ(rules.Check("common/a.cc", " #  include <torch/torch.h>  // why"),
            "common must not include <torch/torch.h>; of others it may include "
            "absl (docs/layers.txt)");
}

TEST(LayerRulesTest, EveryWayRoundTheRulesIsSeen) {
  const LayerRules rules = Rules();
  for (const auto& [path, line] : {
           // "common" does not cover a directory with a line of its own.
           IncludeCase{"common/a.cc", "#include \"common/wire/b.h\""},
           IncludeCase{"common/a.cc", "#include <common/wire/b.h>"},
           IncludeCase{"common/a.cc", "#include \"balancemoe/v1/plan.pb.h\""},
           IncludeCase{"worker/agent/a.cc", "#include \"absl/time/time.h\""},
           IncludeCase{"common/a.cc", "#include <gtest/gtest.h>"},
           IncludeCase{"common/a_test.cc", "#include \"worker/agent/b.h\""},
           IncludeCase{"common/a.cc", "#include <zlib.h>"},
           IncludeCase{"common/a.cc", "#include \"b.h\""},
           IncludeCase{"common/a.cc", "#include \"../worker/agent/b.h\""},
           IncludeCase{"common/a.cc", "#include MACRO"},
           IncludeCase{"common/a.cc", "#include <vector"},
       }) {
    EXPECT_NE(rules.Check(path, line), "") << path << ": " << line;
  }
}

TEST(LayerRulesTest, NearestListedDirectoryCounts) {
  EXPECT_EQ(Rules().LineFor("common/wire/deep/er"), "common/wire");
  EXPECT_EQ(Rules().LineFor("common/wired"), "common");
  EXPECT_EQ(Rules().LineFor("coordinator/cluster"), "");
}

TEST(LayerRulesTest, LineWithoutThreeColumnsIsRefused) {
  EXPECT_THAT(LayerRules::Parse("\ncommon  absl\n", "layers.txt"),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "layers.txt:2: 2 columns; a line has a directory, our "
                       "directories and third-party headers, two spaces "
                       "apart"));
}

TEST(LayerRulesTest, DirectoryWithTwoLinesIsRefused) {
  EXPECT_THAT(LayerRules::Parse("common  -  -\ncommon  -  absl", "layers.txt"),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "layers.txt:2: common has a line already"));
}

// A repository in a temporary directory that has every listed directory.
class TreeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = fs::temp_directory_path() / "layersXXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
    for (const std::string& directory : Rules().Directories()) {
      fs::create_directories(root_ / directory);
    }
    Write("CMakeLists.txt", "");
  }
  void TearDown() override { fs::remove_all(root_); }

  void Write(const std::string& path, absl::string_view text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }

  fs::path root_;
};

TEST_F(TreeTest, ViolationIsReportedWithFileAndLine) {
  Write("common/good.h", "#include <vector>\n");
  Write("common/bad.cc", "\n#include \"worker/agent/agent.h\"\n");

  EXPECT_THAT(CheckLayers(root_, Rules()),
              ElementsAre("common/bad.cc:2: common must not include "
                          "\"worker/agent/agent.h\"; of ours it may include "
                          "common (docs/layers.txt)"));
}

TEST_F(TreeTest, DirectoryWithoutALineIsReportedOnce) {
  Write("coordinator/cluster/a.cc", "");
  Write("coordinator/cluster/b.cc", "");

  EXPECT_THAT(CheckLayers(root_, Rules()),
              ElementsAre("coordinator/cluster/a.cc: docs/layers.txt has no "
                          "line for coordinator/cluster"));
}

TEST_F(TreeTest, LineWithoutADirectoryIsReported) {
  fs::remove(root_ / "common/wire");

  EXPECT_THAT(CheckLayers(root_, Rules()),
              ElementsAre("docs/layers.txt: there is no directory "
                          "common/wire"));
}

TEST_F(TreeTest, OtherFilesAreNotRead) {
  Write("common/notes.md", "#include <torch/torch.h>\n");

  EXPECT_THAT(CheckLayers(root_, Rules()), IsEmpty());
}

std::string Lines(size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += "\n";
  return text;
}

TEST_F(TreeTest, FilesAtTheirBudgetPass) {
  Write("common/a.cc", Lines(400));
  Write("common/CMakeLists.txt", Lines(80));
  Write("CMakeLists.txt", Lines(80));
  Write("common/table.csv", Lines(1000));

  EXPECT_THAT(CheckFileLengths(root_), IsEmpty());
}

TEST_F(TreeTest, FilesOverTheirBudgetAreReported) {
  Write("worker/agent/a.h", Lines(401));
  Write("common/CMakeLists.txt", Lines(81));
  Write("CMakeLists.txt", Lines(90));

  EXPECT_THAT(
      CheckFileLengths(root_),
      ElementsAre("common/CMakeLists.txt: 81 lines; at most 80, so split it",
                  "worker/agent/a.h: 401 lines; at most 400, so split it",
                  "CMakeLists.txt: 90 lines; at most 80, so split it"));
}

}  // namespace
}  // namespace balancemoe
