#ifndef BALANCEMOE_WORKER_TRAIN_DEMO_REPORT_H_
#define BALANCEMOE_WORKER_TRAIN_DEMO_REPORT_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace balancemoe::worker {

// Joins the train reports of one run per policy: {"runs",
// "speedup_over_static", "losses_identical"}, the last two by policy against
// the run of `static`, and empty without one. Speed-up is that of the median
// step.
nlohmann::ordered_json JoinReports(
    const std::vector<nlohmann::ordered_json>& runs);

// The joined report as a table with a bar per step time, for people.
std::string DemoTable(const nlohmann::ordered_json& joined);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_DEMO_REPORT_H_
