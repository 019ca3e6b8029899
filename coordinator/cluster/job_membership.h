#ifndef BALANCEMOE_COORDINATOR_CLUSTER_JOB_MEMBERSHIP_H_
#define BALANCEMOE_COORDINATOR_CLUSTER_JOB_MEMBERSHIP_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/fencing.h"
#include "common/ids.h"
#include "common/planning/job_placement.h"

namespace balancemoe::coordinator {

// What all workers of a job must agree on.
struct JobShape {
  int32_t world_size = 0;
  int32_t layers = 0;
  // Per layer.
  int32_t experts = 0;
  // Parameters of one expert.
  int64_t expert_bytes = 0;

  bool operator==(const JobShape&) const = default;
};

// A worker's wish to join.
struct Registration {
  JobId job_id;
  std::string run_id;
  WorkerRank rank;
  JobShape shape;
  int32_t spare_slots = 0;
  // Of a cluster, below the world size.
  int32_t node = 0;
  Incarnation incarnation;
  // Of the group that the worker is in; 0: none yet.
  Generation generation;
  // Where its experts live.
  JobPlacement placement = {};
  // Whether the job says when its steps end.
  bool ends_steps = false;
};

struct Admission {
  SessionId session;
  Generation generation;
  // The generation rose: every other worker must register again.
  bool new_generation = false;
  // The rank is held by a process that was not known before.
  bool new_incarnation = false;
};

// Why a message is from a former life of something.
enum class Staleness {
  kCoordinator,
  kEpoch,
  kSession,
  kIncarnation,
  kGeneration
};
// "coordinator", "epoch", ...: a metric label.
absl::string_view ToString(Staleness staleness);

enum class WorkerState { kAbsent, kRegistered, kConnected, kLost, kLeft };

// Who belongs to one run of a job, and in which generation. Each worker:
//
//   ABSENT --Admit--> REGISTERED --Connect--> CONNECTED
//   CONNECTED --Disconnect--> LOST
//   REGISTERED, CONNECTED --lease runs out--> LOST --Admit, Connect--> (back)
//   any --Leave--> LEFT --Admit--> REGISTERED
//
// A worker is alive while it is REGISTERED or CONNECTED. A new incarnation of a
// rank takes the rank over and begins a generation; the old one is refused from
// then on. Not thread-safe; belongs to the strand of its job.
class JobMembership {
 public:
  // The run begins with `first`, whose group's generation, if it is in one, is
  // taken up: the coordinator restarted under a running job. `lease` is how
  // long a worker may stay silent.
  JobMembership(const Registration& first, JobEpoch epoch,
                Incarnation coordinator, absl::Duration lease);

  // `fresh_session` becomes the worker's session unless it has one already.
  //
  // Errors:
  //   AlreadyExists       another run, and somebody of this one is alive.
  //   FailedPrecondition  the shape differs; names at most three other workers.
  //   Aborted             a newer incarnation holds the rank.
  absl::StatusOr<Admission> Admit(const Registration& registration,
                                  SessionId fresh_session, absl::Time now);

  // What makes `fencing` stale; nullopt when it speaks of the present.
  std::optional<Staleness> Check(const Fencing& fencing) const;

  // These take ranks that Check has let pass.
  void Connect(WorkerRank rank, absl::Time now);
  void Disconnect(WorkerRank rank);
  void Leave(WorkerRank rank);
  void Renew(WorkerRank rank, absl::Time now);
  // Ends the leases that are over by `now`; returns whose.
  std::vector<WorkerRank> Expire(absl::Time now);

  bool AnyoneAlive() const;
  // Workers in `state`.
  int32_t Count(WorkerState state) const;
  WorkerState state(WorkerRank rank) const {
    return workers_[rank.index()].state;
  }

  const std::string& run_id() const { return run_id_; }
  const JobShape& shape() const { return shape_; }
  JobEpoch epoch() const { return epoch_; }
  Generation generation() const { return generation_; }

 private:
  struct Worker {
    WorkerState state = WorkerState::kAbsent;
    SessionId session;
    Incarnation incarnation;
    absl::Time lease_ends;
  };

  absl::Status CheckAdmissible(const Registration& registration) const;
  absl::Status ShapeMismatch(const Registration& registration) const;
  // Ranks that are alive, at most three of them, for messages.
  std::string SomeAlive() const;
  void Supersede(Incarnation incarnation);
  void SettleGeneration(const Registration& registration, bool known,
                        bool replaced);
  void BeginGeneration(uint64_t number);

  const JobId job_id_;
  const std::string run_id_;
  const JobShape shape_;
  const JobEpoch epoch_;
  const Incarnation coordinator_;
  const absl::Duration lease_;

  Generation generation_;
  // Whether some worker came with a group of this generation, and whether some
  // worker has none of it; not both, or they would never meet.
  bool somebody_grouped_ = false;
  bool somebody_ungrouped_ = false;
  // By rank.
  std::vector<Worker> workers_;
  // Incarnations that lost their rank.
  std::set<Incarnation> superseded_;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_CLUSTER_JOB_MEMBERSHIP_H_
