#include "worker/agent/line_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/fake_clock.h"

namespace balancemoe::worker {
namespace {

using ::testing::ElementsAre;

class LineLogTest : public ::testing::Test {
 protected:
  FakeClock clock_;
  std::vector<std::string> lines_;
  LineLog log_{"worker 3: ",
               [this](absl::string_view line) { lines_.emplace_back(line); },
               clock_};
};

TEST_F(LineLogTest, OneLineOfATopicPerPeriodWithTheNumberLeftOut) {
  log_.Write("gone", "coordinator is gone");
  log_.Write("gone", "coordinator is gone");
  log_.Write("gone", "coordinator is gone");
  clock_.Advance(LineLog::kPeriod);
  log_.Write("gone", "coordinator is still gone");

  EXPECT_THAT(lines_, ElementsAre("worker 3: coordinator is gone",
                                  "worker 3: coordinator is still gone "
                                  "(2 like it left out)"));
}

TEST_F(LineLogTest, TopicsDoNotSilenceEachOther) {
  log_.Write("gone", "a");
  log_.Write("back", "b");

  EXPECT_THAT(lines_, ElementsAre("worker 3: a", "worker 3: b"));
}

}  // namespace
}  // namespace balancemoe::worker
