#include "worker/bench/policy_switch.h"

#include <grpc/grpc.h>
#include <grpcpp/grpcpp.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "balancemoe/v1/admin.grpc.pb.h"

namespace balancemoe::worker {
namespace {

constexpr std::chrono::seconds kTimeout(5);

}  // namespace

absl::Status SwitchPolicy(const std::string& address, const std::string& job_id,
                          const std::string& policy) {
  grpc::ChannelArguments arguments;
  // A proxy in the environment would be used for 127.0.0.1 too.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  const auto stub = v1::AdminService::NewStub(grpc::CreateCustomChannel(
      address, grpc::InsecureChannelCredentials(), arguments));
  v1::SetPolicyRequest request;
  request.set_job_id(job_id);
  request.set_policy(policy);
  v1::SetPolicyResponse response;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kTimeout);
  const grpc::Status status = stub->SetPolicy(&context, request, &response);
  if (status.ok()) return absl::OkStatus();
  return absl::Status(
      static_cast<absl::StatusCode>(status.error_code()),
      absl::StrCat("policy ", policy, ": ", status.error_message()));
}

}  // namespace balancemoe::worker
