#include "common/planning/plan.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace balancemoe {
namespace {

template <typename Transfer>
std::string Describe(const char* kind, const Transfer& transfer) {
  return absl::StrCat(kind, " of expert ", transfer.expert.value(),
                      " from worker ", transfer.from.value(), " to ",
                      transfer.to.value());
}

absl::Status Wrong(const Lend& lend, const std::string& what) {
  return absl::InvalidArgumentError(
      absl::StrCat(Describe("lend", lend), ": ", what));
}

// What lends and moves have in common.
template <typename Transfer>
absl::Status ValidateEnds(const char* kind, const Transfer& transfer,
                          absl::Span<const WorkerRank> home_of_expert,
                          int64_t num_workers) {
  const auto wrong = [&](const std::string& what) {
    return absl::InvalidArgumentError(
        absl::StrCat(Describe(kind, transfer), ": ", what));
  };
  const auto num_experts = static_cast<int64_t>(home_of_expert.size());
  if (transfer.expert.value() < 0 || transfer.expert.value() >= num_experts) {
    return wrong(absl::StrCat("the layer has experts 0 to ", num_experts - 1));
  }
  if (transfer.to.value() < 0 || transfer.to.value() >= num_workers) {
    return wrong(absl::StrCat("the job has workers 0 to ", num_workers - 1));
  }
  const WorkerRank home = home_of_expert[transfer.expert.index()];
  if (transfer.from != home) {
    return wrong(absl::StrCat("its home is worker ", home.value()));
  }
  if (transfer.to == home) return wrong("it is at home there");
  return absl::OkStatus();
}

absl::Status ValidateSlots(absl::Span<const Lend> lends,
                           absl::Span<const int32_t> spare_slots) {
  std::vector<int32_t> borrowed(spare_slots.size());
  for (const Lend& lend : lends) {
    if (++borrowed[lend.to.index()] > spare_slots[lend.to.index()]) {
      return Wrong(lend,
                   absl::StrCat("worker ", lend.to.value(), " has only ",
                                spare_slots[lend.to.index()], " spare slots"));
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateTokens(const Lend& lend, SplitRule split) {
  if (split == SplitRule::kExact && lend.tokens < kAllTokens) {
    return Wrong(lend, absl::StrCat(lend.tokens, " tokens; 0 or more, or ",
                                    kAllTokens, " for all"));
  }
  if (split == SplitRule::kShares &&
      (lend.tokens < 0 || lend.tokens > kShareUnit)) {
    return Wrong(lend, absl::StrCat("a share of ", lend.tokens,
                                    "; shares are 0 to ", kShareUnit));
  }
  return absl::OkStatus();
}

// No worker borrows an expert twice, and the lends of one stand together.
absl::Status ValidateOrder(absl::Span<const Lend> lends, size_t num_experts) {
  std::vector<bool> seen(num_experts);
  for (size_t i = 0; i < lends.size(); ++i) {
    if (i > 0 && lends[i].expert == lends[i - 1].expert) {
      for (size_t j = i; j-- > 0 && lends[j].expert == lends[i].expert;) {
        if (lends[j].to == lends[i].to) {
          return Wrong(lends[i], "the worker borrows it twice");
        }
      }
      continue;
    }
    if (seen[lends[i].expert.index()]) {
      return Wrong(lends[i], "the expert's lends do not stand together");
    }
    seen[lends[i].expert.index()] = true;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidatePlan(const LayerPlan& plan,
                          absl::Span<const WorkerRank> home_of_expert,
                          absl::Span<const int32_t> spare_slots) {
  const auto workers = static_cast<int64_t>(spare_slots.size());
  std::vector<bool> moved(home_of_expert.size());
  for (const Move& move : plan.moves) {
    BMOE_RETURN_IF_ERROR(ValidateEnds("move", move, home_of_expert, workers));
    if (moved[move.expert.index()]) {
      return absl::InvalidArgumentError(
          absl::StrCat(Describe("move", move), ": it is moved twice"));
    }
    moved[move.expert.index()] = true;
  }
  const std::vector<WorkerRank> homes = HomesAfter(home_of_expert, plan.moves);
  for (const Lend& lend : plan.lends) {
    BMOE_RETURN_IF_ERROR(ValidateEnds("lend", lend, homes, workers));
    BMOE_RETURN_IF_ERROR(ValidateTokens(lend, plan.split));
  }
  BMOE_RETURN_IF_ERROR(ValidateOrder(plan.lends, homes.size()));
  return ValidateSlots(plan.lends, spare_slots);
}

std::vector<Replica> ReplicasOf(const LayerPlan& plan) {
  std::vector<Replica> replicas;
  for (const Lend& lend : plan.lends)
    replicas.push_back({lend.expert, lend.to});
  std::sort(replicas.begin(), replicas.end());
  return replicas;
}

std::vector<WorkerRank> HomesAfter(absl::Span<const WorkerRank> home_of_expert,
                                   absl::Span<const Move> moves) {
  std::vector<WorkerRank> homes(home_of_expert.begin(), home_of_expert.end());
  for (const Move& move : moves) homes[move.expert.index()] = move.to;
  return homes;
}

}  // namespace balancemoe
