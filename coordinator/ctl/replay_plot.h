#ifndef BALANCEMOE_COORDINATOR_CTL_REPLAY_PLOT_H_
#define BALANCEMOE_COORDINATOR_CTL_REPLAY_PLOT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/replay/replay_report.h"

namespace balancemoe::coordinator {

// Whether the end of a file's name is one that ReplayPlotScript can draw.
//
// Errors: InvalidArgument, saying which there are.
absl::Status ValidatePlotPath(absl::string_view path);

// Commands with which gnuplot draws a replay into `path`: above, imbalance over
// iterations with a line for each policy; below, the mean predicted time of a
// layer with a bar for each policy, between lines at the lower bound and at the
// time of a balanced load.
std::string ReplayPlotScript(const ReplayReport& report,
                             const std::string& path);

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_CTL_REPLAY_PLOT_H_
