#include "common/durable_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace balancemoe {
namespace {

absl::Status Failed(const std::string& path) {
  return absl::UnavailableError(absl::StrCat(
      path, ": ", std::error_code(errno, std::generic_category()).message()));
}

absl::Status WriteAll(int fd, absl::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written > 0) {
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno != EINTR) {
      return Failed(path);
    }
  }
  return absl::OkStatus();
}

absl::Status WriteDurably(const std::string& path,
                          absl::Span<const absl::string_view> parts) {
  const int fd =
      open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (fd < 0) return Failed(path);
  absl::Status status;
  for (const absl::string_view part : parts) {
    if (status.ok()) status = WriteAll(fd, part, path);
  }
  if (status.ok() && fsync(fd) != 0) status = Failed(path);
  close(fd);
  return status;
}

// Makes a rename within `directory` survive a power cut.
absl::Status SyncDirectory(const std::string& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Failed(directory);
  const absl::Status status =
      fsync(fd) == 0 ? absl::OkStatus() : Failed(directory);
  close(fd);
  return status;
}

}  // namespace

absl::Status ReplaceFile(const std::string& path,
                         absl::Span<const absl::string_view> parts) {
  const std::string temporary = path + ".new";
  BMOE_RETURN_IF_ERROR(WriteDurably(temporary, parts));
  if (rename(temporary.c_str(), path.c_str()) != 0) return Failed(path);
  const std::string directory =
      std::filesystem::path(path).parent_path().string();
  return SyncDirectory(directory.empty() ? "." : directory);
}

}  // namespace balancemoe
