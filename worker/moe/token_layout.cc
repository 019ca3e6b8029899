#include "worker/moe/token_layout.h"

#include <algorithm>

#include "worker/moe/capacity.h"

namespace balancemoe::worker {
namespace {

// Rows of one expert that go to one worker, in the order of sending.
struct Run {
  WorkerRank worker;
  ExpertId expert;
  int64_t next_row = 0;
  int64_t left = 0;
};

// By expert, then worker: the order in which choices fill them.
std::vector<Run> RunsOf(const TokenSplit& split, WorkerRank me) {
  std::vector<Run> runs;
  for (int32_t e = 0; e < split.num_experts(); ++e) {
    for (const SourceShare& part : split.Of(ExpertId(e), me)) {
      runs.push_back({part.worker, ExpertId(e), 0, part.tokens});
    }
  }
  std::vector<size_t> sent(runs.size());
  for (size_t i = 0; i < sent.size(); ++i) sent[i] = i;
  std::stable_sort(sent.begin(), sent.end(), [&runs](size_t a, size_t b) {
    return runs[a].worker < runs[b].worker;
  });
  int64_t row = 0;
  for (const size_t i : sent) {
    runs[i].next_row = row;
    row += runs[i].left;
  }
  return runs;
}

int64_t RowsFor(const TokenSplit& split, ExpertId expert, WorkerRank source,
                WorkerRank worker) {
  for (const SourceShare& part : split.Of(expert, source)) {
    if (part.worker == worker) return part.tokens;
  }
  return 0;
}

// Experts that `me` computes tokens of.
void AddBatches(const TokenSplit& split, WorkerRank me, TokenLayout& layout) {
  for (int32_t e = 0; e < split.num_experts(); ++e) {
    int64_t rows = 0;
    for (int32_t source = 0; source < split.num_workers(); ++source) {
      rows += RowsFor(split, ExpertId(e), WorkerRank(source), me);
    }
    if (rows == 0) continue;
    layout.experts.emplace_back(e);
    layout.rows_of_batch.push_back(rows);
  }
}

}  // namespace

SendOrder OrderRows(absl::Span<const int64_t> expert_of_choice,
                    const TokenSplit& split, WorkerRank me) {
  std::vector<Run> runs = RunsOf(split, me);
  // [E]: the run that takes the expert's next choice.
  std::vector<size_t> run_of_expert(static_cast<size_t>(split.num_experts()));
  for (size_t i = runs.size(); i-- > 0;) {
    run_of_expert[runs[i].expert.index()] = i;
  }
  SendOrder order;
  const auto dropped = static_cast<size_t>(
      std::count(expert_of_choice.begin(), expert_of_choice.end(), kDropped));
  const size_t rows = expert_of_choice.size() - dropped;
  order.row_of_choice.assign(expert_of_choice.size(),
                             static_cast<int64_t>(rows));
  order.choice_of_row.resize(rows);
  for (size_t choice = 0; choice < expert_of_choice.size(); ++choice) {
    if (expert_of_choice[choice] == kDropped) continue;
    size_t& at = run_of_expert[static_cast<size_t>(expert_of_choice[choice])];
    if (runs[at].left == 0) ++at;
    --runs[at].left;
    const int64_t row = runs[at].next_row++;
    order.row_of_choice[choice] = row;
    order.choice_of_row[static_cast<size_t>(row)] =
        static_cast<int64_t>(choice);
  }
  return order;
}

TokenLayout MakeTokenLayout(const TokenSplit& split, WorkerRank me) {
  TokenLayout layout;
  layout.send_rows.resize(static_cast<size_t>(split.num_workers()));
  layout.receive_rows.resize(static_cast<size_t>(split.num_workers()));
  for (int32_t e = 0; e < split.num_experts(); ++e) {
    for (const SourceShare& part : split.Of(ExpertId(e), me)) {
      layout.send_rows[part.worker.index()] += part.tokens;
    }
  }
  AddBatches(split, me, layout);
  std::vector<int64_t> next_row(layout.experts.size());
  int64_t buffer_row = 0;
  for (int32_t source = 0; source < split.num_workers(); ++source) {
    for (size_t batch = 0; batch < layout.experts.size(); ++batch) {
      const int64_t rows =
          RowsFor(split, layout.experts[batch], WorkerRank(source), me);
      if (rows == 0) continue;
      layout.segments.push_back({batch, next_row[batch], buffer_row, rows});
      next_row[batch] += rows;
      buffer_row += rows;
      layout.receive_rows[static_cast<size_t>(source)] += rows;
    }
  }
  return layout;
}

}  // namespace balancemoe::worker
