#ifndef BALANCEMOE_WORKER_MOE_TOKEN_LAYOUT_H_
#define BALANCEMOE_WORKER_MOE_TOKEN_LAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/ids.h"
#include "common/planning/load_matrix.h"

namespace balancemoe::worker {

// Where this worker's tokens travel. A row is one (token, choice); `choice`
// counts them as the router names them, token * K + k.
//
// Rows are sent ordered by computing worker, then expert, then choice.
struct SendOrder {
  // [T * K] each, inverse of each other.
  std::vector<int64_t> row_of_choice;
  std::vector<int64_t> choice_of_row;
};

// `expert_of_choice` is [T * K], `worker_of_expert` [E].
SendOrder OrderRows(absl::Span<const int64_t> expert_of_choice,
                    absl::Span<const WorkerRank> worker_of_expert,
                    int32_t num_workers);

// Which rows a worker exchanges, and how what it receives becomes batches of
// experts: by source worker and expert in the buffer, by expert and then source
// worker in the batches, so that a batch is the same wherever it is computed.
struct TokenLayout {
  // Equal rows of the buffer and of a batch.
  struct Segment {
    size_t batch = 0;
    int64_t batch_row = 0;
    int64_t buffer_row = 0;
    int64_t rows = 0;
  };

  // Experts computed here, ascending, and their rows from all workers.
  std::vector<ExpertId> experts;
  std::vector<int64_t> rows_of_batch;
  // [W]
  std::vector<int64_t> send_rows;
  std::vector<int64_t> receive_rows;
  // None is empty; together they cover buffer and batches once.
  std::vector<Segment> segments;
};

// What `tokens` and the computing workers, [E], mean for worker `me`.
TokenLayout MakeTokenLayout(const LoadMatrix& tokens,
                            absl::Span<const WorkerRank> worker_of_expert,
                            WorkerRank me);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_TOKEN_LAYOUT_H_
