#include "common/planning/layer_forecast.h"

#include <algorithm>
#include <cstdint>
#include <limits>

namespace balancemoe {
namespace {

int64_t TokensOf(const LayerLoads& loads, const Lend& lend) {
  return lend.tokens == kAllTokens ? loads.TokensOfExpert(lend.expert)
                                   : lend.tokens;
}

}  // namespace

const LayerTiming& LayerForecaster::Time(const LayerLoads& loads,
                                         const LayerUse& use) {
  return *TimeUnder(std::numeric_limits<double>::infinity(), loads, use);
}

const LayerTiming* LayerForecaster::TimeUnder(double give_up_us,
                                              const LayerLoads& loads,
                                              const LayerUse& use) {
  work_.Clear();
  workers_ = loads.workers();
  ShareTokens(loads, use.lends);
  // Early transfers travel first.
  if (use.early_moves) AddMoves(loads, use);
  AddLends(loads, use.lends.first(use.early_lends), use.fan_out, true);
  if (!use.early_moves) AddMoves(loads, use);
  AddLends(loads, use.lends.subspan(use.early_lends), use.fan_out, false);
  for (const WorkerTokens& worker : workers_) {
    work_.workers.push_back(WorkOf(worker, cost_));
  }
  work_.nodes = loads.nodes();
  work_.planning_us = use.planning_us;
  return timer_.Time(work_, timing_, give_up_us) ? &timing_ : nullptr;
}

void LayerForecaster::ShareTokens(const LayerLoads& loads,
                                  absl::Span<const Lend> lends) {
  by_expert_.clear();
  for (size_t i = 0; i < lends.size(); ++i) {
    by_expert_.emplace_back(lends[i].expert, i);
  }
  std::sort(by_expert_.begin(), by_expert_.end());
  for (size_t i = 0; i < by_expert_.size();) {
    const ExpertId expert = by_expert_[i].first;
    int64_t left = loads.TokensOfExpert(expert);
    shares_.assign(1, {loads.home(expert), 0});
    for (; i < by_expert_.size() && by_expert_[i].first == expert; ++i) {
      const Lend& lend = lends[by_expert_[i].second];
      shares_.push_back({lend.to, TokensOf(loads, lend)});
      left -= shares_.back().tokens;
    }
    shares_.front().tokens = left;
    loads.Apply(expert, shares_, absl::MakeSpan(workers_));
  }
}

// A moved expert cannot be computed before it has come, so it does not count
// as staying.
void LayerForecaster::AddMoves(const LayerLoads& loads, const LayerUse& use) {
  for (const Move& move : use.moves) {
    int64_t tokens = loads.TokensOfExpert(move.expert);
    for (const Lend& lend : use.lends) {
      if (lend.expert == move.expert) tokens -= TokensOf(loads, lend);
    }
    WorkerTokens& home = workers_[move.to.index()];
    home.staying -= tokens;
    if (tokens > 0) --home.staying_experts;
    work_.transfers.push_back({.from = move.from.index(),
                               .begin_copy = work_.copies.size(),
                               .end_copy = work_.copies.size() + 1,
                               .early = use.early_moves,
                               .move = true});
    work_.copies.push_back({move.to.index(), ExpertComputeUs(cost_, tokens)});
  }
}

void LayerForecaster::AddLends(const LayerLoads& loads,
                               absl::Span<const Lend> lends, FanOut fan_out,
                               bool early) {
  const bool together = fan_out == FanOut::kCheapest;
  for (size_t i = 0; i < lends.size();) {
    TimedTransfer transfer = {.from = lends[i].from.index(),
                              .begin_copy = work_.copies.size(),
                              .early = early};
    const ExpertId expert = lends[i].expert;
    do {
      work_.copies.push_back(
          {lends[i].to.index(),
           ExpertComputeUs(cost_, TokensOf(loads, lends[i]))});
      ++i;
    } while (together && i < lends.size() && lends[i].expert == expert);
    transfer.end_copy = work_.copies.size();
    work_.transfers.push_back(transfer);
  }
}

LayerTiming TimeLayer(const LayerLoads& loads, const CostModel& cost,
                      absl::Span<const Lend> lends) {
  return LayerForecaster(cost).Time(loads, {.lends = lends});
}

}  // namespace balancemoe
