#ifndef BALANCEMOE_COORDINATOR_CTL_GNUPLOT_H_
#define BALANCEMOE_COORDINATOR_CTL_GNUPLOT_H_

#include <string>

#include "absl/status/status.h"

namespace balancemoe::coordinator {

// Has gnuplot carry out `script`. Blocks until it has.
//
// Errors: FailedPrecondition, naming the package, when there is no gnuplot;
// Internal when it fails, which it explains on standard error.
absl::Status RunGnuplot(const std::string& script);

// The first of these, before any work is done for a plot.
absl::Status FindGnuplot();

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_CTL_GNUPLOT_H_
