#ifndef BALANCEMOE_COORDINATOR_CONFIG_FILE_H_
#define BALANCEMOE_COORDINATOR_CONFIG_FILE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace balancemoe::coordinator {

// A line of a configuration file.
struct ConfigEntry {
  std::string key;
  std::string value;
  // "FILE:LINE"
  std::string where;
};

// Reads a YAML file of `flag: value` lines, flags without their dashes.
//
// Errors: InvalidArgument as "FILE:LINE: what is wrong" for what is no YAML, no
// map of plain values, or a key that comes twice; NotFound for an unreadable
// file.
absl::StatusOr<std::vector<ConfigEntry>> ReadConfigFile(
    const std::string& path);

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_CONFIG_FILE_H_
