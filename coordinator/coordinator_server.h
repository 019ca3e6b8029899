#ifndef BALANCEMOE_COORDINATOR_COORDINATOR_SERVER_H_
#define BALANCEMOE_COORDINATOR_COORDINATOR_SERVER_H_

#include <grpcpp/grpcpp.h>
#include <prometheus/registry.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "coordinator/admin_http_server.h"
#include "coordinator/admin_service.h"
#include "coordinator/coordinator_metrics.h"
#include "coordinator/coordinator_options.h"
#include "coordinator/coordinator_service.h"
#include "coordinator/job_directory.h"
#include "coordinator/listen_address.h"
#include "coordinator/process_metrics.h"

namespace balancemoe::coordinator {

// A whole coordinator: sockets, services and state. Serves from Start to Drain,
// or to its end, which cuts every session off.
//
//   STARTING --> READY --Drain--> DRAINING --> STOPPED
//
// Thread-safe.
class CoordinatorServer {
 public:
  // Errors:
  //   InvalidArgument     an address makes no sense, or is open to others
  //   without
  //                       --allow-insecure; names the flag.
  //   Unavailable         a port cannot be taken; names flag and port.
  //   NotFound, FailedPrecondition, DataLoss
  //                       those of JobEpochStore::Open.
  static absl::StatusOr<std::unique_ptr<CoordinatorServer>> Start(
      CoordinatorOptions options);

  ~CoordinatorServer();

  // "host:port", with the ports that were taken.
  std::string grpc_address() const { return grpc_address_.ToString(); }
  std::string http_address() const { return http_->address().ToString(); }

  // Ends in order: probes and load balancers are told first, then the workers;
  // sessions that do not end within the grace are cut. Blocks until all is
  // over, at most drain delay + grace and a little.
  void Drain();

 private:
  CoordinatorServer(CoordinatorOptions options,
                    std::unique_ptr<JobEpochStore> epochs);
  absl::Status ListenToAll();
  absl::Status ListenToWorkers();
  absl::Status StartHttp();
  std::vector<std::pair<std::string, std::string>> StatusRows() const;

  // Constant after Start.
  const CoordinatorOptions options_;
  const SteadyClock clock_;
  const absl::Time started_;
  ListenAddress grpc_address_;

  std::atomic<bool> draining_ = false;

  // Each uses those before it.
  prometheus::Registry registry_;
  CoordinatorMetrics metrics_;
  const ProcessMetrics process_metrics_;
  std::unique_ptr<LoadRecorder> recorder_;
  JobDirectory jobs_;
  CoordinatorService coordinator_service_;
  AdminService admin_service_;
  std::unique_ptr<grpc::Server> grpc_server_;
  std::unique_ptr<AdminHttpServer> http_;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_COORDINATOR_SERVER_H_
