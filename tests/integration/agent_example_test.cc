// The attach example of the README, run as its readers would: two processes
// with what torchrun sets, and a coordinator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/integration/coordinator_process.h"
#include "worker/agent/testing/on_all_ranks.h"

namespace balancemoe::worker {
namespace {

using ::testing::HasSubstr;

struct Outcome {
  int exit_code = -1;
  std::string output;
};

Outcome RunShell(const std::string& command) {
  Outcome outcome;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> buffer;
  while (const size_t bytes = fread(buffer.data(), 1, buffer.size(), pipe)) {
    outcome.output.append(buffer.data(), bytes);
  }
  outcome.exit_code = WEXITSTATUS(pclose(pipe));
  return outcome;
}

TEST(AttachExampleTest, PrintsThePlanOfAnIterationOnEveryWorker) {
  const CoordinatorProcess coordinator;
  const auto outcomes = OnAllRanks(2, [&](int32_t rank) {
    return RunShell(absl::StrCat(
        "BALANCEMOE_COORDINATOR=", coordinator.address(), " RANK=", rank,
        " WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=29500 "
        "BALANCEMOE_PLAN_DEADLINE_MS=20000 timeout 50 ",
        std::getenv("ATTACH_EXAMPLE"), " 2>&1"));
  });

  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    EXPECT_THAT(outcome.output,
                HasSubstr("worker 0 lends expert 0 (900 tokens) to 1"));
  }
}

TEST(AttachExampleTest, SaysWhichVariableIsMissing) {
  const Outcome outcome = RunShell(absl::StrCat(
      "env -u RANK WORLD_SIZE=2 ", std::getenv("ATTACH_EXAMPLE"), " 2>&1"));

  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("none of RANK, "));
}

}  // namespace
}  // namespace balancemoe::worker
