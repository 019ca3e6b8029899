#ifndef BALANCEMOE_WORKER_TRAIN_DEMO_REPORT_H_
#define BALANCEMOE_WORKER_TRAIN_DEMO_REPORT_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace balancemoe::worker {

// Joins the train reports of one run per policy: {"runs",
// "speedup_over_static", "losses_identical", "losses_max_relative_difference"},
// the last three by policy against the run of `static`, and empty without one.
// Speed-up is that of the median step.
nlohmann::ordered_json JoinReports(
    const std::vector<nlohmann::ordered_json>& runs);

// Whether the losses of `policy`'s run agree with those of `static` as the
// policy promises: to the bit, or up to rounding where it splits experts. True
// without a run of `static`.
bool LossesAsPromised(const std::string& policy,
                      const nlohmann::ordered_json& joined);

// The joined report as a table with a bar per step time, for people.
std::string DemoTable(const nlohmann::ordered_json& joined);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_DEMO_REPORT_H_
