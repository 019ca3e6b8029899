#include "coordinator/ctl/assignment_file.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace balancemoe::coordinator {

absl::StatusOr<AssignmentFile> AssignmentFile::Create(const std::string& path) {
  BMOE_ASSIGN_OR_RETURN(TextFileWriter writer, TextFileWriter::Open(path));
  BMOE_RETURN_IF_ERROR(
      writer.Append("policy,iteration,layer,expert,worker,tokens\n"));
  return AssignmentFile(std::move(writer));
}

void AssignmentFile::Add(const Assignment& assignment) {
  if (!status_.ok()) return;
  status_ = writer_.Append(absl::StrCat(
      assignment.policy, ",", assignment.iteration.value(), ",",
      assignment.layer.value(), ",", assignment.expert.value(), ",",
      assignment.worker.value(), ",", assignment.tokens, "\n"));
}

absl::Status AssignmentFile::Close() {
  BMOE_RETURN_IF_ERROR(status_);
  return writer_.Close();
}

}  // namespace balancemoe::coordinator
