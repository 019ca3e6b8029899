#include "coordinator/coordinator_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe::coordinator {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class CoordinatorFlagsTest : public ::testing::Test {
 protected:
  void TearDown() override {
    unsetenv("BALANCEMOE_MAX_JOBS");
    unsetenv("BALANCEMOE_MAX_LAYERS");
    std::remove(file_.c_str());
  }
  std::string WriteFile(const std::string& text) {
    std::ofstream(file_) << text;
    return file_;
  }

  const std::string file_ = ::testing::TempDir() + "coordinator_flags.yaml";
};

TEST_F(CoordinatorFlagsTest, FlagWinsOverEnvironmentOverFileOverDefault) {
  const std::string file =
      WriteFile("max-jobs: 3\nmax-layers: 7\nmax-experts: 9\n");
  setenv("BALANCEMOE_MAX_JOBS", "4", 1);
  setenv("BALANCEMOE_MAX_LAYERS", "8", 1);

  const auto command = ParseCommandLine({"--config", file, "--max-jobs", "5"});

  ASSERT_THAT(command, IsOk());
  const AdmissionLimits& limits = command->options.jobs.limits;
  EXPECT_EQ(limits.jobs, 5u);
  EXPECT_EQ(limits.layers, 8);
  EXPECT_EQ(limits.experts, 9);
  EXPECT_EQ(limits.workers, AdmissionLimits().workers);
}

TEST_F(CoordinatorFlagsTest, PrintedConfigIsAConfigFileOfTheSameSettings) {
  const auto printed = ParseCommandLine(
      {"--print-config", "--allow-insecure", "--listen", "[::]:7071",
       "--report-deadline-ms", "20", "--policy", "static@inline"});
  ASSERT_THAT(printed, IsOk());
  ASSERT_EQ(printed->action, CommandLine::Action::kPrint);

  const auto again = ParseCommandLine({"--config", WriteFile(printed->text)});

  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->options.as_yaml, printed->text);
  EXPECT_TRUE(again->options.allow_insecure);
  EXPECT_EQ(again->options.jobs.gather.report_deadline, absl::Milliseconds(20));
}

TEST_F(CoordinatorFlagsTest, ErrorInTheFileNamesFileAndLine) {
  const auto error = [&](const std::string& text) {
    return ParseCommandLine({"--config", WriteFile(text)}).status();
  };
  const auto code = absl::StatusCode::kInvalidArgument;

  EXPECT_THAT(error("max-jobs: 3\nmax-jbos: 4\n"),
              IsStatus(code, HasSubstr(file_ + ":2: unknown key max-jbos")));
  EXPECT_THAT(error("\nmax-jobs: many\n"),
              IsStatus(code, AllOf(HasSubstr(file_ + ":2: "),
                                   HasSubstr("--max-jobs"))));
  EXPECT_THAT(error("max-jobs: 3\nmax-jobs: 4\n"),
              IsStatus(code, HasSubstr(file_ + ":2: max-jobs is set")));
  EXPECT_THAT(error("- max-jobs\n"), IsStatus(code, HasSubstr(file_ + ":1: ")));
  EXPECT_THAT(error("a: [\n"), IsStatus(code, HasSubstr(file_ + ":")));
  EXPECT_THAT(error("config: other.yaml\n"),
              IsStatus(code, HasSubstr("unknown key config")));
}

TEST_F(CoordinatorFlagsTest, OpenAddressNeedsAllowInsecure) {
  EXPECT_THAT(ParseCommandLine({"--listen", "0.0.0.0:7070"}),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--allow-insecure")));
  EXPECT_THAT(
      ParseCommandLine({"--listen", "0.0.0.0:7070", "--allow-insecure"}),
      IsOk());
  EXPECT_THAT(ParseCommandLine({"--listen", "[::1]:7070"}), IsOk());
}

TEST_F(CoordinatorFlagsTest, LeaseShorterThanTwoHeartbeatsIsRefused) {
  EXPECT_THAT(
      ParseCommandLine({"--lease-ms", "1000"}),
      IsStatus(absl::StatusCode::kInvalidArgument, HasSubstr("--lease-ms")));
}

}  // namespace
}  // namespace balancemoe::coordinator
