#ifndef BALANCEMOE_COMMON_IO_REPLAY_JSON_H_
#define BALANCEMOE_COMMON_IO_REPLAY_JSON_H_

#include <nlohmann/json.hpp>

#include "common/replay/replay_report.h"

namespace balancemoe {

// What `balancemoectl replay -o json` prints, keys in the documented order.
nlohmann::ordered_json ReplayJson(const ReplayReport& report);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_IO_REPLAY_JSON_H_
