#ifndef BALANCEMOE_COMMON_IO_TEXT_FILE_WRITER_H_
#define BALANCEMOE_COMMON_IO_TEXT_FILE_WRITER_H_

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/io/compression.h"

namespace balancemoe {

// Writes a text of any length to a file, compressed as the end of its name
// (.gz, .zst) says: in several gzip members or zstd frames, which every tool
// reads as one. Used from one thread.
class TextFileWriter {
 public:
  // Errors of all calls: PermissionDenied when the file cannot be written, with
  // the reason.
  static absl::StatusOr<TextFileWriter> Open(const std::string& path);

  absl::Status Append(absl::string_view text);
  // Without it the end of the text may be missing.
  absl::Status Close();

 private:
  struct CloseFile {
    void operator()(FILE* file) const { fclose(file); }
  };

  TextFileWriter(std::string path, FILE* file)
      : path_(std::move(path)), file_(file) {}
  absl::Status WritePending();

  std::string path_;
  std::unique_ptr<FILE, CloseFile> file_;
  // Not yet compressed.
  std::string pending_;
  bool written_ = false;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_IO_TEXT_FILE_WRITER_H_
