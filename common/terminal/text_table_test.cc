#include "common/terminal/text_table.h"

#include <gtest/gtest.h>

namespace balancemoe {
namespace {

TEST(TextTableTest, ColumnsLineUp) {
  EXPECT_EQ(FormatTextTable({{.title = "policy", .left = true},
                             {.title = "time", .unit = "us"},
                             {.title = "note", .left = true}},
                            {{"static", "1234.5", "a"}, {"pairwise", "9", ""}}),
            "policy      time  note\n"
            "              us\n"
            "static    1234.5  a\n"
            "pairwise       9\n");
}

TEST(TextTableTest, NoLineOfUnitsWithoutUnits) {
  EXPECT_EQ(FormatTextTable({{.title = "a"}, {.title = "b"}}, {{"1", "22"}}),
            "a   b\n"
            "1  22\n");
}

}  // namespace
}  // namespace balancemoe
