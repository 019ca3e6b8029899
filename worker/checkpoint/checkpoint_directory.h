#ifndef BALANCEMOE_WORKER_CHECKPOINT_CHECKPOINT_DIRECTORY_H_
#define BALANCEMOE_WORKER_CHECKPOINT_CHECKPOINT_DIRECTORY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace balancemoe::worker {

// What a checkpoint consists of; index.json.
struct CheckpointIndex {
  // Training steps that were taken before it.
  int64_t step = 0;
  // What a model must have alike to load it: "experts": 8.
  std::map<std::string, int64_t> model;
  // Names within the checkpoint's directory.
  std::vector<std::string> files;
};

// Where a process may die while a checkpoint is made; a test's observer hears
// of each.
enum class CheckpointPoint {
  // The directory is there, and empty.
  kPrepared,
  // This worker's file is there; those of others may not be.
  kFileWritten,
  kIndexWritten,
  // From here on the checkpoint counts; older ones are still there.
  kCommitted,
  kDone
};
using CheckpointObserver = std::function<void(CheckpointPoint)>;

// The checkpoints of a job, in a directory that all its workers see:
//
//   DIR/latest                    "step-00000040": the one that counts
//   DIR/step-00000040/index.json
//   DIR/step-00000040/worker-00000-of-00002.safetensors
//
// A checkpoint counts once `latest` names it, which happens last and at once.
// One process prepares and commits, each writes its own file in between. The
// directory keeps the checkpoint that counts and the one before. Thread-safe.
class CheckpointDirectory {
 public:
  explicit CheckpointDirectory(std::string path) : path_(std::move(path)) {}

  // The one that counts; nothing where there is none.
  //
  // Errors: InvalidArgument, naming the file, when what is there is damaged;
  // NotFound when it cannot be read.
  absl::StatusOr<std::optional<CheckpointIndex>> Latest() const;

  // Makes an empty directory for a checkpoint, in place of what an attempt
  // before has left there. `step` is not that of Latest().
  //
  // Errors: Unavailable, with the path and the reason.
  absl::Status Prepare(int64_t step) const;

  // Makes the checkpoint the one that counts, all of whose files are there, and
  // deletes all but it and the one before.
  //
  // Errors: Unavailable, with the path and the reason.
  absl::Status Commit(const CheckpointIndex& index,
                      const CheckpointObserver& observer) const;

  // Path of a file of a checkpoint.
  std::string FilePath(int64_t step, const std::string& name) const;

  const std::string& path() const { return path_; }

 private:
  void DeleteAllBut(const std::string& newest) const;

  const std::string path_;
};

// "worker-00000-of-00002.safetensors".
std::string WorkerFileName(int32_t rank, int32_t world_size);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_CHECKPOINT_CHECKPOINT_DIRECTORY_H_
