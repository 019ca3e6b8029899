#include "worker/moe/token_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace balancemoe::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::FieldsAre;

const WorkerRank kW0(0);
const WorkerRank kW1(1);

TEST(TokenLayoutTest, RowsAreOrderedByWorkerThenExpertThenChoice) {
  // Expert 0 is computed by worker 1, expert 1 by worker 0.
  const SendOrder order = OrderRows(std::vector<int64_t>{0, 1, 0, 2, 1},
                                    std::vector<WorkerRank>{kW1, kW0, kW1}, 2);

  EXPECT_THAT(order.choice_of_row, ElementsAre(1, 4, 0, 2, 3));
  EXPECT_THAT(order.row_of_choice, ElementsAre(2, 0, 3, 4, 1));
}

TEST(TokenLayoutTest, BatchesAreOrderedBySourceWorker) {
  LoadMatrix tokens(2, 3);
  const std::vector<int64_t> all = {5, 1, 0,   // routed by worker 0
                                    2, 4, 7};  // by worker 1
  std::copy(all.begin(), all.end(), tokens.MutableAll().begin());

  // Worker 0 computes experts 0 and 2.
  const TokenLayout layout =
      MakeTokenLayout(tokens, std::vector<WorkerRank>{kW0, kW1, kW0}, kW0);

  EXPECT_THAT(layout.experts, ElementsAre(ExpertId(0), ExpertId(2)));
  EXPECT_THAT(layout.rows_of_batch, ElementsAre(7, 7));
  EXPECT_THAT(layout.send_rows, ElementsAre(5, 1));
  EXPECT_THAT(layout.receive_rows, ElementsAre(5, 9));
  EXPECT_THAT(layout.segments,
              ElementsAre(FieldsAre(0, 0, 0, 5), FieldsAre(0, 5, 5, 2),
                          FieldsAre(1, 0, 7, 7)));
}

}  // namespace
}  // namespace balancemoe::worker
