// Experts move between real processes, of which one is killed at each point.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "worker/expert/move_executor.h"

namespace balancemoe::worker {
namespace {

using ::testing::ElementsAre;

constexpr int32_t kWorkers = 3;
constexpr int32_t kVictim = 1;
constexpr int32_t kNobody = -1;

// What a worker said at its end; empty of one that was killed.
struct Said {
  std::string status;
  std::string outcome;
  // Checksum by expert.
  std::map<int32_t, std::string> holds;
};

Said Parse(absl::string_view line) {
  const std::vector<std::string> words =
      absl::StrSplit(absl::StripSuffix(line, "\n"), ' ', absl::SkipEmpty());
  Said said;
  if (words.size() < 2) return said;
  said.status = words[0];
  said.outcome = words[1];
  for (size_t i = 2; i < words.size(); ++i) {
    const std::vector<std::string> parts = absl::StrSplit(words[i], ':');
    int32_t expert = -1;
    EXPECT_TRUE(absl::SimpleAtoi(parts[0], &expert));
    said.holds[expert] = parts[1];
  }
  return said;
}

// Runs all workers; the victim dies at `point`.
std::vector<Said> RunWorkers(int32_t point) {
  static int runs = 0;
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) /
      absl::StrCat("moves-", getpid(), "-", ++runs);
  std::filesystem::create_directories(folder);
  std::vector<FILE*> outputs;
  for (int32_t rank = 0; rank < kWorkers; ++rank) {
    outputs.push_back(
        popen(absl::StrCat("exec ", BMOE_MOVE_TEST_WORKER, " ", folder.string(),
                           " ", rank, " ", kWorkers, " ",
                           rank == kVictim ? point : kNobody)
                  .c_str(),
              "r"));
  }
  std::vector<Said> said;
  for (FILE* output : outputs) {
    char line[1000] = "";
    if (fgets(line, sizeof(line), output) == nullptr) line[0] = '\0';
    pclose(output);
    said.push_back(Parse(line));
  }
  std::filesystem::remove_all(folder);
  return said;
}

std::vector<int32_t> Experts(const Said& said) {
  std::vector<int32_t> experts;
  for (const auto& [expert, checksum] : said.holds) experts.push_back(expert);
  return experts;
}

// What every expert is, by a run in which nobody dies.
std::map<int32_t, std::string> Whole() {
  std::map<int32_t, std::string> all;
  for (const Said& said : RunWorkers(kNobody)) {
    EXPECT_EQ(said.status, "OK");
    EXPECT_EQ(said.outcome, "committed");
    for (const auto& [expert, checksum] : said.holds) {
      EXPECT_TRUE(all.emplace(expert, checksum).second)
          << "expert " << expert << " has two homes";
    }
  }
  EXPECT_EQ(all.size(), 6u);
  return all;
}

void ExpectWhole(const Said& said, const std::map<int32_t, std::string>& all) {
  for (const auto& [expert, checksum] : said.holds) {
    EXPECT_EQ(checksum, all.at(expert)) << "expert " << expert;
  }
}

class MoveProcessTest : public ::testing::TestWithParam<MovePoint> {};

TEST_P(MoveProcessTest, KilledBeforeTheVoteLeavesEveryExpertAtItsOldHome) {
  const auto all = Whole();
  const std::vector<Said> said = RunWorkers(static_cast<int32_t>(GetParam()));

  EXPECT_EQ(said[kVictim].status, "");
  for (const int32_t survivor : {0, 2}) {
    const Said& of = said[static_cast<size_t>(survivor)];
    EXPECT_EQ(of.status, "UNAVAILABLE");
    EXPECT_EQ(of.outcome, "stayed");
    EXPECT_THAT(Experts(of), ElementsAre(2 * survivor, 2 * survivor + 1));
    ExpectWhole(of, all);
  }
}

std::string NameOf(const ::testing::TestParamInfo<MovePoint>& test_case) {
  constexpr const char* kNames[] = {"BeforeSend", "MidTransfer", "Arrived",
                                    "BeforeCommit"};
  return kNames[static_cast<int>(test_case.param)];
}

INSTANTIATE_TEST_SUITE_P(AtEveryPoint, MoveProcessTest,
                         ::testing::Values(MovePoint::kBeforeSend,
                                           MovePoint::kMidTransfer,
                                           MovePoint::kArrived,
                                           MovePoint::kBeforeCommit),
                         NameOf);

TEST(MoveProcessesTest, KilledAfterTheCommitLeavesEveryExpertAtItsNewHome) {
  const auto all = Whole();
  const std::vector<Said> said =
      RunWorkers(static_cast<int32_t>(MovePoint::kAfterCommit));

  EXPECT_EQ(said[kVictim].status, "");
  EXPECT_THAT(Experts(said[0]), ElementsAre(1, 4));
  EXPECT_THAT(Experts(said[2]), ElementsAre(2, 5));
  for (const int32_t survivor : {0, 2}) {
    const Said& of = said[static_cast<size_t>(survivor)];
    EXPECT_EQ(of.status, "UNAVAILABLE");
    EXPECT_EQ(of.outcome, "committed");
    ExpectWhole(of, all);
  }
}

}  // namespace
}  // namespace balancemoe::worker
