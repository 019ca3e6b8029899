#include "common/planning/plan.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace balancemoe {
namespace {

std::string Describe(const Lend& lend) {
  return absl::StrCat("lend of expert ", lend.expert.value(), " from worker ",
                      lend.from.value(), " to ", lend.to.value());
}

absl::Status Wrong(const Lend& lend, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(Describe(lend), ": ", what));
}

absl::Status ValidateLend(const Lend& lend,
                          absl::Span<const WorkerRank> home_of_expert,
                          int64_t num_workers) {
  const auto num_experts = static_cast<int64_t>(home_of_expert.size());
  if (lend.expert.value() < 0 || lend.expert.value() >= num_experts) {
    return Wrong(lend,
                 absl::StrCat("the layer has experts 0 to ", num_experts - 1));
  }
  if (lend.to.value() < 0 || lend.to.value() >= num_workers) {
    return Wrong(lend,
                 absl::StrCat("the job has workers 0 to ", num_workers - 1));
  }
  const WorkerRank home = home_of_expert[lend.expert.index()];
  if (lend.from != home) {
    return Wrong(lend, absl::StrCat("its home is worker ", home.value()));
  }
  if (lend.to == home) return Wrong(lend, "it is at home there");
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateLends(absl::Span<const Lend> lends,
                           absl::Span<const WorkerRank> home_of_expert,
                           absl::Span<const int32_t> spare_slots) {
  std::vector<bool> lent(home_of_expert.size());
  std::vector<int32_t> borrowed(spare_slots.size());
  for (const Lend& lend : lends) {
    const absl::Status status = ValidateLend(
        lend, home_of_expert, static_cast<int64_t>(spare_slots.size()));
    if (!status.ok()) return status;
    if (lent[lend.expert.index()]) return Wrong(lend, "it is lent twice");
    lent[lend.expert.index()] = true;
    if (++borrowed[lend.to.index()] > spare_slots[lend.to.index()]) {
      return Wrong(lend,
                   absl::StrCat("worker ", lend.to.value(), " has only ",
                                spare_slots[lend.to.index()], " spare slots"));
    }
  }
  return absl::OkStatus();
}

std::vector<WorkerRank> ComputingWorkers(
    absl::Span<const WorkerRank> home_of_expert, absl::Span<const Lend> lends) {
  std::vector<WorkerRank> worker_of_expert(home_of_expert.begin(),
                                           home_of_expert.end());
  for (const Lend& lend : lends) {
    worker_of_expert[lend.expert.index()] = lend.to;
  }
  return worker_of_expert;
}

}  // namespace balancemoe
