#include "coordinator/ctl/gnuplot.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace balancemoe::coordinator {

absl::Status FindGnuplot() {
  if (system("command -v gnuplot >/dev/null 2>&1") == 0) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      "there is no gnuplot, which draws the plots; install the package "
      "gnuplot-nox");
}

absl::Status RunGnuplot(const std::string& script) {
  BMOE_RETURN_IF_ERROR(FindGnuplot());
  // What it prints must not get among our results.
  FILE* const pipe = popen("gnuplot - >&2", "w");
  if (pipe == nullptr) return absl::InternalError("gnuplot cannot be started");
  const bool written =
      fwrite(script.data(), 1, script.size(), pipe) == script.size();
  const int status = pclose(pipe);
  if (written && status == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(
      "gnuplot failed (exit code ",
      WIFEXITED(status) ? WEXITSTATUS(status) : 128, "); see above"));
}

}  // namespace balancemoe::coordinator
