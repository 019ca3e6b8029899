#include "coordinator/cluster/job_membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe::coordinator {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr JobEpoch kEpoch(3);
constexpr Incarnation kCoordinator(9);
constexpr absl::Duration kLease = absl::Seconds(10);
constexpr absl::Time kStart = absl::FromUnixSeconds(3600);

Registration Worker(int32_t rank, uint64_t incarnation,
                    uint64_t generation = 0) {
  return {.job_id = "job",
          .run_id = "run",
          .rank = WorkerRank(rank),
          .shape = {.world_size = 6,
                    .layers = 2,
                    .experts = 8,
                    .expert_bytes = 100},
          .spare_slots = 1,
          .incarnation = Incarnation(incarnation),
          .generation = Generation(generation)};
}

class JobMembershipTest : public ::testing::Test {
 protected:
  void Begin(const Registration& first) {
    members_.emplace(first, kEpoch, kCoordinator, kLease);
    last_ = Admit(first);
  }
  absl::StatusOr<Admission> TryAdmit(const Registration& registration,
                                     absl::Time now = kStart) {
    return members_->Admit(registration, SessionId(++next_session_), now);
  }
  Admission Admit(const Registration& registration) {
    auto admission = TryAdmit(registration);
    EXPECT_THAT(admission, IsOk());
    return *admission;
  }
  Fencing FencingOf(const Registration& worker, const Admission& admission) {
    return {.job_id = "job",
            .rank = worker.rank,
            .session = admission.session,
            .epoch = kEpoch,
            .coordinator = kCoordinator,
            .worker = worker.incarnation,
            .generation = admission.generation};
  }

  std::optional<JobMembership> members_;
  Admission last_;
  uint64_t next_session_ = 0;
};

TEST_F(JobMembershipTest, SameIncarnationGetsTheSameSessionAndNoGeneration) {
  Begin(Worker(0, 100));

  const Admission again = Admit(Worker(0, 100));

  EXPECT_EQ(again.session, last_.session);
  EXPECT_EQ(again.generation, Generation(1));
  EXPECT_FALSE(again.new_generation);
  EXPECT_FALSE(again.new_incarnation);
}

TEST_F(JobMembershipTest, NewIncarnationTakesTheRankAndBeginsAGeneration) {
  Begin(Worker(0, 100));
  const Admission old = Admit(Worker(1, 101));

  const Admission replacement = Admit(Worker(1, 201));

  EXPECT_EQ(replacement.generation, Generation(2));
  EXPECT_TRUE(replacement.new_generation);
  EXPECT_NE(replacement.session, old.session);
  EXPECT_EQ(members_->Check(FencingOf(Worker(1, 101), old)),
            Staleness::kIncarnation);
  EXPECT_THAT(TryAdmit(Worker(1, 101)), HasCode(absl::StatusCode::kAborted));
}

TEST_F(JobMembershipTest, WorkersThatAllDiedComeBackInOneNewGeneration) {
  Begin(Worker(0, 100));
  Admit(Worker(1, 101));
  members_->Expire(kStart + kLease);

  const Admission first = Admit(Worker(0, 200));
  const Admission second = Admit(Worker(1, 201));

  EXPECT_EQ(first.generation, Generation(2));
  EXPECT_EQ(second.generation, Generation(2));
  EXPECT_FALSE(second.new_generation);
}

TEST_F(JobMembershipTest, RestartedCoordinatorTakesUpTheWorkersGeneration) {
  Begin(Worker(0, 100, 5));

  const Admission second = Admit(Worker(1, 101, 5));

  EXPECT_EQ(last_.generation, Generation(5));
  EXPECT_EQ(second.generation, Generation(5));
  EXPECT_FALSE(second.new_generation);
}

// A group of generation `theirs` meets one of generation `ours`, in either
// order, at a coordinator that knows neither: who is not in the group must not
// wait for it for ever.
TEST_F(JobMembershipTest, WorkersOfUnequalGroupsFormANewOne) {
  struct Meeting {
    uint64_t ours;
    uint64_t theirs;
    uint64_t result;
  };
  for (const Meeting& meeting : std::vector<Meeting>{
           {5, 0, 6}, {0, 5, 6}, {5, 4, 6}, {4, 5, 6}, {1, 0, 2}, {0, 1, 2}}) {
    members_.reset();
    Begin(Worker(0, 100, meeting.ours));
    const Admission second = Admit(Worker(1, 101, meeting.theirs));
    const Admission first = Admit(Worker(0, 100, meeting.ours));

    EXPECT_EQ(second.generation, Generation(meeting.result));
    EXPECT_TRUE(second.new_generation);
    EXPECT_EQ(first.generation, Generation(meeting.result));
    EXPECT_FALSE(first.new_generation);
  }
}

TEST_F(JobMembershipTest, SecondRunIsRefusedWhileAnybodyIsAlive) {
  Begin(Worker(0, 100));
  Registration other = Worker(0, 300);
  other.run_id = "other";

  EXPECT_THAT(TryAdmit(other),
              IsStatus(absl::StatusCode::kAlreadyExists,
                       AllOf(HasSubstr("run 'run'"), HasSubstr("workers 0"))));
}

