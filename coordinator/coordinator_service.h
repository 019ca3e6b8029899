#ifndef BALANCEMOE_COORDINATOR_COORDINATOR_SERVICE_H_
#define BALANCEMOE_COORDINATOR_COORDINATOR_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>

#include "balancemoe/v1/coordinator.grpc.pb.h"
#include "common/clock.h"
#include "coordinator/coordinator_metrics.h"
#include "coordinator/job.h"
#include "coordinator/job_directory.h"

namespace balancemoe::coordinator {

// The workers' side of the coordinator: decodes, asks the job, encodes. Session
// is served as raw bytes, see SessionReactor.
//
// Thread-safe.
class CoordinatorService final
    : public v1::CoordinatorService::WithCallbackMethod_Register<
          v1::CoordinatorService::WithRawCallbackMethod_Session<
              v1::CoordinatorService::WithCallbackMethod_PutKey<
                  v1::CoordinatorService::WithCallbackMethod_GetKey<
                      v1::CoordinatorService::WithCallbackMethod_Barrier<
                          v1::CoordinatorService::Service>>>>> {
 public:
  // All must outlive the service.
  CoordinatorService(JobDirectory& jobs, CoordinatorMetrics& metrics,
                     const Clock& clock);

  grpc::ServerUnaryReactor* Register(grpc::CallbackServerContext* context,
                                     const v1::RegisterRequest* request,
                                     v1::RegisterResponse* response) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Session(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* PutKey(grpc::CallbackServerContext* context,
                                   const v1::PutKeyRequest* request,
                                   v1::PutKeyResponse* response) override;
  grpc::ServerUnaryReactor* GetKey(grpc::CallbackServerContext* context,
                                   const v1::GetKeyRequest* request,
                                   v1::GetKeyResponse* response) override;
  grpc::ServerUnaryReactor* Barrier(grpc::CallbackServerContext* context,
                                    const v1::BarrierRequest* request,
                                    v1::BarrierResponse* response) override;

  // New registrations are refused from now on.
  void Drain() { draining_ = true; }

 private:
  // `value` gets what was asked for; null when nothing was.
  grpc::ServerUnaryReactor* Rendezvous(grpc::CallbackServerContext* context,
                                       RendezvousRequest request,
                                       std::string* value);
  absl::Status TryRegister(const v1::RegisterRequest& request,
                           RegisterReply& reply);

  JobDirectory& jobs_;
  CoordinatorMetrics& metrics_;
  const Clock& clock_;
  std::atomic<bool> draining_ = false;
  std::atomic<uint64_t> last_waiter_ = 0;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_COORDINATOR_SERVICE_H_
