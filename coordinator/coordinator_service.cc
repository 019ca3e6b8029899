#include "coordinator/coordinator_service.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/wire/codec.h"
#include "coordinator/admission.h"
#include "coordinator/pending_call.h"
#include "coordinator/session_reactor.h"
#include "coordinator/unary_deadline.h"

namespace balancemoe::coordinator {

CoordinatorService::CoordinatorService(JobDirectory& jobs,
                                       CoordinatorMetrics& metrics,
                                       const Clock& clock)
    : jobs_(jobs), metrics_(metrics), clock_(clock) {}

grpc::ServerUnaryReactor* CoordinatorService::Register(
    grpc::CallbackServerContext* context, const v1::RegisterRequest* request,
    v1::RegisterResponse* response) {
  const std::shared_ptr<PendingCall> call = PendingCall::Start();
  RegisterReply reply =
      [this, call, response](absl::StatusOr<v1::RegisterResponse> result) {
        if (result.ok()) {
          *response = *std::move(result);
        } else {
          metrics_.admission_rejected
              .Add({{"reason", absl::AsciiStrToLower(absl::StatusCodeToString(
                                   result.status().code()))}})
              .Increment();
        }
        call->Answer(result.status());
      };
  absl::Status status = RequireDeadline(*context);
  if (status.ok()) status = TryRegister(*request, reply);
  if (!status.ok()) reply(status);
  return call.get();
}

absl::Status CoordinatorService::TryRegister(const v1::RegisterRequest& request,
                                             RegisterReply& reply) {
  if (draining_) return absl::UnavailableError("the coordinator drains");
  BMOE_ASSIGN_OR_RETURN(Registration registration,
                        DecodeRegistration(request, jobs_.options().limits));
  jobs_.Register(std::move(registration), request.policy(), std::move(reply));
  return absl::OkStatus();
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>*
CoordinatorService::Session(grpc::CallbackServerContext* context) {
  return SessionReactor::Start(context, jobs_, metrics_, clock_);
}

grpc::ServerUnaryReactor* CoordinatorService::PutKey(
    grpc::CallbackServerContext* context, const v1::PutKeyRequest* request,
    v1::PutKeyResponse* /*response*/) {
  return Rendezvous(context,
                    {.kind = RendezvousRequest::Kind::kPut,
                     .fencing = FromProto(request->fencing()),
                     .name = request->key(),
                     .value = request->value(),
                     .waiter = WaiterId()},
                    nullptr);
}

grpc::ServerUnaryReactor* CoordinatorService::GetKey(
    grpc::CallbackServerContext* context, const v1::GetKeyRequest* request,
    v1::GetKeyResponse* response) {
  return Rendezvous(context,
                    {.kind = RendezvousRequest::Kind::kGet,
                     .fencing = FromProto(request->fencing()),
                     .name = request->key(),
                     .value = "",
                     .waiter = WaiterId(++last_waiter_)},
                    response->mutable_value());
}

grpc::ServerUnaryReactor* CoordinatorService::Barrier(
    grpc::CallbackServerContext* context, const v1::BarrierRequest* request,
    v1::BarrierResponse* /*response*/) {
  return Rendezvous(context,
                    {.kind = RendezvousRequest::Kind::kBarrier,
                     .fencing = FromProto(request->fencing()),
                     .name = request->name(),
                     .value = "",
                     .waiter = WaiterId(++last_waiter_)},
                    nullptr);
}

grpc::ServerUnaryReactor* CoordinatorService::Rendezvous(
    grpc::CallbackServerContext* context, RendezvousRequest request,
    std::string* value) {
  const std::shared_ptr<PendingCall> call = PendingCall::Start();
  if (absl::Status status = RequireDeadline(*context); !status.ok()) {
    call->Answer(status);
    return call.get();
  }
  const std::shared_ptr<Job> job = jobs_.Find(request.fencing.job_id);
  if (job == nullptr) {
    call->Answer(absl::AbortedError("no such job here: register again"));
    return call.get();
  }
  call->on_cancel(
      [job, waiter = request.waiter] { job->CancelRendezvous(waiter); });
  job->Rendezvous(
      std::move(request), [call] { return call->cancelled(); },
      [call, value](absl::StatusOr<std::string> answer) {
        if (answer.ok() && value != nullptr) *value = *std::move(answer);
        call->Answer(answer.status());
      });
  return call.get();
}

}  // namespace balancemoe::coordinator
