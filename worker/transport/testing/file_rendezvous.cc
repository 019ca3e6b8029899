#include "worker/transport/testing/file_rendezvous.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace balancemoe::worker {
namespace {

std::optional<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

// Tells when files appear in a folder.
class FolderWatch {
 public:
  explicit FolderWatch(const std::string& folder)
      : descriptor_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
    inotify_add_watch(descriptor_, folder.c_str(), IN_MOVED_TO);
  }
  ~FolderWatch() { close(descriptor_); }
  FolderWatch(const FolderWatch&) = delete;
  FolderWatch& operator=(const FolderWatch&) = delete;

  // Returns when a file appeared since the last call, or after `timeout`.
  void Wait(absl::Duration timeout) {
    pollfd waiting = {.fd = descriptor_, .events = POLLIN, .revents = 0};
    poll(&waiting, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout)) + 1);
    char events[4096];
    while (read(descriptor_, events, sizeof(events)) > 0) {
    }
  }

 private:
  const int descriptor_;
};

}  // namespace

FileRendezvous::FileRendezvous(std::string folder)
    : folder_(std::move(folder)) {}

std::string FileRendezvous::FileOf(Generation generation,
                                   absl::string_view key) const {
  return absl::StrCat(folder_, "/", generation.value(), "-",
                      absl::StrReplaceAll(key, {{"/", "-"}}));
}

absl::Status FileRendezvous::Put(Generation generation, absl::string_view key,
                                 std::string value) {
  const std::string path = FileOf(generation, key);
  const std::string unfinished = absl::StrCat(path, ".tmp");
  std::ofstream(unfinished, std::ios::binary) << value;
  if (std::rename(unfinished.c_str(), path.c_str()) == 0) {
    return absl::OkStatus();
  }
  return absl::UnavailableError(absl::StrCat(path, ": cannot be written"));
}

absl::StatusOr<std::string> FileRendezvous::Get(Generation generation,
                                                absl::string_view key,
                                                absl::Duration timeout) {
  const absl::Time deadline = clock_.Now() + timeout;
  const std::string path = FileOf(generation, key);
  FolderWatch watch(folder_);
  while (true) {
    if (auto value = ReadFile(path)) return *std::move(value);
    const absl::Duration left = deadline - clock_.Now();
    if (left <= absl::ZeroDuration()) {
      return absl::DeadlineExceededError(absl::StrCat(
          path, ": nobody put it within ", absl::FormatDuration(timeout)));
    }
    watch.Wait(left);
  }
}

}  // namespace balancemoe::worker
