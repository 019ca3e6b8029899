#ifndef BALANCEMOE_TESTS_INTEGRATION_AGENT_SCRIPTED_COORDINATOR_H_
#define BALANCEMOE_TESTS_INTEGRATION_AGENT_SCRIPTED_COORDINATOR_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "balancemoe/v1/coordinator.grpc.pb.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "common/planning/plan.h"
#include "common/planning/step_plan.h"

namespace balancemoe {

// A coordinator that answers as a test tells it to: late, wrong, twice, or not
// at all. It speaks real gRPC on a port of its own, admits every worker, and
// keeps rendezvous keys; what it sends when a layer's loads are there is up to
// a script.
class ScriptedCoordinator final : private v1::CoordinatorService::Service {
 public:
  // What to send to `rank`, now that all workers' loads of a layer, or of a
  // whole step, are there.
  struct Occasion {
    WorkerRank rank;
    // A plan that every worker of the job would accept; of a whole step, that
    // of its first layer.
    Plan good_plan;
  };
  using Messages = std::vector<v1::SessionResponse>;
  using Script = std::function<Messages(const Occasion& occasion)>;

  struct Options {
    int32_t world_size = 2;
    // 0 picks one.
    int port = 0;
    Script script;
    std::string policy = "scripted@inline";
    bool answer_heartbeats = true;
    int64_t heartbeat_interval_ms = 30'000;
  };

  explicit ScriptedCoordinator(Options options);
  ~ScriptedCoordinator() override { Stop(); }

  int port() const { return port_; }
  std::string address() const;

  // Ends all sessions, as a process that is killed does.
  void Stop();

  // Waits until `count` outcomes were reported in all; returns those there are.
  std::vector<v1::PlanResult> AwaitResults(size_t count);
  // Workers that said goodbye.
  int detached() const;

 private:
  using Stream =
      grpc::ServerReaderWriter<v1::SessionResponse, v1::SessionRequest>;
  using Layer = std::pair<int64_t, int32_t>;

  grpc::Status Register(grpc::ServerContext* context,
                        const v1::RegisterRequest* request,
                        v1::RegisterResponse* response) override;
  grpc::Status Session(grpc::ServerContext* context, Stream* stream) override;
  grpc::Status PutKey(grpc::ServerContext* context,
                      const v1::PutKeyRequest* request,
                      v1::PutKeyResponse* response) override;
  grpc::Status GetKey(grpc::ServerContext* context,
                      const v1::GetKeyRequest* request,
                      v1::GetKeyResponse* response) override;

  void OnRequest(const v1::SessionRequest& request, Stream& stream);
  void OnLoads(int32_t rank, const v1::LoadReport& report);
  Plan GoodPlan(const Layer& layer) const;

  const Options options_;
  int port_ = 0;

  // Also serialises writes: a stream takes one at a time.
  mutable Mutex mutex_;
  CondVar changed_;
  std::map<int32_t, Stream*> streams_ ABSL_GUARDED_BY(mutex_);
  std::map<Layer, std::set<int32_t>> reported_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> keys_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::PlanResult> results_ ABSL_GUARDED_BY(mutex_);
  int detached_ ABSL_GUARDED_BY(mutex_) = 0;

  std::unique_ptr<grpc::Server> server_;
};

// Messages for scripts.
v1::SessionResponse Push(const Plan& plan);
v1::SessionResponse PushBytes(const std::string& bytes);
v1::SessionResponse PushStep(const StepPlan& plan);
v1::SessionResponse PushStepBytes(const std::string& bytes);
v1::SessionResponse NoPlan(Iteration iteration, LayerId layer);

}  // namespace balancemoe

#endif  // BALANCEMOE_TESTS_INTEGRATION_AGENT_SCRIPTED_COORDINATOR_H_
