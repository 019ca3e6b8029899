#include "common/terminal/progress_line.h"

#include <gtest/gtest.h>

#include <sstream>

namespace balancemoe {
namespace {

TEST(ProgressLineTest, TerminalSeesOneLineDrawnOver) {
  std::ostringstream out;
  ProgressLine line({.label = "static", .total = 4, .terminal = true}, out);

  line.Update(1, "loss 2.5", absl::Seconds(75));
  line.Update(2, "", absl::Milliseconds(1600));
  line.Finish();

  EXPECT_EQ(out.str(),
            "\rstatic [======                  ] 1/4  loss 2.5  1 min 15 s "
            "left\x1b[K"
            "\rstatic [============            ] 2/4  2 s left\x1b[K\n");
}

TEST(ProgressLineTest, ElsewhereALinePerTenth) {
  std::ostringstream out;
  ProgressLine line({.label = "r", .total = 100}, out);

  for (int done = 10; done <= 25; ++done) {
    line.Update(done, "", absl::Seconds(3));
  }
  line.Finish();

  EXPECT_EQ(out.str(),
            "r [==                      ] 10/100  3 s left\n"
            "r [====                    ] 20/100  3 s left\n");
}

}  // namespace
}  // namespace balancemoe
