#include "worker/moe/token_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace balancemoe::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::FieldsAre;
using ::testing::IsEmpty;

const WorkerRank kW0(0);
const WorkerRank kW1(1);

// Two workers' routing, [2, E], row-major, to experts at `homes`.
TokenSplit SplitOf(const std::vector<int64_t>& routed,
                   const std::vector<WorkerRank>& homes,
                   const std::vector<Lend>& lends) {
  LoadMatrix tokens(2, static_cast<int32_t>(homes.size()));
  std::copy(routed.begin(), routed.end(), tokens.MutableAll().begin());
  return TokenSplit(LayerLoads(tokens, homes, {}), lends);
}

TEST(TokenLayoutTest, RowsAreOrderedByWorkerThenExpertThenChoice) {
  // Expert 0 is computed by worker 1, expert 1 by worker 0.
  const TokenSplit split = SplitOf({2, 2, 1, 0, 0, 0}, {kW1, kW0, kW1}, {});

  const SendOrder order =
      OrderRows(std::vector<int64_t>{0, 1, 0, 2, 1}, split, kW0);

  EXPECT_THAT(order.choice_of_row, ElementsAre(1, 4, 0, 2, 3));
  EXPECT_THAT(order.row_of_choice, ElementsAre(2, 0, 3, 4, 1));
}

TEST(TokenLayoutTest, DroppedChoicesHaveNoRow) {
  const TokenSplit split = SplitOf({1, 2, 0, 0}, {kW0, kW1}, {});

  const SendOrder order =
      OrderRows(std::vector<int64_t>{1, -1, 0, -1, 1}, split, kW0);

  EXPECT_THAT(order.choice_of_row, ElementsAre(2, 0, 4));
  EXPECT_THAT(order.row_of_choice, ElementsAre(1, 3, 0, 3, 2));
}

TEST(TokenLayoutTest, FirstChoicesOfASplitExpertGoToTheLowestRank) {
  // Worker 1 computes two of the three tokens that worker 0 routed to expert 1.
  const TokenSplit split =
      SplitOf({1, 3, 0, 0}, {kW0, kW0}, {{ExpertId(1), kW0, kW1, 2}});

  const SendOrder order =
      OrderRows(std::vector<int64_t>{1, 0, 1, 1}, split, kW0);

  // To worker 0 the token of expert 0 and one of expert 1, then the others.
  EXPECT_THAT(order.choice_of_row, ElementsAre(1, 0, 2, 3));
  EXPECT_THAT(order.row_of_choice, ElementsAre(1, 0, 2, 3));
}

TEST(TokenLayoutTest, BatchesAreOrderedBySourceWorker) {
  const std::vector<int64_t> routed = {5, 1, 0,   // by worker 0
                                       2, 4, 7};  // by worker 1

  // Worker 0 computes experts 0 and 2.
  const TokenLayout layout =
      MakeTokenLayout(SplitOf(routed, {kW0, kW1, kW0}, {}), kW0);

  EXPECT_THAT(layout.experts, ElementsAre(ExpertId(0), ExpertId(2)));
  EXPECT_THAT(layout.rows_of_batch, ElementsAre(7, 7));
  EXPECT_THAT(layout.send_rows, ElementsAre(5, 1));
  EXPECT_THAT(layout.receive_rows, ElementsAre(5, 9));
  EXPECT_THAT(layout.segments,
              ElementsAre(FieldsAre(0, 0, 0, 5), FieldsAre(0, 5, 5, 2),
                          FieldsAre(1, 0, 7, 7)));
}

TEST(TokenLayoutTest, SplitExpertHasABatchWhereverItIsComputed) {
  // Worker 1 borrows 8 of expert 0's 10 tokens: the 6 of its own and 2 more.
  const TokenSplit split =
      SplitOf({4, 0, 6, 3}, {kW0, kW0}, {{ExpertId(0), kW0, kW1, 8}});

  const TokenLayout home = MakeTokenLayout(split, kW0);
  const TokenLayout borrower = MakeTokenLayout(split, kW1);

  EXPECT_THAT(home.experts, ElementsAre(ExpertId(0), ExpertId(1)));
  EXPECT_THAT(home.rows_of_batch, ElementsAre(2, 3));
  EXPECT_THAT(home.send_rows, ElementsAre(2, 2));
  EXPECT_THAT(home.receive_rows, ElementsAre(2, 3));
  EXPECT_THAT(borrower.experts, ElementsAre(ExpertId(0)));
  EXPECT_THAT(borrower.rows_of_batch, ElementsAre(8));
  EXPECT_THAT(borrower.send_rows, ElementsAre(3, 6));
  EXPECT_THAT(borrower.receive_rows, ElementsAre(2, 6));
  EXPECT_THAT(borrower.segments,
              ElementsAre(FieldsAre(0, 0, 0, 2), FieldsAre(0, 2, 2, 6)));
}

TEST(TokenLayoutTest, ExpertsWithoutTokensHaveNoBatch) {
  const TokenLayout layout =
      MakeTokenLayout(SplitOf({0, 0, 0, 5}, {kW0, kW1}, {}), kW0);

  EXPECT_THAT(layout.experts, IsEmpty());
  EXPECT_THAT(layout.segments, IsEmpty());
}

}  // namespace
}  // namespace balancemoe::worker
