#ifndef BALANCEMOE_COORDINATOR_LOAD_RECORDER_H_
#define BALANCEMOE_COORDINATOR_LOAD_RECORDER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "coordinator/coordinator_metrics.h"
#include "coordinator/session/iteration_gather.h"

namespace balancemoe::coordinator {

// Appends text to the files of a directory, on a thread of its own, so that
// nobody who plans waits for a disk. Thread-safe.
class LoadRecorder {
 public:
  struct Options {
    std::string directory;
    // Text that may wait for the disk; what comes on top is refused.
    size_t most_waiting_bytes = size_t{64} << 20;
  };

  // Makes the directory of a recorder to come.
  //
  // Errors: NotFound when it cannot be made or written.
  static absl::Status MakeDirectory(const std::string& directory);

  // The directory is there. `metrics` must outlive the recorder.
  LoadRecorder(Options options, CoordinatorMetrics& metrics);

  // Writes what waits.
  ~LoadRecorder();

  // False when the text is refused, or something for the file was lost before:
  // the file has no gaps, it ends.
  bool Append(const std::string& file, std::string text)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Nothing waits any more, and all that was appended is written.
  void Flush() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Text {
    std::string file;
    std::string text;
  };

  void WriterLoop() ABSL_LOCKS_EXCLUDED(mutex_);
  bool Write(const Text& text) const;

  const Options options_;
  CoordinatorMetrics& metrics_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<Text> waiting_ ABSL_GUARDED_BY(mutex_);
  size_t waiting_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  // Files that have ended.
  std::set<std::string> ended_ ABSL_GUARDED_BY(mutex_);
  std::thread writer_;
};

// The loads of one epoch of a job as a trace, JOB-EPOCH.csv: iterations of
// which all layers came from all workers, ascending; others are left out.
//
// Not thread-safe; belongs to the strand of its job.
class JobLoadRecord {
 public:
  // `recorder` must outlive this; null: nothing is recorded.
  JobLoadRecord(LoadRecorder* recorder, const JobId& job, JobEpoch epoch,
                int32_t layers);

  void Add(const CompleteGather& gather);

 private:
  LoadRecorder* recorder_;
  const std::string file_;
  const size_t layers_;
  // The newest that was recorded.
  std::optional<Iteration> recorded_;
  // Its layers so far.
  Iteration iteration_;
  std::map<LayerId, std::string> rows_by_layer_;
};

// "JOB-EPOCH.csv", with %XX for what file names should not have.
std::string RecordFileName(const JobId& job, JobEpoch epoch);

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_LOAD_RECORDER_H_
