#include "coordinator/session/policy_schedule.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <limits>
#include <utility>

namespace balancemoe::coordinator {
namespace {

constexpr Iteration kEver(std::numeric_limits<int64_t>::min());
// Far more changes than the iterations that are under way at a time.
constexpr size_t kMostChoices = 16;

}  // namespace

PolicySchedule::PolicySchedule(PolicyChoice initial) {
  latest_.current = initial;
  choices_.emplace(kEver, std::move(initial));
}

PolicySchedule::Change PolicySchedule::Set(const PolicyChoice& choice,
                                           Iteration first_iteration,
                                           Iteration first_unbegun) {
  const bool already =
      choice == latest_.current &&
      first_iteration <= std::max(latest_.first_iteration, first_unbegun);
  if (already) return latest_;
  const Iteration first = std::max(first_iteration, first_unbegun);
  latest_ = {.previous = At(first),
             .current = choice,
             .first_iteration = first,
             .version = latest_.version + 1};
  choices_.erase(choices_.lower_bound(first), choices_.end());
  choices_.emplace(first, choice);
  while (choices_.size() > kMostChoices) {
    // The second oldest now holds for all that was before it, too.
    choices_.erase(choices_.begin());
    auto oldest = choices_.extract(choices_.begin());
    oldest.key() = kEver;
    choices_.insert(std::move(oldest));
  }
  return latest_;
}

const PolicyChoice& PolicySchedule::At(Iteration iteration) const {
  return std::prev(choices_.upper_bound(iteration))->second;
}

}  // namespace balancemoe::coordinator
