#include "common/io/text_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/io/compression.h"
#include "common/io/input_error.h"
#include "common/io/text_file_writer.h"
#include "common/status_macros.h"

namespace balancemoe {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 18;

struct CloseFile {
  void operator()(FILE* file) const { fclose(file); }
};

absl::Status CannotRead(const std::string& path, int error) {
  return absl::NotFoundError(absl::StrCat(
      path, " cannot be read: ", strerror(error), "; name a file that can"));
}

absl::StatusOr<std::string> ReadBytes(const std::string& path,
                                      int64_t most_bytes) {
  const std::unique_ptr<FILE, CloseFile> file(fopen(path.c_str(), "rb"));
  if (file == nullptr) return CannotRead(path, errno);
  std::string bytes;
  std::vector<char> chunk(kChunkBytes);
  while (true) {
    const size_t size = fread(chunk.data(), 1, chunk.size(), file.get());
    bytes.append(chunk.data(), size);
    if (ferror(file.get()) != 0) return CannotRead(path, errno);
    if (bytes.size() > static_cast<size_t>(most_bytes)) {
      return ErrorAt(path, 1,
                     absl::StrCat("the file has more than ", most_bytes,
                                  " bytes; split it"));
    }
    if (size == 0) return bytes;
  }
}

}  // namespace

absl::StatusOr<std::string> ReadTextFile(const std::string& path,
                                         int64_t most_bytes) {
  BMOE_ASSIGN_OR_RETURN(std::string bytes, ReadBytes(path, most_bytes));
  BMOE_ASSIGN_OR_RETURN(std::string text,
                        Decompress(std::move(bytes), path, most_bytes));
  if (text.empty()) return ErrorAt(path, 1, "the file is empty");
  return text;
}

absl::Status WriteTextFile(const std::string& path, absl::string_view text) {
  BMOE_ASSIGN_OR_RETURN(TextFileWriter writer, TextFileWriter::Open(path));
  BMOE_RETURN_IF_ERROR(writer.Append(text));
  return writer.Close();
}

}  // namespace balancemoe
