#include "common/planning/policy.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/check.h"
#include "common/planning/adaptive_policy.h"
#include "common/planning/eplb_policy.h"
#include "common/planning/fastermoe_paper_policy.h"
#include "common/planning/fastermoe_policy.h"
#include "common/planning/llep_policy.h"
#include "common/planning/pairwise_dp_policy.h"
#include "common/planning/pairwise_moves_policy.h"
#include "common/planning/pairwise_policy.h"
#include "common/planning/smartmoe_policy.h"
#include "common/planning/static_policy.h"
#include "common/planning/ultraep_policy.h"

namespace balancemoe {
namespace {

constexpr absl::string_view kInline = "inline";
constexpr absl::string_view kAhead = "ahead";
constexpr absl::string_view kHybrid = "hybrid";

struct PolicyEntry {
  PolicyTraits traits;
  std::unique_ptr<Policy> (*make)(const PolicyChoice& choice,
                                  const PolicyOptions& options);
};

template <typename T>
std::unique_ptr<Policy> Make(const PolicyChoice&, const PolicyOptions&) {
  return std::make_unique<T>();
}

std::unique_ptr<Policy> MakeAdaptive(const PolicyChoice& choice,
                                     const PolicyOptions& options) {
  return std::make_unique<AdaptivePolicy>(choice, options);
}

// Sorted by name.
const std::vector<PolicyEntry>& Policies() {
  static const std::vector<PolicyEntry>& policies =
      *new std::vector<PolicyEntry>{
          {{"adaptive",
            {kHybrid, kAhead, kInline},
            Planner::kCoordinator,
            std::nullopt,
            /*bound_by_option=*/true},
           &MakeAdaptive},
          {{"eplb", {kAhead}, Planner::kCoordinator, std::nullopt},
           &Make<EplbPolicy>},
          {{"fastermoe", {kInline}, Planner::kEveryWorker, std::nullopt},
           &Make<FasterMoePolicy>},
          {{"fastermoe-paper", {kInline}, Planner::kEveryWorker, std::nullopt},
           &Make<FasterMoePaperPolicy>},
          {{"llep", {kInline}, Planner::kEveryWorker, std::nullopt},
           &Make<LlepPolicy>},
          {{"pairwise",
            {kInline},
            Planner::kCoordinator,
            std::nullopt,
            /*bound_by_option=*/false,
            /*whole_experts=*/true},
           &Make<PairwisePolicy>},
          {{"pairwise-dp",
            {kInline},
            Planner::kCoordinator,
            std::nullopt,
            /*bound_by_option=*/false,
            /*whole_experts=*/true,
            /*moves=*/true},
           &Make<PairwiseDpPolicy>},
          {{"pairwise-moves",
            {kInline},
            Planner::kCoordinator,
            std::nullopt,
            /*bound_by_option=*/false,
            /*whole_experts=*/true,
            /*moves=*/true},
           &Make<PairwiseMovesPolicy>},
          {{"smartmoe",
            {kAhead},
            Planner::kCoordinator,
            0,
            /*bound_by_option=*/false,
            /*whole_experts=*/true,
            /*moves=*/true},
           &Make<SmartMoePolicy>},
          {{"static",
            {kInline, kAhead, kHybrid},
            Planner::kNobody,
            0,
            /*bound_by_option=*/false,
            /*whole_experts=*/true},
           &Make<StaticPolicy>},
          {{"ultraep", {kInline}, Planner::kEveryWorker, UltraEpPolicy::kSlots},
           &Make<UltraEpPolicy>},
      };
  return policies;
}

const PolicyEntry* FindPolicy(absl::string_view name) {
  const auto found = std::find_if(
      Policies().begin(), Policies().end(),
      [&](const PolicyEntry& entry) { return entry.traits.name == name; });
  return found == Policies().end() ? nullptr : &*found;
}

}  // namespace

std::string PolicyChoice::ToString() const {
  return absl::StrCat(name, "@", mode);
}

absl::StatusOr<PolicyChoice> ParsePolicyChoice(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('@', 1));
  const absl::string_view name = parts.first;
  const PolicyEntry* entry = FindPolicy(name);
  if (entry == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("policy \"", text, "\": there is no policy \"", name,
                     "\"; there are ", absl::StrJoin(PolicyNames(), ", ")));
  }
  const std::vector<absl::string_view>& modes = entry->traits.modes;
  const absl::string_view mode =
      absl::StrContains(text, '@') ? parts.second : modes.front();
  if (mode != kInline && mode != kAhead && mode != kHybrid) {
    return absl::InvalidArgumentError(
        absl::StrCat("policy \"", text, "\": there is no mode \"", mode,
                     "\"; there are ahead, hybrid, inline"));
  }
  if (std::find(modes.begin(), modes.end(), mode) == modes.end()) {
    return absl::FailedPreconditionError(
        absl::StrCat("policy \"", text, "\": ", name, " cannot run in mode ",
                     mode, ", only ", absl::StrJoin(modes, ", ")));
  }
  return PolicyChoice{std::string(name), std::string(mode)};
}

PolicyChoice WithinSteps(const PolicyChoice& choice) {
  const auto& modes = TraitsOf(choice.name).modes;
  const bool can =
      std::find(modes.begin(), modes.end(), kInline) != modes.end();
  return can ? PolicyChoice{choice.name, std::string(kInline)} : choice;
}

std::unique_ptr<Policy> MakePolicy(const PolicyChoice& choice,
                                   const PolicyOptions& options) {
  const PolicyEntry* entry = FindPolicy(choice.name);
  BMOE_CHECK(entry != nullptr);
  return entry->make(choice, options);
}

const PolicyTraits& TraitsOf(absl::string_view name) {
  const PolicyEntry* entry = FindPolicy(name);
  BMOE_CHECK(entry != nullptr);
  return entry->traits;
}

std::vector<std::string> PolicyNames() {
  std::vector<std::string> names;
  for (const PolicyEntry& entry : Policies()) {
    names.emplace_back(entry.traits.name);
  }
  return names;
}

}  // namespace balancemoe
