#ifndef BALANCEMOE_COORDINATOR_JOB_DIRECTORY_H_
#define BALANCEMOE_COORDINATOR_JOB_DIRECTORY_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "coordinator/cluster/job_epoch_store.h"
#include "coordinator/coordinator_metrics.h"
#include "coordinator/deadline_loop.h"
#include "coordinator/job.h"
#include "coordinator/job_environment.h"

namespace balancemoe::coordinator {

// All jobs of the coordinator, by id. A job begins with its first registration
// and takes itself out when it is over.
//
// Thread-safe. Finding a job waits for nothing but other look-ups: what takes
// long, such as keeping an epoch on disk, happens on the job's own strand.
class JobDirectory {
 public:
  // `clock`, `metrics` and `recorder`, which may be null, must outlive the
  // directory.
  JobDirectory(JobOptions options, const Clock& clock,
               CoordinatorMetrics& metrics, LoadRecorder* recorder,
               std::unique_ptr<JobEpochStore> epochs);

  // Null when there is none.
  std::shared_ptr<Job> Find(const JobId& id) ABSL_LOCKS_EXCLUDED(mutex_);

  // Registers with the job, which begins if there is none. Errors, through the
  // reply: those of Job::Register; ResourceExhausted over the limit on jobs.
  void Register(Registration registration, std::string policy,
                RegisterReply reply) ABSL_LOCKS_EXCLUDED(mutex_);

  // Drains every job.
  void Drain(absl::Duration reconnect_after, const std::string& reason)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const JobOptions& options() const { return options_; }

 private:
  absl::StatusOr<std::shared_ptr<Job>> FindOrCreate(const JobId& id)
      ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<std::shared_ptr<Job>> All() ABSL_LOCKS_EXCLUDED(mutex_);
  void Tick();
  void Remove(const JobId& id) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<JobEpoch> NextEpoch(const JobId& id)
      ABSL_LOCKS_EXCLUDED(epochs_mutex_);

  // Constant after construction.
  const JobOptions options_;
  const Clock& clock_;
  CoordinatorMetrics& metrics_;
  const JobEnvironment environment_;

  // Apart from mutex_: it is held while a disk writes.
  Mutex epochs_mutex_;
  const std::unique_ptr<JobEpochStore> epochs_
      ABSL_PT_GUARDED_BY(epochs_mutex_);

  Mutex mutex_;
  std::map<JobId, std::shared_ptr<Job>> job_by_id_ ABSL_GUARDED_BY(mutex_);

  // Last, so that it ends first: it calls everything above.
  DeadlineLoop deadlines_;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_JOB_DIRECTORY_H_
