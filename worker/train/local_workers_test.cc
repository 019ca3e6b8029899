#include "worker/train/local_workers.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "worker/train/child_process.h"

namespace balancemoe::worker {
namespace {

// What the worker of rank 0 ends with.
constexpr int kExitCode = 3;

// Workers that end at once, the first one badly: whatever the launcher sees
// first of a worker, its end or that of its standard error, and whichever
// worker is last.
TEST(LocalWorkersTest, AWorkersExitCodeIsNeverLost) {
  BlockEndingSignals();
  LocalWorkersOptions options;
  options.arguments = {"local_workers_test"};
  options.coordinator = "none:1";
  for (int run = 0; run < 600; ++run) {
    options.workers = 1 + run % 3;
    ASSERT_EQ(RunLocalWorkers(options), kExitCode) << run;
  }
}

}  // namespace
}  // namespace balancemoe::worker

int main(int argc, char** argv) {
  // The launcher starts this program again as each worker.
  if (const char* const rank = std::getenv("RANK"); rank != nullptr) {
    return std::string(rank) == "0" ? balancemoe::worker::kExitCode : 0;
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
