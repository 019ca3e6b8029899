#include "coordinator/admin_service.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "coordinator/job.h"
#include "coordinator/pending_call.h"
#include "coordinator/unary_deadline.h"

namespace balancemoe::coordinator {
namespace {

absl::Status TrySetPolicy(JobDirectory& jobs,
                          const v1::SetPolicyRequest& request,
                          SetPolicyReply& reply) {
  BMOE_ASSIGN_OR_RETURN(PolicyChoice choice,
                        ParsePolicyChoice(request.policy()));
  const std::shared_ptr<Job> job = jobs.Find(request.job_id());
  if (job == nullptr) {
    return absl::NotFoundError(absl::StrCat("no job '", request.job_id(), "'"));
  }
  job->SetPolicy(std::move(choice), Iteration(request.first_iteration()),
                 std::move(reply));
  return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* AdminService::SetPolicy(
    grpc::CallbackServerContext* context, const v1::SetPolicyRequest* request,
    v1::SetPolicyResponse* response) {
  const std::shared_ptr<PendingCall> call = PendingCall::Start();
  SetPolicyReply reply =
      [call, response](absl::StatusOr<PolicySchedule::Change> change) {
        if (change.ok()) {
          response->set_previous_policy(change->previous.ToString());
          response->set_first_iteration(change->first_iteration.value());
        }
        call->Answer(change.status());
      };
  absl::Status status = RequireDeadline(*context);
  if (status.ok()) status = TrySetPolicy(jobs_, *request, reply);
  if (!status.ok()) reply(status);
  return call.get();
}

}  // namespace balancemoe::coordinator
