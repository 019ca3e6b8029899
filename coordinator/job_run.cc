#include "coordinator/job_run.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/wire/codec.h"
#include "coordinator/fanout.h"
#include "coordinator/random_id.h"

namespace balancemoe::coordinator {

JobRun::JobRun(const JobEnvironment& environment, JobMetrics& metrics,
               const Registration& first, JobEpoch epoch, PolicyChoice policy)
    : id_(first.job_id),
      environment_(environment),
      metrics_(metrics),
      membership_(first, epoch, environment.coordinator,
                  environment.options.lease),
      rendezvous_(environment.options.rendezvous, first.shape.world_size),
      cycle_(environment, metrics, first.job_id, first.shape, epoch,
             std::move(policy)),
      sessions_(static_cast<size_t>(first.shape.world_size)) {}

bool JobRun::MakesWayFor(const Registration& registration) const {
  const bool fits = membership_.run_id() == registration.run_id &&
                    membership_.shape() == registration.shape;
  return !fits && !membership_.AnyoneAlive();
}

absl::StatusOr<v1::RegisterResponse> JobRun::Admit(
    const Registration& registration) {
  const absl::Time now = environment_.clock.Now();
  BMOE_ASSIGN_OR_RETURN(
      const Admission admission,
      membership_.Admit(registration, SessionId(RandomId()), now));
  if (admission.new_generation) {
    FenceAll(absl::StrCat("worker ", registration.rank.value(), " of job ", id_,
                          " is new: form a new group"));
  }
  cycle_.Admit(registration, admission.new_incarnation);
  deserted_since_.reset();
  ShowState();
  return Welcome(admission);
}

v1::RegisterResponse JobRun::Welcome(const Admission& admission) const {
  const JobOptions& options = environment_.options;
  v1::RegisterResponse response;
  response.set_session_id(admission.session.value());
  response.set_job_epoch(membership_.epoch().value());
  response.set_coordinator_incarnation(environment_.coordinator.value());
  response.set_generation(admission.generation.value());
  response.set_heartbeat_interval_ms(
      absl::ToInt64Milliseconds(options.heartbeat_interval));
  response.set_policy(cycle_.schedule().latest().current.ToString());
  response.set_report_deadline_ms(
      absl::ToInt64Milliseconds(options.gather.report_deadline));
  return response;
}

void JobRun::FenceAll(const std::string& reason) {
  cycle_.Restart();
  v1::SessionResponse message;
  message.mutable_fence()->set_reason(reason);
  message.mutable_fence()->set_generation(membership_.generation().value());
  End(absl::AbortedError(reason),
      Encode(Outbound::Kind::kNotice, LayerId(0), message), "fenced");
}

void JobRun::Handle(const std::shared_ptr<SessionStream>& stream,
                    const v1::SessionRequest& message) {
  const Fencing fencing = FromProto(message.fencing());
  if (auto refusal = Refuse(*stream, fencing, message.has_hello())) {
    if (const auto rank = RankOf(*stream)) DropSession(*rank, "refused");
    stream->Close(*std::move(refusal));
    return;
  }
  if (message.has_hello()) {
    OpenSession(fencing.rank, stream);
    stream->ReadNext();
    return;
  }
  const absl::StatusOr<NextRead> next = Act(fencing.rank, message);
  if (!next.ok()) {
    DropSession(fencing.rank, "bad_input");
    stream->Close(next.status());
  } else if (*next == NextRead::kAfterWrite) {
    stream->ReadAfterWrite();
  } else {
    stream->ReadNext();
  }
}

std::optional<absl::Status> JobRun::Refuse(const SessionStream& stream,
                                           const Fencing& fencing, bool hello) {
  if (fencing.job_id != id_) {
    return absl::AbortedError("not of this job: register again");
  }
  if (const auto stale = membership_.Check(fencing)) {
    metrics_.stale_messages[ToString(*stale)].Increment();
    return Stale(*stale, fencing.rank);
  }
  if (!hello && sessions_[fencing.rank.index()].get() != &stream) {
    return absl::InvalidArgumentError(
        "the first message of a session must be hello");
  }
  return std::nullopt;
}

absl::Status JobRun::Stale(Staleness staleness, WorkerRank rank) const {
  return absl::AbortedError(absl::StrCat(
      "worker ", rank.value(), " of job ", id_, ": the ", ToString(staleness),
      " is not the present one: register again"));
}

absl::StatusOr<JobRun::NextRead> JobRun::TakeReport(
    WorkerRank rank, const v1::LoadReport& report) {
  const auto state =
      cycle_.TakeReport(rank, report, membership_.generation(),
                        [this](const Outbound& message) { Push(message); });
  environment_.wake_by(cycle_.next_deadline());
  BMOE_RETURN_IF_ERROR(state.status());
  // No heartbeat may be kept waiting for longer than until the next.
  const JobOptions& options = environment_.options;
  const bool soon =
      options.gather.report_deadline <= options.heartbeat_interval;
  return soon && *state == PlanCycle::ReportState::kWaiting
             ? NextRead::kAfterWrite
             : NextRead::kNow;
}

absl::StatusOr<JobRun::NextRead> JobRun::Act(
    WorkerRank rank, const v1::SessionRequest& message) {
  membership_.Renew(rank, environment_.clock.Now());
  switch (message.message_case()) {
    case v1::SessionRequest::kLoadReport:
      return TakeReport(rank, message.load_report());
    case v1::SessionRequest::kHeartbeat: {
      cycle_.TakeProgress(Iteration(message.heartbeat().iteration()));
      v1::SessionResponse answer;
      *answer.mutable_heartbeat() = message.heartbeat();
      sessions_[rank.index()]->Send(
          Encode(Outbound::Kind::kHeartbeat, LayerId(0), answer));
      return NextRead::kNow;
    }
    case v1::SessionRequest::kPlanResult:
      cycle_.TakeResult(rank, message.plan_result());
      return NextRead::kNow;
    case v1::SessionRequest::kCalibration:
      BMOE_RETURN_IF_ERROR(cycle_.TakeCalibration(rank, message.calibration()));
      return NextRead::kNow;
    case v1::SessionRequest::kPlacement:
      BMOE_RETURN_IF_ERROR(cycle_.TakePlacement(message.placement()));
      return NextRead::kNow;
    case v1::SessionRequest::kDetach:
      LeaveSession(rank);
      return NextRead::kNow;
    default:
      return absl::InvalidArgumentError("a message without content");
  }
}

void JobRun::OpenSession(WorkerRank rank,
                         std::shared_ptr<SessionStream> stream) {
  std::shared_ptr<SessionStream>& session = sessions_[rank.index()];
  if (session != nullptr && session != stream) {
    metrics_.session_disconnects["replaced"].Increment();
    session->Close(absl::AbortedError("the worker has opened a newer session"));
  }
  session = std::move(stream);
  membership_.Connect(rank, environment_.clock.Now());
  cycle_.WorkerIsBack();
  v1::SessionResponse message;
  message.mutable_hello_ack();
  session->Send(Encode(Outbound::Kind::kNotice, LayerId(0), message));
  const PolicySchedule::Change& change = cycle_.schedule().latest();
  if (change.version > 0) session->Send(EncodeConfigUpdate(change));
  ShowState();
}

void JobRun::LeaveSession(WorkerRank rank) {
  membership_.Leave(rank);
  metrics_.session_disconnects["detached"].Increment();
  const std::shared_ptr<SessionStream> session =
      std::move(sessions_[rank.index()]);
  session->Close(absl::OkStatus());
  ShowState();
}

void JobRun::EndSession(const SessionStream& stream, absl::string_view reason) {
  if (const auto rank = RankOf(stream)) DropSession(*rank, reason);
}

std::optional<WorkerRank> JobRun::RankOf(const SessionStream& stream) const {
  const auto found = std::find_if(
      sessions_.begin(), sessions_.end(),
      [&](const auto& session) { return session.get() == &stream; });
  if (found == sessions_.end()) return std::nullopt;
  return WorkerRank(static_cast<int32_t>(found - sessions_.begin()));
}

void JobRun::DropSession(WorkerRank rank, absl::string_view reason) {
  membership_.Disconnect(rank);
  metrics_.session_disconnects[reason].Increment();
  sessions_[rank.index()].reset();
  ShowState();
}

void JobRun::Push(const Outbound& message) {
  std::vector<std::shared_ptr<SessionStream>> open;
  for (const std::shared_ptr<SessionStream>& session : sessions_) {
    if (session != nullptr) open.push_back(session);
  }
  std::make_shared<Fanout>(message, std::move(open))->Continue();
}

void JobRun::Rendezvous(RendezvousRequest request, RendezvousReply reply) {
  if (const auto stale = membership_.Check(request.fencing)) {
    metrics_.stale_messages[ToString(*stale)].Increment();
    reply(Stale(*stale, request.fencing.rank));
    return;
  }
  membership_.Renew(request.fencing.rank, environment_.clock.Now());
  switch (request.kind) {
    case RendezvousRequest::Kind::kPut:
      rendezvous_.Put(request.name, std::move(request.value), std::move(reply));
      return;
    case RendezvousRequest::Kind::kGet:
      rendezvous_.Get(request.name, request.waiter, std::move(reply));
      return;
    case RendezvousRequest::Kind::kBarrier:
      rendezvous_.Barrier(request.name, request.fencing.rank, request.waiter,
                          std::move(reply));
      return;
  }
}

PolicySchedule::Change JobRun::SetPolicy(const PolicyChoice& choice,
                                         Iteration first_iteration) {
  const uint64_t before = cycle_.schedule().latest().version;
  const PolicySchedule::Change change =
      cycle_.SetPolicy(choice, first_iteration);
  if (change.version != before) Push(EncodeConfigUpdate(change));
  return change;
}

void JobRun::Tick() {
  const absl::Time now = environment_.clock.Now();
  cycle_.Expire([this](const Outbound& message) { Push(message); });
  EndLeases(now);
  EvictSlowReaders(now);
  environment_.wake_by(cycle_.next_deadline());
  ShowState();
}

void JobRun::EndLeases(absl::Time now) {
  for (const WorkerRank rank : membership_.Expire(now)) {
    const std::shared_ptr<SessionStream> session = sessions_[rank.index()];
    if (session == nullptr) continue;
    DropSession(rank, "silent");
    session->Close(absl::AbortedError(
        absl::StrCat("worker ", rank.value(), " was silent for ",
                     absl::FormatDuration(environment_.options.lease))));
  }
}

void JobRun::EvictSlowReaders(absl::Time now) {
  for (size_t i = 0; i < sessions_.size(); ++i) {
    const std::shared_ptr<SessionStream> session = sessions_[i];
    if (session == nullptr) continue;
    const absl::Time limit =
        session->stalled_since() + environment_.options.write_timeout;
    if (limit > now) continue;
    environment_.metrics.slow_consumer_evictions.Increment();
    DropSession(WorkerRank(static_cast<int32_t>(i)), "slow_reader");
    session->Cancel();
  }
}

bool JobRun::IsOver() {
  if (membership_.AnyoneAlive()) {
    deserted_since_.reset();
    return false;
  }
  // All who came have said goodbye: nobody will come back.
  if (membership_.Count(WorkerState::kLost) == 0) return true;
  const absl::Time now = environment_.clock.Now();
  if (!deserted_since_.has_value()) deserted_since_ = now;
  return now >= *deserted_since_ + environment_.options.job_linger;
}

bool JobRun::IsComplete() const {
  return membership_.Count(WorkerState::kConnected) ==
         membership_.shape().world_size;
}

void JobRun::End(const absl::Status& status,
                 const std::optional<Outbound>& farewell,
                 absl::string_view reason) {
  rendezvous_.Clear(status);
  for (std::shared_ptr<SessionStream>& session : sessions_) {
    if (session == nullptr) continue;
    metrics_.session_disconnects[reason].Increment();
    if (farewell.has_value()) session->Send(*farewell);
    session->Close(status);
    session.reset();
  }
}

void JobRun::ShowState() {
  const JobMembership& members = membership_;
  metrics_.epoch->Set(static_cast<double>(members.epoch().value()));
  metrics_.generation->Set(static_cast<double>(members.generation().value()));
  const int32_t connected = members.Count(WorkerState::kConnected);
  metrics_.workers["connected"].Set(connected);
  metrics_.workers["registered"].Set(members.Count(WorkerState::kRegistered));
  metrics_.workers["lost"].Set(members.Count(WorkerState::kLost));
  metrics_.sessions->Set(static_cast<double>(
      std::count_if(sessions_.begin(), sessions_.end(),
                    [](const auto& session) { return session != nullptr; })));
}

}  // namespace balancemoe::coordinator
