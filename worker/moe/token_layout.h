#ifndef BALANCEMOE_WORKER_MOE_TOKEN_LAYOUT_H_
#define BALANCEMOE_WORKER_MOE_TOKEN_LAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/ids.h"
#include "common/planning/token_split.h"

namespace balancemoe::worker {

// Where this worker's tokens travel. A row is one (token, choice); `choice`
// counts them as the router names them, token * K + k.
//
// Rows are sent ordered by computing worker, then expert, then choice. Where
// several workers compute an expert's tokens, the first choices go to the
// lowest rank.
struct SendOrder {
  // [T * K]; of a dropped choice the number of rows.
  std::vector<int64_t> row_of_choice;
  // [rows]
  std::vector<int64_t> choice_of_row;
};

// `expert_of_choice`, [T * K], must hold as many choices of each expert as
// `split` has tokens that worker `me` routed to it, and else kDropped.
SendOrder OrderRows(absl::Span<const int64_t> expert_of_choice,
                    const TokenSplit& split, WorkerRank me);

// Which rows a worker exchanges, and how what it receives becomes batches of
// experts: by source worker and expert in the buffer, by expert and then source
// worker in the batches, so that a whole expert's batch is the same wherever it
// is computed.
struct TokenLayout {
  // Equal rows of the buffer and of a batch.
  struct Segment {
    size_t batch = 0;
    int64_t batch_row = 0;
    int64_t buffer_row = 0;
    int64_t rows = 0;
  };

  // Experts that this worker computes tokens of, ascending, and how many from
  // all workers; at least one each.
  std::vector<ExpertId> experts;
  std::vector<int64_t> rows_of_batch;
  // [W]
  std::vector<int64_t> send_rows;
  std::vector<int64_t> receive_rows;
  // None is empty; together they cover buffer and batches once.
  std::vector<Segment> segments;
};

// What `split` means for worker `me`.
TokenLayout MakeTokenLayout(const TokenSplit& split, WorkerRank me);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_TOKEN_LAYOUT_H_
