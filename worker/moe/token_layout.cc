#include "worker/moe/token_layout.h"

namespace balancemoe::worker {

SendOrder OrderRows(absl::Span<const int64_t> expert_of_choice,
                    absl::Span<const WorkerRank> worker_of_expert,
                    int32_t num_workers) {
  std::vector<int64_t> rows_of_expert(worker_of_expert.size());
  for (const int64_t expert : expert_of_choice) {
    ++rows_of_expert[static_cast<size_t>(expert)];
  }
  std::vector<int64_t> next_row(worker_of_expert.size());
  int64_t row = 0;
  for (int32_t worker = 0; worker < num_workers; ++worker) {
    for (size_t expert = 0; expert < worker_of_expert.size(); ++expert) {
      if (worker_of_expert[expert] != WorkerRank(worker)) continue;
      next_row[expert] = row;
      row += rows_of_expert[expert];
    }
  }

  SendOrder order;
  order.row_of_choice.resize(expert_of_choice.size());
  order.choice_of_row.resize(expert_of_choice.size());
  for (size_t choice = 0; choice < expert_of_choice.size(); ++choice) {
    const int64_t at =
        next_row[static_cast<size_t>(expert_of_choice[choice])]++;
    order.row_of_choice[choice] = at;
    order.choice_of_row[static_cast<size_t>(at)] = static_cast<int64_t>(choice);
  }
  return order;
}

TokenLayout MakeTokenLayout(const LoadMatrix& tokens,
                            absl::Span<const WorkerRank> worker_of_expert,
                            WorkerRank me) {
  TokenLayout layout;
  layout.send_rows.resize(static_cast<size_t>(tokens.num_workers()));
  layout.receive_rows.resize(static_cast<size_t>(tokens.num_workers()));
  for (size_t i = 0; i < worker_of_expert.size(); ++i) {
    const ExpertId expert(static_cast<int32_t>(i));
    layout.send_rows[worker_of_expert[i].index()] += tokens.At(me, expert);
    if (worker_of_expert[i] == me) layout.experts.push_back(expert);
  }
  layout.rows_of_batch.resize(layout.experts.size());
  int64_t buffer_row = 0;
  for (int32_t source = 0; source < tokens.num_workers(); ++source) {
    for (size_t batch = 0; batch < layout.experts.size(); ++batch) {
      const int64_t rows = tokens.At(WorkerRank(source), layout.experts[batch]);
      if (rows == 0) continue;
      layout.segments.push_back(
          {batch, layout.rows_of_batch[batch], buffer_row, rows});
      layout.rows_of_batch[batch] += rows;
      buffer_row += rows;
      layout.receive_rows[static_cast<size_t>(source)] += rows;
    }
  }
  return layout;
}

}  // namespace balancemoe::worker
