#include "coordinator/cluster/job_membership.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"

namespace balancemoe::coordinator {
namespace {

constexpr size_t kMostNames = 3;
// A rank that changes hands this often is in a crash loop, and its first
// incarnations are long dead.
constexpr size_t kMostSuperseded = 4096;

bool IsAlive(WorkerState state) {
  return state == WorkerState::kRegistered || state == WorkerState::kConnected;
}

// "1, 4, 5 and 3 more"
std::string NameSome(const std::vector<int32_t>& ranks) {
  const size_t named = std::min(ranks.size(), kMostNames);
  std::string names = absl::StrJoin(
      ranks.begin(), ranks.begin() + static_cast<long>(named), ", ");
  if (ranks.size() > named) {
    absl::StrAppend(&names, " and ", ranks.size() - named, " more");
  }
  return names;
}

}  // namespace

absl::string_view ToString(Staleness staleness) {
  switch (staleness) {
    case Staleness::kCoordinator:
      return "coordinator";
    case Staleness::kEpoch:
      return "epoch";
    case Staleness::kSession:
      return "session";
    case Staleness::kIncarnation:
      return "incarnation";
    case Staleness::kGeneration:
      return "generation";
  }
  return "unknown";
}

JobMembership::JobMembership(const Registration& first, JobEpoch epoch,
                             Incarnation coordinator, absl::Duration lease)
    : job_id_(first.job_id),
      run_id_(first.run_id),
      shape_(first.shape),
      epoch_(epoch),
      coordinator_(coordinator),
      lease_(lease),
      generation_(std::max<uint64_t>(1, first.generation.value())),
      workers_(static_cast<size_t>(first.shape.world_size)) {}

absl::StatusOr<Admission> JobMembership::Admit(const Registration& registration,
                                               SessionId fresh_session,
                                               absl::Time now) {
  BMOE_RETURN_IF_ERROR(CheckAdmissible(registration));
  const Generation before = generation_;
  Worker& worker = workers_[registration.rank.index()];
  const bool known = worker.incarnation == registration.incarnation;
  const bool replaced = !known && worker.incarnation != Incarnation(0);
  if (replaced && !AnyoneAlive()) {
    // All died and come back: their old incarnations need not be replaced one
    // by one, each with a generation of its own.
    for (Worker& old : workers_) {
      Supersede(old.incarnation);
      old = Worker();
    }
  } else if (replaced) {
    Supersede(worker.incarnation);
  }
  SettleGeneration(registration, known, replaced);

  if (!known) worker = Worker();
  if (worker.session == SessionId(0)) worker.session = fresh_session;
  worker.incarnation = registration.incarnation;
  if (worker.state != WorkerState::kConnected) {
    worker.state = WorkerState::kRegistered;
  }
  worker.lease_ends = now + lease_;
  return Admission{.session = worker.session,
                   .generation = generation_,
                   .new_generation = generation_ != before,
                   .new_incarnation = !known};
}

absl::Status JobMembership::CheckAdmissible(
    const Registration& registration) const {
  if (registration.run_id != run_id_) {
    return absl::AlreadyExistsError(
        absl::StrCat("job ", job_id_, ": run '", run_id_,
                     "' uses this job id, and its workers ", SomeAlive(),
                     " are alive; choose another job id for run '",
                     registration.run_id, "'"));
  }
  if (registration.shape != shape_) return ShapeMismatch(registration);
  if (superseded_.contains(registration.incarnation)) {
    return absl::AbortedError(
        absl::StrCat("worker ", registration.rank.value(),
                     ": a newer process has taken this rank of job ", job_id_));
  }
  return absl::OkStatus();
}

absl::Status JobMembership::ShapeMismatch(
    const Registration& registration) const {
  std::vector<std::string> differences;
  const auto compare = [&](absl::string_view name, int64_t mine,
                           int64_t theirs) {
    if (mine == theirs) return;
    differences.push_back(
        absl::StrCat(name, " ", mine, " instead of ", theirs));
  };
  const JobShape& mine = registration.shape;
  compare("world size", mine.world_size, shape_.world_size);
  compare("layers", mine.layers, shape_.layers);
  compare("experts", mine.experts, shape_.experts);
  compare("expert bytes", mine.expert_bytes, shape_.expert_bytes);
  return absl::FailedPreconditionError(
      absl::StrCat("job ", job_id_, ": worker ", registration.rank.value(),
                   " registers ", absl::StrJoin(differences, ", "),
                   " as registered by worker ", SomeAlive()));
}

std::string JobMembership::SomeAlive() const {
  std::vector<int32_t> ranks;
  for (size_t i = 0; i < workers_.size(); ++i) {
    if (IsAlive(workers_[i].state)) ranks.push_back(static_cast<int32_t>(i));
  }
  return NameSome(ranks);
}

void JobMembership::Supersede(Incarnation incarnation) {
  if (incarnation == Incarnation(0)) return;
  if (superseded_.size() >= kMostSuperseded) superseded_.clear();
  superseded_.insert(incarnation);
}

void JobMembership::SettleGeneration(const Registration& registration,
                                     bool known, bool replaced) {
  const uint64_t theirs = registration.generation.value();
  const uint64_t ours = generation_.value();
  if (theirs > ours || replaced) {
    BeginGeneration(std::max(theirs, ours) + 1);
    return;
  }
  if (known) return;
  // Somebody in the present group and somebody outside it could wait for each
  // other for ever: let all form a new one.
  const bool grouped = theirs == ours;
  if ((grouped && somebody_ungrouped_) || (!grouped && somebody_grouped_)) {
    BeginGeneration(ours + 1);
    return;
  }
  (grouped ? somebody_grouped_ : somebody_ungrouped_) = true;
}

void JobMembership::BeginGeneration(uint64_t number) {
  generation_ = Generation(number);
  somebody_grouped_ = false;
  somebody_ungrouped_ = true;
  for (Worker& worker : workers_) {
    if (worker.state == WorkerState::kConnected) {
      worker.state = WorkerState::kRegistered;
    }
  }
}

std::optional<Staleness> JobMembership::Check(const Fencing& fencing) const {
  if (fencing.coordinator != coordinator_) return Staleness::kCoordinator;
  if (fencing.epoch != epoch_) return Staleness::kEpoch;
  if (fencing.rank.value() < 0 || fencing.rank.value() >= shape_.world_size) {
    return Staleness::kSession;
  }
  const Worker& worker = workers_[fencing.rank.index()];
  if (fencing.worker != worker.incarnation) return Staleness::kIncarnation;
  if (worker.session == SessionId(0) || fencing.session != worker.session) {
    return Staleness::kSession;
  }
  if (fencing.generation != generation_) return Staleness::kGeneration;
  return std::nullopt;
}

void JobMembership::Connect(WorkerRank rank, absl::Time now) {
  workers_[rank.index()].state = WorkerState::kConnected;
  Renew(rank, now);
}

void JobMembership::Disconnect(WorkerRank rank) {
  Worker& worker = workers_[rank.index()];
  if (worker.state == WorkerState::kConnected)
    worker.state = WorkerState::kLost;
}

void JobMembership::Leave(WorkerRank rank) {
  Worker& worker = workers_[rank.index()];
  worker.state = WorkerState::kLeft;
  // Whatever it still has to say is not heard.
  worker.session = SessionId(0);
}

void JobMembership::Renew(WorkerRank rank, absl::Time now) {
  workers_[rank.index()].lease_ends = now + lease_;
}

std::vector<WorkerRank> JobMembership::Expire(absl::Time now) {
  std::vector<WorkerRank> expired;
  for (size_t i = 0; i < workers_.size(); ++i) {
    Worker& worker = workers_[i];
    if (!IsAlive(worker.state) || worker.lease_ends > now) continue;
    worker.state = WorkerState::kLost;
    expired.push_back(WorkerRank(static_cast<int32_t>(i)));
  }
  return expired;
}

bool JobMembership::AnyoneAlive() const {
  return std::any_of(
      workers_.begin(), workers_.end(),
      [](const Worker& worker) { return IsAlive(worker.state); });
}

int32_t JobMembership::Count(WorkerState state) const {
  return static_cast<int32_t>(
      std::count_if(workers_.begin(), workers_.end(),
                    [state](const Worker& w) { return w.state == state; }));
}

}  // namespace balancemoe::coordinator
