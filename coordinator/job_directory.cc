#include "coordinator/job_directory.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/random_id.h"

namespace balancemoe::coordinator {
namespace {

// Leases and writes are looked at this often; gathers ask for more.
constexpr absl::Duration kTickPeriod = absl::Milliseconds(500);

}  // namespace

JobDirectory::JobDirectory(JobOptions options, const Clock& clock,
                           CoordinatorMetrics& metrics, LoadRecorder* recorder,
                           std::unique_ptr<JobEpochStore> epochs)
    : options_(std::move(options)),
      clock_(clock),
      metrics_(metrics),
      environment_{
          .options = options_,
          .clock = clock_,
          .metrics = metrics_,
          .coordinator = Incarnation(RandomId()),
          .recorder = recorder,
          .next_epoch = [this](const JobId& id) { return NextEpoch(id); },
          .wake_by = [this](absl::Time when) { deadlines_.WakeBy(when); },
          .register_anew =
              [this](Registration registration, std::string policy,
                     RegisterReply reply) {
                Register(std::move(registration), std::move(policy),
                         std::move(reply));
              },
          .job_ended = [this](const JobId& id) { Remove(id); }},
      epochs_(std::move(epochs)),
      deadlines_(clock_, kTickPeriod, [this] { Tick(); }) {}

std::shared_ptr<Job> JobDirectory::Find(const JobId& id) {
  MutexLock lock(&mutex_);
  const auto found = job_by_id_.find(id);
  return found == job_by_id_.end() ? nullptr : found->second;
}

void JobDirectory::Register(Registration registration, std::string policy,
                            RegisterReply reply) {
  const auto job = FindOrCreate(registration.job_id);
  if (!job.ok()) {
    reply(job.status());
    return;
  }
  (*job)->Register(std::move(registration), std::move(policy),
                   std::move(reply));
}

absl::StatusOr<std::shared_ptr<Job>> JobDirectory::FindOrCreate(
    const JobId& id) {
  MutexLock lock(&mutex_);
  const auto found = job_by_id_.find(id);
  if (found != job_by_id_.end()) return found->second;
  if (job_by_id_.size() >= options_.limits.jobs) {
    return absl::ResourceExhaustedError(
        absl::StrCat("job ", id, ": the coordinator serves ", job_by_id_.size(),
                     " jobs already, which is its limit"));
  }
  auto job = std::make_shared<Job>(id, environment_);
  job_by_id_.emplace(id, job);
  return job;
}

void JobDirectory::Drain(absl::Duration reconnect_after,
                         const std::string& reason) {
  for (const std::shared_ptr<Job>& job : All()) {
    job->Drain(reconnect_after, reason);
  }
}

std::vector<std::shared_ptr<Job>> JobDirectory::All() {
  MutexLock lock(&mutex_);
  std::vector<std::shared_ptr<Job>> jobs;
  for (const auto& [id, job] : job_by_id_) jobs.push_back(job);
  return jobs;
}

void JobDirectory::Tick() {
  for (const std::shared_ptr<Job>& job : All()) job->Tick();
}

void JobDirectory::Remove(const JobId& id) {
  std::shared_ptr<Job> removed;
  MutexLock lock(&mutex_);
  const auto found = job_by_id_.find(id);
  if (found == job_by_id_.end()) return;
  removed = std::move(found->second);
  job_by_id_.erase(found);
}

absl::StatusOr<JobEpoch> JobDirectory::NextEpoch(const JobId& id) {
  MutexLock lock(&epochs_mutex_);
  const absl::Time began = clock_.Now();
  absl::StatusOr<JobEpoch> epoch = epochs_->Next(id);
  metrics_.state_write_duration.Observe(
      absl::ToDoubleSeconds(clock_.Now() - began));
  if (!epoch.ok()) metrics_.state_write_errors.Increment();
  return epoch;
}

}  // namespace balancemoe::coordinator
