#include "common/planning/load_export.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace balancemoe {
namespace {

constexpr size_t kNobody = std::numeric_limits<size_t>::max();

}  // namespace

void LoadExporter::SortParts() {
  first_part_.assign(static_cast<size_t>(loads_.num_workers()) + 1, 0);
  const auto experts = static_cast<size_t>(loads_.num_experts());
  for (size_t e = 0; e < experts; ++e) {
    ++first_part_[loads_.home(ExpertId(static_cast<int32_t>(e))).index() + 1];
  }
  std::partial_sum(first_part_.begin(), first_part_.end(), first_part_.begin());
  std::vector<size_t> next = first_part_;
  parts_.resize(experts);
  for (size_t e = 0; e < experts; ++e) {
    const ExpertId expert(static_cast<int32_t>(e));
    parts_[next[loads_.home(expert).index()]++] = {
        loads_.TokensOfExpert(expert), expert};
  }
  for (size_t w = 0; w + 1 < first_part_.size(); ++w) {
    std::sort(parts_.begin() + static_cast<std::ptrdiff_t>(first_part_[w]),
              parts_.begin() + static_cast<std::ptrdiff_t>(first_part_[w + 1]),
              [](const Part& a, const Part& b) {
                return std::pair(-a.tokens, a.expert) <
                       std::pair(-b.tokens, b.expert);
              });
  }
}

void LoadExporter::SumLoads(const Start& start) {
  load_.clear();
  for (const WorkerTokens& worker : loads_.workers()) {
    load_.push_back(worker.computed);
  }
  slots_.assign(start.free_slots.begin(), start.free_slots.end());
  at_home_ = loads_.tokens_of_expert();
  held_.clear();
  last_held_.assign(at_home_.size(), kNobody);
  for (size_t i = 0; i < start.replicas.size(); ++i) {
    const Replica& replica = start.replicas[i];
    at_home_[replica.expert.index()] -= start.tokens[i];
    load_[loads_.home(replica.expert).index()] -= start.tokens[i];
    load_[replica.worker.index()] += start.tokens[i];
    Hold(replica.expert, replica.worker);
  }
}

void LoadExporter::Hold(ExpertId expert, WorkerRank worker) {
  size_t& last = last_held_[expert.index()];
  held_.push_back({worker, last});
  last = held_.size() - 1;
}

bool LoadExporter::Holds(size_t worker, ExpertId expert) const {
  for (size_t i = last_held_[expert.index()]; i != kNobody; i = held_[i].next) {
    if (held_[i].worker.index() == worker) return true;
  }
  return false;
}

size_t LoadExporter::FindReceiver(size_t exporter, ExpertId expert,
                                  int64_t threshold, bool near_first) {
  size_t best = kNobody;
  const std::vector<int32_t>& nodes = loads_.nodes();
  const auto near = [&](size_t worker) {
    return near_first && nodes[worker] == nodes[exporter];
  };
  size_t left = 0;
  for (const size_t i : receivers_) {
    if (slots_[i] == 0 || load_[i] >= threshold) continue;
    receivers_[left++] = i;
    if (best != kNobody) {
      const bool nearer = near(i) && !near(best);
      const bool farther = !near(i) && near(best);
      if (farther || (!nearer && load_[i] >= load_[best])) continue;
    }
    if (Holds(i, expert)) continue;
    best = i;
  }
  receivers_.resize(left);
  return best;
}

void LoadExporter::ExportFrom(size_t worker, int64_t threshold, bool near_first,
                              std::vector<Replica>& added) {
  for (size_t i = first_part_[worker]; i < first_part_[worker + 1]; ++i) {
    const ExpertId expert = parts_[i].expert;
    int64_t& left = at_home_[expert.index()];
    while (left > 0 && load_[worker] > threshold) {
      const size_t to = FindReceiver(worker, expert, threshold, near_first);
      if (to == kNobody) break;
      const int64_t tokens =
          std::min({load_[worker] - threshold, threshold - load_[to], left});
      left -= tokens;
      load_[worker] -= tokens;
      load_[to] += tokens;
      --slots_[to];
      const WorkerRank borrower(static_cast<int32_t>(to));
      Hold(expert, borrower);
      added.push_back({expert, borrower});
    }
  }
}

void LoadExporter::Export(const Start& start, int64_t threshold,
                          bool near_first, std::vector<Replica>& added) {
  added.clear();
  if (parts_.empty()) SortParts();
  SumLoads(start);
  order_.resize(load_.size());
  std::iota(order_.begin(), order_.end(), size_t{0});
  std::stable_sort(order_.begin(), order_.end(),
                   [&](size_t a, size_t b) { return load_[a] > load_[b]; });
  receivers_.resize(load_.size());
  std::iota(receivers_.begin(), receivers_.end(), size_t{0});
  for (const size_t worker : order_) {
    if (load_[worker] <= threshold) break;
    ExportFrom(worker, threshold, near_first, added);
  }
  std::sort(added.begin(), added.end());
}

}  // namespace balancemoe