TEST_F(JobMembershipTest, MismatchNamesValuesAndAtMostThreeOthers) {
  Begin(Worker(0, 100));
  for (const int32_t rank : {1, 2, 3, 4}) {
    Admit(Worker(rank, 100 + static_cast<uint64_t>(rank)));
  }
  Registration odd = Worker(5, 105);
  odd.shape.experts = 16;

  EXPECT_THAT(
      TryAdmit(odd),
      IsStatus(absl::StatusCode::kFailedPrecondition,
               AllOf(HasSubstr("worker 5 registers experts 16 instead of 8"),
                     HasSubstr("0, 1, 2 and 2 more"))));
  EXPECT_EQ(members_->state(WorkerRank(5)), WorkerState::kAbsent);
}

TEST_F(JobMembershipTest, EveryPartOfTheFencingIsChecked) {
  const Registration worker = Worker(1, 101);
  Begin(worker);
  const Fencing good = FencingOf(worker, last_);
  Fencing coordinator = good, epoch = good, session = good, incarnation = good,
          generation = good, rank = good;
  coordinator.coordinator = Incarnation(8);
  epoch.epoch = JobEpoch(2);
  session.session = SessionId(999);
  incarnation.worker = Incarnation(102);
  generation.generation = Generation(0);
  rank.rank = WorkerRank(-1);

  EXPECT_EQ(members_->Check(good), std::nullopt);
  EXPECT_EQ(members_->Check(coordinator), Staleness::kCoordinator);
  EXPECT_EQ(members_->Check(epoch), Staleness::kEpoch);
  EXPECT_EQ(members_->Check(session), Staleness::kSession);
  EXPECT_EQ(members_->Check(incarnation), Staleness::kIncarnation);
  EXPECT_EQ(members_->Check(generation), Staleness::kGeneration);
  EXPECT_EQ(members_->Check(rank), Staleness::kSession);
}

TEST_F(JobMembershipTest, SilentWorkerIsLostTheInstantItsLeaseEnds) {
  Begin(Worker(0, 100));
  members_->Connect(WorkerRank(0), kStart);
  members_->Renew(WorkerRank(0), kStart + absl::Seconds(5));

  EXPECT_THAT(
      members_->Expire(kStart + absl::Seconds(15) - absl::Nanoseconds(1)),
      IsEmpty());
  EXPECT_TRUE(members_->AnyoneAlive());
  EXPECT_THAT(members_->Expire(kStart + absl::Seconds(15)),
              ElementsAre(WorkerRank(0)));
  EXPECT_FALSE(members_->AnyoneAlive());
}

// The table of states and events, row by row.
TEST_F(JobMembershipTest, EveryEventInEveryStateLeadsWhereTheTableSays) {
  using S = WorkerState;
  enum Event { kAdmit, kConnect, kDisconnect, kExpire, kLeave };
  const struct {
    S before;
    std::vector<S> after;  // kAdmit, kConnect, kDisconnect, kExpire, kLeave
  } table[] = {
      {S::kRegistered,
       {S::kRegistered, S::kConnected, S::kRegistered, S::kLost, S::kLeft}},
      {S::kConnected,
       {S::kConnected, S::kConnected, S::kLost, S::kLost, S::kLeft}},
      {S::kLost, {S::kRegistered, S::kConnected, S::kLost, S::kLost, S::kLeft}},
      {S::kLeft, {S::kRegistered, S::kConnected, S::kLeft, S::kLeft, S::kLeft}},
  };
  const WorkerRank rank(0);
  for (const auto& row : table) {
    for (const Event event : {kAdmit, kConnect, kDisconnect, kExpire, kLeave}) {
      Begin(Worker(0, 100));
      if (row.before != S::kRegistered) members_->Connect(rank, kStart);
      if (row.before == S::kLost) members_->Disconnect(rank);
      if (row.before == S::kLeft) members_->Leave(rank);
      ASSERT_EQ(members_->state(rank), row.before);

      if (event == kAdmit) Admit(Worker(0, 100));
      if (event == kConnect) members_->Connect(rank, kStart);
      if (event == kDisconnect) members_->Disconnect(rank);
      if (event == kExpire) members_->Expire(kStart + kLease);
      if (event == kLeave) members_->Leave(rank);

      EXPECT_EQ(members_->state(rank), row.after[event])
          << "state " << static_cast<int>(row.before) << ", event " << event;
    }
  }
}

TEST_F(JobMembershipTest, WorkerThatLeftIsNotHeardUntilItRegistersAgain) {
  const Registration worker = Worker(0, 100);
  Begin(worker);
  members_->Leave(worker.rank);

  EXPECT_EQ(members_->Check(FencingOf(worker, last_)), Staleness::kSession);
  const Admission again = Admit(worker);
  EXPECT_EQ(members_->Check(FencingOf(worker, again)), std::nullopt);
}

}  // namespace
}  // namespace balancemoe::coordinator
