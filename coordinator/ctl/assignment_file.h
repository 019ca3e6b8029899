#ifndef BALANCEMOE_COORDINATOR_CTL_ASSIGNMENT_FILE_H_
#define BALANCEMOE_COORDINATOR_CTL_ASSIGNMENT_FILE_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/io/text_file_writer.h"
#include "common/replay/replay.h"

namespace balancemoe::coordinator {

// The CSV of --dump-assignments, so that anyone can check that tokens are
// conserved and what the imbalance is. Used from one thread.
class AssignmentFile {
 public:
  // Errors: PermissionDenied when the file cannot be written.
  static absl::StatusOr<AssignmentFile> Create(const std::string& path);

  void Add(const Assignment& assignment);

  // Errors: PermissionDenied when the file could not be written to its end.
  absl::Status Close();

 private:
  explicit AssignmentFile(TextFileWriter writer) : writer_(std::move(writer)) {}

  TextFileWriter writer_;
  // The first error of Add, which has nobody to tell.
  absl::Status status_;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_CTL_ASSIGNMENT_FILE_H_
