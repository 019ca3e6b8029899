#include "common/planning/lend_quotas.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"

namespace balancemoe {
namespace {

void ResolveExact(const LayerLoads& loads, std::vector<Lend>& lends) {
  for (size_t i = 0; i < lends.size(); ++i) {
    int64_t left = loads.TokensOfExpert(lends[i].expert);
    for (size_t j = i; j-- > 0 && lends[j].expert == lends[i].expert;) {
      left -= lends[j].tokens;
    }
    // The counts may have changed since: nobody computes more than there is.
    if (lends[i].tokens == kAllTokens) lends[i].tokens = left;
    lends[i].tokens = std::min(lends[i].tokens, left);
  }
}

// Rounds the running sums, so that the parts add up whatever the counts.
void ResolveShares(const LayerLoads& loads, std::vector<Lend>& lends) {
  int64_t shares = 0;
  int64_t given = 0;
  for (size_t i = 0; i < lends.size(); ++i) {
    if (i == 0 || lends[i].expert != lends[i - 1].expert) {
      shares = 0;
      given = 0;
    }
    shares = std::min(shares + lends[i].tokens, kShareUnit);
    // Both factors apart, so that the product stays within 64 bits.
    const int64_t tokens = loads.TokensOfExpert(lends[i].expert);
    const int64_t until = tokens / kShareUnit * shares +
                          tokens % kShareUnit * shares / kShareUnit;
    lends[i].tokens = until - given;
    given = until;
  }
}

void ResolveMinMax(const LayerLoads& loads, QuotaSplitter& splitter,
                   std::vector<Lend>& lends) {
  std::vector<std::pair<Replica, size_t>> order;
  for (size_t i = 0; i < lends.size(); ++i) {
    order.push_back({{lends[i].expert, lends[i].to}, i});
  }
  std::sort(order.begin(), order.end());
  std::vector<Replica> replicas;
  for (const auto& [replica, lend] : order) replicas.push_back(replica);
  std::vector<int64_t> tokens;
  splitter.Split(loads, replicas, tokens);
  for (size_t i = 0; i < order.size(); ++i) {
    lends[order[i].second].tokens = tokens[i];
  }
}

}  // namespace

std::vector<Lend> ResolveQuotas(const LayerPlan& plan, const LayerLoads& loads,
                                QuotaSplitter& splitter) {
  std::vector<Lend> lends = plan.lends;
  switch (plan.split) {
    case SplitRule::kExact:
      ResolveExact(loads, lends);
      break;
    case SplitRule::kShares:
      ResolveShares(loads, lends);
      break;
    case SplitRule::kMinMax:
      ResolveMinMax(loads, splitter, lends);
      break;
  }
  return lends;
}

absl::Status ValidateQuotas(const LayerPlan& plan, const LoadMatrix& loads) {
  if (plan.split != SplitRule::kExact) return absl::OkStatus();
  int64_t left = 0;
  for (size_t i = 0; i < plan.lends.size(); ++i) {
    const Lend& lend = plan.lends[i];
    if (i == 0 || lend.expert != plan.lends[i - 1].expert) {
      left = loads.TokensOfExpert(lend.expert);
    }
    const int64_t tokens = lend.tokens == kAllTokens ? left : lend.tokens;
    if (tokens > left) {
      return absl::InvalidArgumentError(
          absl::StrCat("lend of expert ", lend.expert.value(), " from worker ",
                       lend.from.value(), " to ", lend.to.value(),
                       ": a quota of ", tokens, " tokens; the expert has ",
                       left, " left of ", loads.TokensOfExpert(lend.expert)));
    }
    left -= tokens;
  }
  return absl::OkStatus();
}

}  // namespace balancemoe
