#ifndef BALANCEMOE_COORDINATOR_ADMIN_SERVICE_H_
#define BALANCEMOE_COORDINATOR_ADMIN_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "balancemoe/v1/admin.grpc.pb.h"
#include "coordinator/job_directory.h"

namespace balancemoe::coordinator {

// The operators' side of the coordinator. Thread-safe.
class AdminService final : public v1::AdminService::CallbackService {
 public:
  // `jobs` must outlive the service.
  explicit AdminService(JobDirectory& jobs) : jobs_(jobs) {}

  grpc::ServerUnaryReactor* SetPolicy(grpc::CallbackServerContext* context,
                                      const v1::SetPolicyRequest* request,
                                      v1::SetPolicyResponse* response) override;

 private:
  JobDirectory& jobs_;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_ADMIN_SERVICE_H_
