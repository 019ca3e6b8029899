#include "common/replay/worker_loads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

using Rows = std::vector<std::vector<int64_t>>;

TraceRecord RecordOf(const Rows& rows) {
  TraceRecord record;
  record.tokens = LoadMatrix(static_cast<int32_t>(rows.size()),
                             static_cast<int32_t>(rows.front().size()));
  for (size_t i = 0; i < rows.size(); ++i) {
    std::copy(
        rows[i].begin(), rows[i].end(),
        record.tokens.MutableRow(WorkerRank(static_cast<int32_t>(i))).begin());
  }
  return record;
}

Rows LoadsOf(const Rows& rows, int32_t ranks, int32_t workers) {
  const LoadMatrix loads = WorkerLoads(RecordOf(rows), ranks, workers);
  Rows result;
  for (int32_t i = 0; i < loads.num_workers(); ++i) {
    const auto row = loads.Row(WorkerRank(i));
    result.emplace_back(row.begin(), row.end());
  }
  return result;
}

TEST(WorkerLoadsTest, EveryRankIsAWorkerWhereThereAreAsMany) {
  EXPECT_EQ(LoadsOf({{7, 4}, {0, 5}}, 2, 2), (Rows{{7, 4}, {0, 5}}));
}

TEST(WorkerLoadsTest, SumsAreSpreadEvenlyWithTheRestToTheLowest) {
  EXPECT_EQ(LoadsOf({{7, 4, 0}}, 0, 3),
            (Rows{{3, 2, 0}, {2, 1, 0}, {2, 1, 0}}));
}

TEST(WorkerLoadsTest, ConsecutiveRanksFormAWorker) {
  EXPECT_EQ(LoadsOf({{1, 0}, {2, 5}, {4, 0}, {8, 1}}, 4, 2),
            (Rows{{3, 5}, {12, 1}}));
}

TEST(WorkerLoadsTest, ConsecutiveWorkersShareARank) {
  EXPECT_EQ(LoadsOf({{5, 2}, {0, 1}}, 2, 4),
            (Rows{{3, 1}, {2, 1}, {0, 1}, {0, 0}}));
}

TEST(CheckSourcesTest, RanksAndWorkersMustDivideEachOther) {
  Trace trace;
  trace.name = "trace.csv";
  for (const int32_t ranks : {0, 1, 2, 4, 8}) {
    trace.num_ranks = ranks;
    EXPECT_THAT(CheckSources(trace, 4), IsOk()) << ranks;
  }

  trace.num_ranks = 6;
  EXPECT_THAT(CheckSources(trace, 4),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "workers: 4 and the 6 ranks of trace.csv; one must be a "
                       "multiple of the other"));
}

TEST(CountTest, IterationsAndLayersCountOnce) {
  std::vector<TraceRecord> records(4);
  records[0].iteration = Iteration(5);
  records[1].iteration = Iteration(5);
  records[1].layer = LayerId(2);
  records[2].iteration = Iteration(9);
  records[3].iteration = Iteration(11);
  std::vector<const TraceRecord*> selected;
  for (const TraceRecord& record : records) selected.push_back(&record);

  EXPECT_EQ(CountIterations(selected), 3);
  EXPECT_EQ(CountLayers(selected), 2);
  EXPECT_EQ(CountIterations({}), 0);
}

}  // namespace
}  // namespace balancemoe
