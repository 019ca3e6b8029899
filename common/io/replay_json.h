#ifndef BALANCEMOE_COMMON_IO_REPLAY_JSON_H_
#define BALANCEMOE_COMMON_IO_REPLAY_JSON_H_

#include <nlohmann/json.hpp>
#include <string>

#include "common/replay/replay_report.h"

namespace balancemoe {

// What `balancemoectl replay -o json` prints, keys in the documented order.
nlohmann::ordered_json ReplayJson(const ReplayReport& report);

// `json` on one line. Bytes of file names that are no UTF-8 are replaced.
std::string OneLine(const nlohmann::ordered_json& json);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_IO_REPLAY_JSON_H_
