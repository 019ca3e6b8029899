#include "coordinator/job.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "coordinator/plan_cycle.h"

namespace balancemoe::coordinator {

Job::Job(JobId id, const JobEnvironment& environment)
    : id_(std::move(id)), environment_(environment) {}

void Job::Register(Registration registration, std::string policy,
                   RegisterReply reply) {
  strand_.Post(
      [self = shared_from_this(), registration = std::move(registration),
       policy = std::move(policy), reply = std::move(reply)]() mutable {
        if (self->ended_) {
          // Came while the job ended: it belongs to the next one.
          self->environment_.register_anew(std::move(registration),
                                           std::move(policy), std::move(reply));
          return;
        }
        auto response = self->Admit(registration, policy);
        self->Review();
        reply(std::move(response));
      });
}

absl::StatusOr<v1::RegisterResponse> Job::Admit(
    const Registration& registration, const std::string& policy) {
  if (draining_) return absl::UnavailableError("the coordinator drains");
  BMOE_RETURN_IF_ERROR(BeginRunIfNeeded(registration, policy));
  return run_->Admit(registration);
}

absl::Status Job::BeginRunIfNeeded(const Registration& registration,
                                   const std::string& policy) {
  PolicyChoice choice = environment_.options.default_policy;
  if (!registration.ends_steps) choice = WithinSteps(choice);
  if (!policy.empty()) {
    BMOE_ASSIGN_OR_RETURN(choice, ParsePolicyChoice(policy));
  }
  if (run_ != nullptr && !run_->MakesWayFor(registration)) {
    return absl::OkStatus();
  }
  BMOE_ASSIGN_OR_RETURN(const JobEpoch epoch, environment_.next_epoch(id_));
  if (run_ != nullptr) {
    run_->End(absl::AbortedError("another run has begun"), std::nullopt,
              "another_run");
  }
  if (metrics_ == nullptr) {
    metrics_ = std::make_unique<JobMetrics>(environment_.metrics, id_);
  }
  run_ = std::make_unique<JobRun>(environment_, *metrics_, registration, epoch,
                                  std::move(choice));
  return absl::OkStatus();
}

void Job::Handle(std::shared_ptr<SessionStream> stream,
                 const v1::SessionRequest& message) {
  strand_.Post(
      [self = shared_from_this(), stream = std::move(stream), &message] {
        if (self->draining_) {
          stream->Close(absl::UnavailableError("the coordinator drains"));
        } else if (self->run_ == nullptr) {
          stream->Close(absl::AbortedError("no such job here: register again"));
        } else {
          // Only these change who is there; reports come far more often. Looked
          // at first: afterwards the stream may read the next message into it.
          const bool review = message.has_hello() || message.has_detach();
          self->run_->Handle(stream, message);
          if (review) self->Review();
        }
      });
}

void Job::EndSession(std::shared_ptr<SessionStream> stream,
                     absl::string_view reason) {
  strand_.Post([self = shared_from_this(), stream = std::move(stream),
                reason = std::string(reason)] {
    if (self->run_ == nullptr) return;
    self->run_->EndSession(*stream, reason);
    self->Review();
  });
}

void Job::Rendezvous(RendezvousRequest request, absl::AnyInvocable<bool()> gone,
                     RendezvousReply reply) {
  strand_.Post([self = shared_from_this(), request = std::move(request),
                gone = std::move(gone), reply = std::move(reply)]() mutable {
    if (gone()) {
      reply(absl::CancelledError("the caller has gone"));
    } else if (self->draining_) {
      reply(absl::UnavailableError("the coordinator drains"));
    } else if (self->run_ == nullptr) {
      reply(absl::AbortedError("no such job here: register again"));
    } else {
      self->run_->Rendezvous(std::move(request), std::move(reply));
    }
  });
}

void Job::CancelRendezvous(WaiterId waiter) {
  strand_.Post([self = shared_from_this(), waiter] {
    if (self->run_ != nullptr) self->run_->CancelRendezvous(waiter);
  });
}

void Job::SetPolicy(PolicyChoice choice, Iteration first_iteration,
                    SetPolicyReply reply) {
  strand_.Post([self = shared_from_this(), choice = std::move(choice),
                first_iteration, reply = std::move(reply)]() mutable {
    if (self->run_ == nullptr) {
      reply(absl::NotFoundError(absl::StrCat("no job ", self->id_)));
    } else {
      reply(self->run_->SetPolicy(choice, first_iteration));
    }
  });
}

void Job::Tick() {
  strand_.Post([self = shared_from_this()] {
    if (self->run_ == nullptr) return;
    self->run_->Tick();
    self->Review();
  });
}

void Job::Drain(absl::Duration reconnect_after, std::string reason) {
  strand_.Post(
      [self = shared_from_this(), reconnect_after, reason = std::move(reason)] {
        self->draining_ = true;
        if (self->run_ == nullptr) return;
        v1::SessionResponse message;
        message.mutable_drain()->set_reason(reason);
        message.mutable_drain()->set_reconnect_after_ms(
            absl::ToInt64Milliseconds(reconnect_after));
        self->run_->End(absl::UnavailableError(reason),
                        Encode(Outbound::Kind::kNotice, LayerId(0), message),
                        "drained");
      });
}

void Job::Review() {
  // No run: its first worker was refused, so there is no job either.
  if (run_ == nullptr || run_->IsOver()) {
    End();
  } else {
    ShowPhase(run_->IsComplete() ? Phase::kRunning : Phase::kForming);
  }
}

void Job::End() {
  if (ended_) return;
  ended_ = true;
  if (run_ != nullptr) {
    run_->End(absl::UnavailableError("the job is over"), std::nullopt, "over");
  }
  run_.reset();
  metrics_.reset();
  ShowPhase(Phase::kNone);
  environment_.job_ended(id_);
}

void Job::ShowPhase(Phase phase) {
  if (phase == phase_) return;
  CoordinatorMetrics& metrics = environment_.metrics;
  if (phase_ == Phase::kForming) metrics.forming_jobs.Decrement();
  if (phase_ == Phase::kRunning) metrics.running_jobs.Decrement();
  if (phase == Phase::kForming) metrics.forming_jobs.Increment();
  if (phase == Phase::kRunning) metrics.running_jobs.Increment();
  phase_ = phase;
}

}  // namespace balancemoe::coordinator
