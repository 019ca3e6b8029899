#include "coordinator/cluster/job_epoch_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/checksum.h"
#include "common/durable_file.h"
#include "common/status_macros.h"

namespace balancemoe::coordinator {
namespace {

constexpr absl::string_view kTitle = "balancemoe-epochs";
constexpr uint64_t kVersion = 1;

std::string Reason() {
  return std::error_code(errno, std::generic_category()).message();
}

// What is on a line: "epoch 7 job-a".
std::string Line(absl::string_view key, uint64_t number,
                 absl::string_view name) {
  return absl::StrCat(key, " ", number, name.empty() ? "" : " ", name, "\n");
}

std::string ChecksumLine(absl::string_view text) {
  return absl::StrCat("checksum ", absl::Hex(Checksum(text), absl::kZeroPad16),
                      "\n");
}

}  // namespace

absl::StatusOr<std::unique_ptr<JobEpochStore>> JobEpochStore::Open(
    const std::string& directory, size_t max_jobs) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return absl::NotFoundError(
        absl::StrCat("state directory ", directory, ": ", error.message()));
  }
  const std::string lock_path = directory + "/lock";
  const int lock_fd =
      open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (lock_fd < 0) {
    return absl::NotFoundError(
        absl::StrCat("state directory ", directory, ": ", Reason()));
  }
  auto store = std::unique_ptr<JobEpochStore>(
      new JobEpochStore(directory, lock_fd, max_jobs));
  if (flock(lock_fd, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "state directory ", directory,
        ": another coordinator uses it (it holds ", lock_path, ")"));
  }
  BMOE_RETURN_IF_ERROR(store->Load());
  // A full or read-only disk shows now, not when the first job comes.
  if (absl::Status status = store->Save(); !status.ok()) {
    return absl::NotFoundError(
        absl::StrCat("state directory ", directory, ": ", status.message()));
  }
  return store;
}

std::unique_ptr<JobEpochStore> JobEpochStore::InMemory(JobEpoch floor) {
  auto store =
      std::unique_ptr<JobEpochStore>(new JobEpochStore("", -1, 10'000));
  store->floor_ = floor;
  return store;
}

JobEpochStore::JobEpochStore(std::string directory, int lock_fd,
                             size_t max_jobs)
    : directory_(std::move(directory)),
      lock_fd_(lock_fd),
      max_jobs_(max_jobs) {}

JobEpochStore::~JobEpochStore() {
  if (lock_fd_ >= 0) close(lock_fd_);
}

absl::StatusOr<JobEpoch> JobEpochStore::Next(const JobId& job_id) {
  const auto known = epoch_by_job_.find(job_id);
  const JobEpoch last = known == epoch_by_job_.end() ? floor_ : known->second;
  const JobEpoch next(last.value() + 1);
  const auto before = std::pair(epoch_by_job_, floor_);
  epoch_by_job_[job_id] = next;
  ForgetOldest();
  if (absl::Status status = Save(); !status.ok()) {
    std::tie(epoch_by_job_, floor_) = before;
    return status;
  }
  return next;
}

void JobEpochStore::ForgetOldest() {
  while (epoch_by_job_.size() > max_jobs_) {
    const auto oldest = std::min_element(
        epoch_by_job_.begin(), epoch_by_job_.end(),
        [](const auto& a, const auto& b) { return a.second < b.second; });
    floor_ = std::max(floor_, oldest->second);
    epoch_by_job_.erase(oldest);
  }
}

absl::Status JobEpochStore::Save() const {
  if (directory_.empty()) return absl::OkStatus();
  std::string text = Line(kTitle, kVersion, "");
  absl::StrAppend(&text, Line("floor", floor_.value(), ""));
  for (const auto& [job, epoch] : epoch_by_job_) {
    absl::StrAppend(&text, Line("epoch", epoch.value(), job));
  }
  absl::StrAppend(&text, ChecksumLine(text));
  return ReplaceFile(directory_ + "/epochs", {text});
}

absl::Status JobEpochStore::Load() {
  const std::string path = directory_ + "/epochs";
  if (!std::filesystem::exists(path)) return absl::OkStatus();
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)),
                         std::istreambuf_iterator<char>());
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  return Parse(text, path);
}

absl::Status JobEpochStore::Parse(absl::string_view text,
                                  const std::string& path) {
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  const auto damaged = [&path](size_t line, absl::string_view what) {
    return absl::DataLossError(
        absl::StrCat(path, ":", line, ": ", what,
                     "; restore the file, or start with an empty state "
                     "directory once no job of this coordinator runs"));
  };
  const std::vector<absl::string_view> title = absl::StrSplit(lines[0], ' ');
  uint64_t version = 0;
  if (title.size() != 2 || title[0] != kTitle ||
      !absl::SimpleAtoi(title[1], &version)) {
    return damaged(1, "is no file of job epochs");
  }
  if (version != kVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, ":1: version ", version,
        " was written by another release; this one reads version ", kVersion));
  }
  const size_t checksum_at = text.rfind("checksum ");
  if (checksum_at == absl::string_view::npos ||
      text.substr(checksum_at) != ChecksumLine(text.substr(0, checksum_at))) {
    return damaged(lines.size(), "the checksum does not fit: cut or changed");
  }
  for (size_t i = 1; i + 2 < lines.size(); ++i) {
    const std::vector<absl::string_view> words = absl::StrSplit(lines[i], ' ');
    uint64_t number = 0;
    if (words.size() < 2 || !absl::SimpleAtoi(words[1], &number)) {
      return damaged(i + 1, "a number is missing");
    }
    if (words[0] == "floor" && words.size() == 2) {
      floor_ = JobEpoch(number);
    } else if (words[0] == "epoch" && words.size() == 3) {
      epoch_by_job_[std::string(words[2])] = JobEpoch(number);
    } else {
      return damaged(i + 1, "neither a floor nor an epoch");
    }
  }
  return absl::OkStatus();
}

}  // namespace balancemoe::coordinator
