#include "coordinator/job.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/wire/codec.h"
#include "coordinator/random_id.h"

namespace balancemoe::coordinator {

Job::Run::Run(const JobEnvironment& environment, JobMetrics& metrics,
              const Registration& first, JobEpoch epoch, PolicyChoice policy)
    : membership(first, epoch, environment.coordinator,
                 environment.options.lease),
      rendezvous(environment.options.rendezvous, first.shape.world_size),
      cycle(environment, metrics, first.shape, epoch, std::move(policy)),
      sessions(static_cast<size_t>(first.shape.world_size)) {}

Job::Job(JobId id, const JobEnvironment& environment)
    : id_(std::move(id)), environment_(environment) {}

Job::~Job() { ShowPhase(Phase::kNone); }

void Job::Register(Registration registration, std::string policy,
                   RegisterReply reply) {
  strand_.Post(
      [self = shared_from_this(), registration = std::move(registration),
       policy = std::move(policy), reply = std::move(reply)]() mutable {
        reply(self->Admit(registration, policy));
        // Refused, and nobody came before: there is no job.
        if (self->run_ == nullptr) self->End();
      });
}

absl::StatusOr<v1::RegisterResponse> Job::Admit(
    const Registration& registration, const std::string& policy) {
  if (draining_) return absl::UnavailableError("the coordinator drains");
  if (ended_) {
    return absl::UnavailableError(
        absl::StrCat("job ", id_, " has just ended: register again"));
  }
  BMOE_RETURN_IF_ERROR(BeginRunIfNeeded(registration, policy));
  const absl::Time now = environment_.clock.Now();
  BMOE_ASSIGN_OR_RETURN(
      const Admission admission,
      run_->membership.Admit(registration, SessionId(RandomId()), now));
  if (admission.new_generation) {
    FenceAll(absl::StrCat("worker ", registration.rank.value(), " of job ", id_,
                          " is new: form a new group"));
  }
  if (admission.new_incarnation) {
    run_->cycle.SetWorker(registration.rank, registration.spare_slots);
  }
  deserted_since_.reset();
  ShowState();
  return Welcome(admission);
}

absl::Status Job::BeginRunIfNeeded(const Registration& registration,
                                   const std::string& policy) {
  PolicyChoice choice = environment_.options.default_policy;
  if (!policy.empty()) {
    BMOE_ASSIGN_OR_RETURN(choice, ParsePolicyChoice(policy));
  }
  if (run_ != nullptr) {
    const JobMembership& present = run_->membership;
    const bool fits = present.run_id() == registration.run_id &&
                      present.shape() == registration.shape;
    if (fits || present.AnyoneAlive()) return absl::OkStatus();
    run_->rendezvous.Clear(absl::AbortedError("another run has begun"));
  }
  BMOE_ASSIGN_OR_RETURN(const JobEpoch epoch, environment_.next_epoch(id_));
  if (metrics_ == nullptr) {
    metrics_ = std::make_unique<JobMetrics>(environment_.metrics, id_);
  }
  run_ = std::make_unique<Run>(environment_, *metrics_, registration, epoch,
                               std::move(choice));
  return absl::OkStatus();
}

v1::RegisterResponse Job::Welcome(const Admission& admission) const {
  const JobOptions& options = environment_.options;
  v1::RegisterResponse response;
  response.set_session_id(admission.session.value());
  response.set_job_epoch(run_->membership.epoch().value());
  response.set_coordinator_incarnation(environment_.coordinator.value());
  response.set_generation(admission.generation.value());
  response.set_heartbeat_interval_ms(
      absl::ToInt64Milliseconds(options.heartbeat_interval));
  response.set_policy(run_->cycle.schedule().latest().current.ToString());
  response.set_report_deadline_ms(
      absl::ToInt64Milliseconds(options.gather.report_deadline));
  return response;
}

void Job::FenceAll(absl::string_view reason) {
  run_->cycle.Restart();
  run_->rendezvous.Clear(absl::AbortedError(reason));
  v1::SessionResponse message;
  message.mutable_fence()->set_reason(std::string(reason));
  message.mutable_fence()->set_generation(
      run_->membership.generation().value());
  const Outbound fence = Encode(Outbound::Kind::kNotice, LayerId(0), message);
  for (std::shared_ptr<SessionStream>& session : run_->sessions) {
    if (session == nullptr) continue;
    metrics_->session_disconnects["fenced"].Increment();
    session->Send(fence);
    session->Close(absl::AbortedError(reason));
    session.reset();
  }
}

void Job::Handle(std::shared_ptr<SessionStream> stream,
                 const v1::SessionRequest& message) {
  strand_.Post([self = shared_from_this(), stream = std::move(stream),
                &message] { self->Dispatch(stream, message); });
}

void Job::Dispatch(const std::shared_ptr<SessionStream>& stream,
                   const v1::SessionRequest& message) {
  const Fencing fencing = FromProto(message.fencing());
  if (auto refusal = Refuse(*stream, fencing, message.has_hello())) {
    if (const auto rank = RankOf(*stream)) DropSession(*rank, "refused");
    stream->Close(*std::move(refusal));
    return;
  }
  if (message.has_hello()) {
    OpenSession(fencing.rank, stream);
  } else if (absl::Status status = Act(fencing.rank, message); !status.ok()) {
    DropSession(fencing.rank, "bad_input");
    stream->Close(std::move(status));
    return;
  }
  stream->ReadNext();
}

std::optional<absl::Status> Job::Refuse(const SessionStream& stream,
                                        const Fencing& fencing, bool hello) {
  if (draining_) return absl::UnavailableError("the coordinator drains");
  if (run_ == nullptr || fencing.job_id != id_) {
    return absl::AbortedError("not of this job: register again");
  }
  if (const auto stale = run_->membership.Check(fencing)) {
    metrics_->stale_messages[ToString(*stale)].Increment();
    return absl::AbortedError(absl::StrCat("worker ", fencing.rank.value(),
                                           " of job ", id_, ": the ",
                                           ToString(*stale),
                                           " is not the present one: register "
                                           "again"));
  }
  if (!hello && run_->sessions[fencing.rank.index()].get() != &stream) {
    return absl::InvalidArgumentError(
        "the first message of a session must be hello");
  }
  return std::nullopt;
}

absl::Status Job::Act(WorkerRank rank, const v1::SessionRequest& message) {
  run_->membership.Renew(rank, environment_.clock.Now());
  const auto push = [this](const Outbound& outbound) { Push(outbound); };
  switch (message.message_case()) {
    case v1::SessionRequest::kLoadReport: {
      absl::Status taken = run_->cycle.TakeReport(
          rank, message.load_report(), run_->membership.generation(), push);
      environment_.wake_by(run_->cycle.next_deadline());
      return taken;
    }
    case v1::SessionRequest::kHeartbeat: {
      run_->cycle.TakeProgress(Iteration(message.heartbeat().iteration()));
      v1::SessionResponse answer;
      *answer.mutable_heartbeat() = message.heartbeat();
      run_->sessions[rank.index()]->Send(
          Encode(Outbound::Kind::kHeartbeat, LayerId(0), answer));
      return absl::OkStatus();
    }
    case v1::SessionRequest::kPlanResult:
      run_->cycle.TakeResult(rank, message.plan_result());
      return absl::OkStatus();
    case v1::SessionRequest::kCalibration:
      return run_->cycle.TakeCalibration(rank, message.calibration());
    case v1::SessionRequest::kDetach:
      LeaveSession(rank);
      return absl::OkStatus();
    default:
      return absl::InvalidArgumentError("a message without content");
  }
}

void Job::OpenSession(WorkerRank rank, std::shared_ptr<SessionStream> stream) {
  std::shared_ptr<SessionStream>& session = run_->sessions[rank.index()];
  if (session != nullptr && session != stream) {
    metrics_->session_disconnects["replaced"].Increment();
    session->Close(absl::AbortedError("the worker has opened a newer session"));
  }
  session = std::move(stream);
  run_->membership.Connect(rank, environment_.clock.Now());
  run_->cycle.WorkerIsBack();
  v1::SessionResponse message;
  message.mutable_hello_ack();
  session->Send(Encode(Outbound::Kind::kNotice, LayerId(0), message));
  const PolicySchedule::Change& change = run_->cycle.schedule().latest();
  if (change.version > 0) session->Send(EncodeConfigUpdate(change));
  ShowState();
}

void Job::LeaveSession(WorkerRank rank) {
  run_->membership.Leave(rank);
  metrics_->session_disconnects["detached"].Increment();
  const std::shared_ptr<SessionStream> session =
      std::move(run_->sessions[rank.index()]);
  session->Close(absl::OkStatus());
  ShowState();
  EndIfOver(environment_.clock.Now());
}

void Job::EndSession(std::shared_ptr<SessionStream> stream,
                     absl::string_view reason) {
  strand_.Post([self = shared_from_this(), stream = std::move(stream),
                reason = std::string(reason)] {
    if (const auto rank = self->RankOf(*stream)) {
      self->DropSession(*rank, reason);
    }
  });
}

std::optional<WorkerRank> Job::RankOf(const SessionStream& stream) const {
  if (run_ == nullptr) return std::nullopt;
  const auto found = std::find_if(
      run_->sessions.begin(), run_->sessions.end(),
      [&](const auto& session) { return session.get() == &stream; });
  if (found == run_->sessions.end()) return std::nullopt;
  return WorkerRank(static_cast<int32_t>(found - run_->sessions.begin()));
}

void Job::DropSession(WorkerRank rank, absl::string_view reason) {
  run_->membership.Disconnect(rank);
  metrics_->session_disconnects[reason].Increment();
  run_->sessions[rank.index()].reset();
  ShowState();
}

void Job::Push(const Outbound& message) {
  for (const std::shared_ptr<SessionStream>& session : run_->sessions) {
    if (session != nullptr) session->Send(message);
  }
}

void Job::Rendezvous(RendezvousRequest request, absl::AnyInvocable<bool()> gone,
                     RendezvousReply reply) {
  strand_.Post([self = shared_from_this(), request = std::move(request),
                gone = std::move(gone), reply = std::move(reply)]() mutable {
    if (gone()) {
      reply(absl::CancelledError("the caller has gone"));
    } else {
      self->CallRendezvous(std::move(request), std::move(reply));
    }
  });
}

void Job::CallRendezvous(RendezvousRequest request, RendezvousReply reply) {
  if (draining_ || ended_) {
    reply(absl::UnavailableError("the coordinator drains, or the job is over"));
    return;
  }
  const auto stale = run_ == nullptr ? std::optional(Staleness::kSession)
                                     : run_->membership.Check(request.fencing);
  if (stale.has_value()) {
    if (metrics_ != nullptr) {
      metrics_->stale_messages[ToString(*stale)].Increment();
    }
    reply(
        absl::AbortedError(absl::StrCat("job ", id_, ": the ", ToString(*stale),
                                        " is not the present one: register "
                                        "again")));
    return;
  }
  run_->membership.Renew(request.fencing.rank, environment_.clock.Now());
  switch (request.kind) {
    case RendezvousRequest::Kind::kPut:
      run_->rendezvous.Put(request.name, std::move(request.value),
                           std::move(reply));
      return;
    case RendezvousRequest::Kind::kGet:
      run_->rendezvous.Get(request.name, request.waiter, std::move(reply));
      return;
    case RendezvousRequest::Kind::kBarrier:
      run_->rendezvous.Barrier(request.name, request.fencing.rank,
                               request.waiter, std::move(reply));
      return;
  }
}

void Job::CancelRendezvous(WaiterId waiter) {
  strand_.Post([self = shared_from_this(), waiter] {
    if (self->run_ != nullptr) self->run_->rendezvous.Cancel(waiter);
  });
}

void Job::SetPolicy(PolicyChoice choice, Iteration first_iteration,
                    SetPolicyReply reply) {
  strand_.Post([self = shared_from_this(), choice = std::move(choice),
                first_iteration, reply = std::move(reply)]() mutable {
    if (self->run_ == nullptr || self->ended_) {
      reply(absl::NotFoundError(absl::StrCat("no job ", self->id_)));
      return;
    }
    const uint64_t before = self->run_->cycle.schedule().latest().version;
    const PolicySchedule::Change change =
        self->run_->cycle.SetPolicy(choice, first_iteration);
    if (change.version != before) self->Push(EncodeConfigUpdate(change));
    reply(change);
  });
}

void Job::Tick() {
  strand_.Post([self = shared_from_this()] {
    const absl::Time now = self->environment_.clock.Now();
    if (self->run_ == nullptr) return;
    self->run_->cycle.Expire([&](const Outbound& m) { self->Push(m); });
    self->EndLeases(now);
    self->EvictSlowReaders(now);
    self->environment_.wake_by(self->run_->cycle.next_deadline());
    self->ShowState();
    self->EndIfOver(now);
  });
}

void Job::EndLeases(absl::Time now) {
  for (const WorkerRank rank : run_->membership.Expire(now)) {
    const std::shared_ptr<SessionStream> session = run_->sessions[rank.index()];
    if (session == nullptr) continue;
    DropSession(rank, "silent");
    session->Close(absl::AbortedError(
        absl::StrCat("worker ", rank.value(), " was silent for ",
                     absl::FormatDuration(environment_.options.lease))));
  }
}

void Job::EvictSlowReaders(absl::Time now) {
  for (size_t i = 0; i < run_->sessions.size(); ++i) {
    const std::shared_ptr<SessionStream> session = run_->sessions[i];
    if (session == nullptr) continue;
    const absl::Time limit =
        session->stalled_since() + environment_.options.write_timeout;
    if (limit > now) continue;
    environment_.metrics.slow_consumer_evictions.Increment();
    DropSession(WorkerRank(static_cast<int32_t>(i)), "slow_reader");
    session->Cancel();
  }
}

void Job::EndIfOver(absl::Time now) {
  const JobMembership& members = run_->membership;
  if (members.AnyoneAlive()) {
    deserted_since_.reset();
    return;
  }
  // All who came have said goodbye: nobody will come back.
  if (members.Count(WorkerState::kLost) == 0) return End();
  if (!deserted_since_.has_value()) deserted_since_ = now;
  if (now >= *deserted_since_ + environment_.options.job_linger) End();
}

void Job::End() {
  if (ended_) return;
  ended_ = true;
  if (run_ != nullptr) {
    run_->rendezvous.Clear(absl::UnavailableError("the job is over"));
    run_.reset();
  }
  ShowPhase(Phase::kNone);
  metrics_.reset();
  environment_.job_ended(id_);
}

void Job::Drain(absl::Duration reconnect_after, std::string reason) {
  strand_.Post([self = shared_from_this(), reconnect_after,
                reason = std::move(reason)] {
    self->draining_ = true;
    if (self->run_ == nullptr) return;
    self->run_->rendezvous.Clear(absl::UnavailableError(reason));
    v1::SessionResponse message;
    message.mutable_drain()->set_reason(reason);
    message.mutable_drain()->set_reconnect_after_ms(
        absl::ToInt64Milliseconds(reconnect_after));
    const Outbound drain = Encode(Outbound::Kind::kNotice, LayerId(0), message);
    for (std::shared_ptr<SessionStream>& session : self->run_->sessions) {
      if (session == nullptr) continue;
      self->metrics_->session_disconnects["drained"].Increment();
      session->Send(drain);
      session->Close(absl::UnavailableError(reason));
      session.reset();
    }
  });
}

void Job::ShowState() {
  const JobMembership& members = run_->membership;
  metrics_->epoch->Set(static_cast<double>(members.epoch().value()));
  metrics_->generation->Set(static_cast<double>(members.generation().value()));
  const int32_t connected = members.Count(WorkerState::kConnected);
  metrics_->workers["connected"].Set(connected);
  metrics_->workers["registered"].Set(members.Count(WorkerState::kRegistered));
  metrics_->workers["lost"].Set(members.Count(WorkerState::kLost));
  metrics_->sessions->Set(static_cast<double>(
      std::count_if(run_->sessions.begin(), run_->sessions.end(),
                    [](const auto& session) { return session != nullptr; })));
  ShowPhase(connected == members.shape().world_size ? Phase::kRunning
                                                    : Phase::kForming);
}

void Job::ShowPhase(Phase phase) {
  if (phase == phase_) return;
  if (phase_ == Phase::kForming) environment_.metrics.forming_jobs.Decrement();
  if (phase_ == Phase::kRunning) environment_.metrics.running_jobs.Decrement();
  if (phase == Phase::kForming) environment_.metrics.forming_jobs.Increment();
  if (phase == Phase::kRunning) environment_.metrics.running_jobs.Increment();
  phase_ = phase;
}

}  // namespace balancemoe::coordinator
