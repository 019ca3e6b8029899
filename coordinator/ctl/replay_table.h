#ifndef BALANCEMOE_COORDINATOR_CTL_REPLAY_TABLE_H_
#define BALANCEMOE_COORDINATOR_CTL_REPLAY_TABLE_H_

#include <string>

#include "common/replay/replay_report.h"

namespace balancemoe::coordinator {

// A replay's report for people: what was replayed, the times to compare with, a
// row for each policy, and what the columns mean.
std::string ReplayTable(const ReplayReport& report);

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_CTL_REPLAY_TABLE_H_
