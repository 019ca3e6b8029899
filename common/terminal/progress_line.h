#ifndef BALANCEMOE_COMMON_TERMINAL_PROGRESS_LINE_H_
#define BALANCEMOE_COMMON_TERMINAL_PROGRESS_LINE_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace balancemoe {

// Shows how far something is: one line that is drawn over on a terminal, a line
// for every tenth of the way elsewhere. Used from one thread.
//
//   label [======      ] 30/60  figures  12 s left
class ProgressLine {
 public:
  struct Options {
    // Stands at the beginning of the line.
    std::string label;
    int64_t total = 1;
    bool terminal = false;
  };

  // `out` must outlive this.
  ProgressLine(const Options& options, std::ostream& out)
      : options_(options), out_(out) {}

  // `done` of the total have ended. `figures` may be empty.
  void Update(int64_t done, absl::string_view figures, absl::Duration left);

  // Ends the line, so that what follows starts a new one.
  void Finish();

 private:
  std::string Line(int64_t done, absl::string_view figures,
                   absl::Duration left) const;

  const Options options_;
  std::ostream& out_;
  int64_t tenths_shown_ = -1;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_TERMINAL_PROGRESS_LINE_H_
