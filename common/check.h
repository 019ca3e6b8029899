#ifndef BALANCEMOE_COMMON_CHECK_H_
#define BALANCEMOE_COMMON_CHECK_H_

namespace balancemoe {

// Prints where and what, then aborts.
[[noreturn]] void CheckFailed(const char* file, int line,
                              const char* condition);

}  // namespace balancemoe

// Ends the process when `condition` is false. For our own bugs only: input and
// peers get an absl::Status.
#define BMOE_CHECK(condition)   \
  (static_cast<bool>(condition) \
       ? static_cast<void>(0)   \
       : ::balancemoe::CheckFailed(__FILE__, __LINE__, #condition))

#endif  // BALANCEMOE_COMMON_CHECK_H_
