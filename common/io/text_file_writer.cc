#include "common/io/text_file_writer.h"

#include <errno.h>
#include <string.h>

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace balancemoe {
namespace {

constexpr size_t kPartBytes = size_t{4} << 20;

absl::Status CannotWrite(const std::string& path, int error) {
  return absl::PermissionDeniedError(absl::StrCat(
      path, " cannot be written: ", strerror(error), "; name a file that can"));
}

}  // namespace

absl::StatusOr<TextFileWriter> TextFileWriter::Open(const std::string& path) {
  FILE* const file = fopen(path.c_str(), "wb");
  if (file == nullptr) return CannotWrite(path, errno);
  return TextFileWriter(path, file);
}

absl::Status TextFileWriter::Append(absl::string_view text) {
  absl::StrAppend(&pending_, text);
  return pending_.size() < kPartBytes ? absl::OkStatus() : WritePending();
}

absl::Status TextFileWriter::Close() {
  // An empty text still has a header in the compressed formats.
  if (!pending_.empty() || !written_) BMOE_RETURN_IF_ERROR(WritePending());
  // A full disk may only show here.
  if (fclose(file_.release()) != 0) return CannotWrite(path_, errno);
  return absl::OkStatus();
}

absl::Status TextFileWriter::WritePending() {
  const std::string bytes = Compress(pending_, CompressionOfName(path_));
  pending_.clear();
  written_ = true;
  if (fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) {
    return CannotWrite(path_, errno);
  }
  return absl::OkStatus();
}

}  // namespace balancemoe
