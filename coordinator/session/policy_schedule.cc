#include "coordinator/session/policy_schedule.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

namespace balancemoe::coordinator {
namespace {

constexpr Iteration kEver(std::numeric_limits<int64_t>::min());

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
  // What is planned next begins at `first_unbegun`, so only one entry before it
  // still matters.
  const auto in_force = std::prev(choices_.upper_bound(first_unbegun));
  PolicyChoice kept = std::move(in_force->second);
  choices_.erase(choices_.begin(), std::next(in_force));
  choices_.emplace(kEver, std::move(kept));
  return latest_;
}

const PolicyChoice& PolicySchedule::At(Iteration iteration) const {
  return std::prev(choices_.upper_bound(iteration))->second;
}

}  // namespace balancemoe::coordinator
