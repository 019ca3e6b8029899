#include "common/planning/policy.h"

#include <algorithm>
#include <array>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/check.h"
#include "common/planning/pairwise_policy.h"
#include "common/planning/static_policy.h"

namespace balancemoe {
namespace {

constexpr std::array<absl::string_view, 3> kModes = {"ahead", "hybrid",
                                                     "inline"};

struct PolicyEntry {
  absl::string_view name;
  // The only one that it can run in.
  absl::string_view mode;
  std::unique_ptr<Policy> (*make)();
};

template <typename T>
std::unique_ptr<Policy> Make() {
  return std::make_unique<T>();
}

// Sorted by name.
constexpr std::array<PolicyEntry, 2> kPolicies = {
    PolicyEntry{"pairwise", "inline", &Make<PairwisePolicy>},
    PolicyEntry{"static", "inline", &Make<StaticPolicy>},
};

const PolicyEntry* FindPolicy(absl::string_view name) {
  const auto* found = std::find_if(
      kPolicies.begin(), kPolicies.end(),
      [&](const PolicyEntry& entry) { return entry.name == name; });
  return found == kPolicies.end() ? nullptr : found;
}

}  // namespace

std::string PolicyChoice::ToString() const {
  return absl::StrCat(name, "@", mode);
}

absl::StatusOr<PolicyChoice> ParsePolicyChoice(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('@', 1));
  const auto& [name, mode] = parts;
  const PolicyEntry* entry = FindPolicy(name);
  if (entry == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("policy \"", text, "\": there is no policy \"", name,
                     "\"; there are ", absl::StrJoin(PolicyNames(), ", ")));
  }
  const bool has_mode = absl::StrContains(text, '@');
  if (!has_mode)
    return PolicyChoice{std::string(name), std::string(entry->mode)};
  if (std::find(kModes.begin(), kModes.end(), mode) == kModes.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("policy \"", text, "\": there is no mode \"", mode,
                     "\"; there are ", absl::StrJoin(kModes, ", ")));
  }
  if (mode != entry->mode) {
    return absl::FailedPreconditionError(
        absl::StrCat("policy \"", text, "\": ", name, " cannot run in mode ",
                     mode, ", only ", entry->mode));
  }
  return PolicyChoice{std::string(name), std::string(mode)};
}

std::unique_ptr<Policy> MakePolicy(const PolicyChoice& choice) {
  const PolicyEntry* entry = FindPolicy(choice.name);
  BMOE_CHECK(entry != nullptr);
  return entry->make();
}

std::vector<std::string> PolicyNames() {
  std::vector<std::string> names;
  for (const PolicyEntry& entry : kPolicies) names.emplace_back(entry.name);
  return names;
}

}  // namespace balancemoe
