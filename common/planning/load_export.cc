#include "common/planning/load_export.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace balancemoe {
namespace {

constexpr size_t kNobody = std::numeric_limits<size_t>::max();

}  // namespace

LoadExporter::LoadExporter(const LayerLoads& loads)
    : loads_(loads), first_part_(static_cast<size_t>(loads.num_workers()) + 1) {
  const auto experts = static_cast<size_t>(loads.num_experts());
  for (size_t e = 0; e < experts; ++e) {
    const ExpertId expert(static_cast<int32_t>(e));
    ++first_part_[loads.home(expert).index() + 1];
    parts_.push_back({loads.TokensOfExpert(expert), expert});
  }
  for (size_t w = 1; w < first_part_.size(); ++w) {
    first_part_[w] += first_part_[w - 1];
  }
  std::sort(parts_.begin(), parts_.end(), [&](const Part& a, const Part& b) {
    return std::tuple(loads.home(a.expert), -a.tokens, a.expert) <
           std::tuple(loads.home(b.expert), -b.tokens, b.expert);
  });
}

void LoadExporter::SumLoads(const Start& start) {
  load_.clear();
  for (const WorkerTokens& worker : loads_.workers()) {
    load_.push_back(worker.computed);
  }
  slots_.assign(start.free_slots.begin(), start.free_slots.end());
  at_home_ = loads_.tokens_of_expert();
  held_.assign(load_.size() * at_home_.size(), false);
  for (size_t i = 0; i < start.replicas.size(); ++i) {
    const Replica& replica = start.replicas[i];
    at_home_[replica.expert.index()] -= start.tokens[i];
    load_[loads_.home(replica.expert).index()] -= start.tokens[i];
    load_[replica.worker.index()] += start.tokens[i];
    Hold(replica.worker.index(), replica.expert);
  }
}

void LoadExporter::Hold(size_t worker, ExpertId expert) {
  held_[expert.index() * load_.size() + worker] = true;
}

bool LoadExporter::Holds(size_t worker, ExpertId expert) const {
  return held_[expert.index() * load_.size() + worker];
}

size_t LoadExporter::FindReceiver(size_t exporter, ExpertId expert,
                                  int64_t threshold, bool near_first) const {
  size_t best = kNobody;
  const auto near = [&](size_t worker) {
    return near_first &&
           loads_.node(WorkerRank(static_cast<int32_t>(worker))) ==
               loads_.node(WorkerRank(static_cast<int32_t>(exporter)));
  };
  for (size_t i = 0; i < load_.size(); ++i) {
    if (i == exporter || slots_[i] == 0 || load_[i] >= threshold) continue;
    if (best != kNobody) {
      const bool nearer = near(i) && !near(best);
      const bool farther = !near(i) && near(best);
      if (farther || (!nearer && load_[i] >= load_[best])) continue;
    }
    if (Holds(i, expert)) continue;
    best = i;
  }
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
      Hold(to, expert);
      added.push_back({expert, WorkerRank(static_cast<int32_t>(to))});
    }
  }
}

void LoadExporter::Export(const Start& start, int64_t threshold,
                          bool near_first, std::vector<Replica>& added) {
  added.clear();
  SumLoads(start);
  order_.resize(load_.size());
  std::iota(order_.begin(), order_.end(), size_t{0});
  std::stable_sort(order_.begin(), order_.end(),
                   [&](size_t a, size_t b) { return load_[a] > load_[b]; });
  for (const size_t worker : order_) {
    if (load_[worker] <= threshold) break;
    ExportFrom(worker, threshold, near_first, added);
  }
  std::sort(added.begin(), added.end());
}

}  // namespace balancemoe
