#ifndef BALANCEMOE_COORDINATOR_CLUSTER_JOB_EPOCH_STORE_H_
#define BALANCEMOE_COORDINATOR_CLUSTER_JOB_EPOCH_STORE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/ids.h"

namespace balancemoe::coordinator {

// The last epoch of each job, so that epochs never go back: the only state that
// outlives a coordinator. A directory with two files: `lock`, held while the
// process lives, and `epochs`, replaced as a whole each time.
//
// Jobs beyond `max_jobs` are forgotten oldest epoch first; whoever is forgotten
// starts above every epoch that was. Not thread-safe.
class JobEpochStore {
 public:
  // Errors:
  //   NotFound            the directory cannot be made or written; says why.
  //   FailedPrecondition  another coordinator holds it, or a later version
  //   wrote
  //                       it.
  //   DataLoss            the file is damaged; names file and line.
  static absl::StatusOr<std::unique_ptr<JobEpochStore>> Open(
      const std::string& directory, size_t max_jobs = 10'000);

  // Keeps nothing; epochs start above `floor`.
  static std::unique_ptr<JobEpochStore> InMemory(JobEpoch floor);

  ~JobEpochStore();
  JobEpochStore(const JobEpochStore&) = delete;
  JobEpochStore& operator=(const JobEpochStore&) = delete;

  // The next epoch of `job_id`, on disk before this returns. `job_id` has no
  // white space.
  //
  // Errors: Unavailable when it cannot be written; the epoch is then not used
  // up.
  absl::StatusOr<JobEpoch> Next(const JobId& job_id);

 private:
  JobEpochStore(std::string directory, int lock_fd, size_t max_jobs);
  absl::Status Load();
  absl::Status Parse(absl::string_view text, const std::string& path);
  absl::Status Save() const;
  void ForgetOldest();

  // Empty: in memory.
  const std::string directory_;
  const int lock_fd_;
  const size_t max_jobs_;
  std::map<JobId, JobEpoch> epoch_by_job_;
  JobEpoch floor_;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_CLUSTER_JOB_EPOCH_STORE_H_
