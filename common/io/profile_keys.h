#ifndef BALANCEMOE_COMMON_IO_PROFILE_KEYS_H_
#define BALANCEMOE_COMMON_IO_PROFILE_KEYS_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "common/planning/profile.h"

namespace balancemoe {

// A key of profile files and the field behind it.
struct ProfileKey {
  // "tflops", "intra_node.latency_us"
  std::string name;
  std::variant<std::string*, int64_t*, int32_t*, double*, bool*> field;
  // Whether a file may leave it out.
  bool optional = false;
};

// In the order of the file. `profile` must outlive the keys.
std::vector<ProfileKey> KeysOf(Profile& profile);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_IO_PROFILE_KEYS_H_
