#ifndef BALANCEMOE_COMMON_STATUS_MACROS_H_
#define BALANCEMOE_COMMON_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns from the current function when `expression` is not OK.
#define BMOE_RETURN_IF_ERROR(expression)       \
  do {                                         \
    absl::Status bmoe_status = (expression);   \
    if (!bmoe_status.ok()) return bmoe_status; \
  } while (false)

// Assigns the value of a StatusOr, or returns its status:
//   BMOE_ASSIGN_OR_RETURN(const Plan plan, policy.Solve(snapshot));
#define BMOE_ASSIGN_OR_RETURN(declaration, expression)                      \
  BMOE_ASSIGN_OR_RETURN_IMPL(BMOE_STATUS_CONCAT(bmoe_status_or_, __LINE__), \
                             declaration, expression)

#define BMOE_ASSIGN_OR_RETURN_IMPL(status_or, declaration, expression) \
  auto status_or = (expression);                                       \
  if (!status_or.ok()) return std::move(status_or).status();           \
  declaration = *std::move(status_or)

#define BMOE_STATUS_CONCAT(a, b) BMOE_STATUS_CONCAT_IMPL(a, b)
#define BMOE_STATUS_CONCAT_IMPL(a, b) a##b

#endif  // BALANCEMOE_COMMON_STATUS_MACROS_H_
