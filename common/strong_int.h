#ifndef BALANCEMOE_COMMON_STRONG_INT_H_
#define BALANCEMOE_COMMON_STRONG_INT_H_

#include <compare>
#include <cstddef>
#include <functional>
#include <ostream>
#include <utility>

#include "absl/strings/str_cat.h"

namespace balancemoe {

// An integer that only mixes with its own kind, so that a rank is never passed
// where an expert is wanted. `Tag` is any type unique to the kind. No
// arithmetic: take `value()` where a number is meant.
template <typename Tag, typename Rep>
class StrongInt {
 public:
  using ValueType = Rep;

  constexpr StrongInt() = default;
  constexpr explicit StrongInt(Rep value) : value_(value) {}

  constexpr Rep value() const { return value_; }
  // The value as a container index. Meaningless for negative values.
  constexpr size_t index() const { return static_cast<size_t>(value_); }

  constexpr auto operator<=>(const StrongInt&) const = default;

  template <typename H>
  friend H AbslHashValue(H state, StrongInt id) {
    return H::combine(std::move(state), id.value_);
  }
  friend std::ostream& operator<<(std::ostream& out, StrongInt id) {
    return out << absl::StrCat(id.value_);
  }

 private:
  Rep value_ = 0;
};

}  // namespace balancemoe

template <typename Tag, typename Rep>
struct std::hash<balancemoe::StrongInt<Tag, Rep>> {
  size_t operator()(balancemoe::StrongInt<Tag, Rep> id) const {
    return std::hash<Rep>()(id.value());
  }
};

#endif  // BALANCEMOE_COMMON_STRONG_INT_H_
