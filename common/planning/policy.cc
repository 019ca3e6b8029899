#include "common/planning/policy.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/check.h"
#include "common/planning/pairwise_policy.h"
#include "common/planning/static_policy.h"

namespace balancemoe {
namespace {

constexpr absl::string_view kInline = "inline";
constexpr absl::string_view kAhead = "ahead";
constexpr absl::string_view kHybrid = "hybrid";

struct PolicyEntry {
  PolicyTraits traits;
  std::unique_ptr<Policy> (*make)(const PolicyChoice& choice,
                                  const PolicyOptions& options);
  // Whether workers can carry out its plans.
  bool trains = false;
};

template <typename T>
std::unique_ptr<Policy> Make(const PolicyChoice&, const PolicyOptions&) {
  return std::make_unique<T>();
}

// Sorted by name.
const std::vector<PolicyEntry>& Policies() {
  static const std::vector<PolicyEntry>& policies =
      *new std::vector<PolicyEntry>{
          {{"pairwise", {kInline}, Planner::kCoordinator, std::nullopt},
           &Make<PairwisePolicy>,
           true},
          {{"static", {kInline, kAhead, kHybrid}, Planner::kNobody, 0},
           &Make<StaticPolicy>,
           true},
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

absl::StatusOr<PolicyChoice> ParsePolicyChoice(absl::string_view text,
                                               PolicyUse use) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('@', 1));
  const auto& [name, mode] = parts;
  const PolicyEntry* entry = FindPolicy(name);
  if (entry == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("policy \"", text, "\": there is no policy \"", name,
                     "\"; there are ", absl::StrJoin(PolicyNames(use), ", ")));
  }
  if (use == PolicyUse::kTraining && !entry->trains) {
    return absl::FailedPreconditionError(
        absl::StrCat("policy \"", text, "\": workers cannot carry out ", name,
                     " yet, only replay can; they can carry out ",
                     absl::StrJoin(PolicyNames(use), ", ")));
  }
  const std::vector<absl::string_view>& modes = entry->traits.modes;
  if (!absl::StrContains(text, '@')) {
    return PolicyChoice{std::string(name), std::string(modes.front())};
  }
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

std::vector<std::string> PolicyNames(PolicyUse use) {
  std::vector<std::string> names;
  for (const PolicyEntry& entry : Policies()) {
    if (use == PolicyUse::kReplay || entry.trains) {
      names.emplace_back(entry.traits.name);
    }
  }
  return names;
}

}  // namespace balancemoe
