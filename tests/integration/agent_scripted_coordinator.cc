#include "tests/integration/agent_scripted_coordinator.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/check.h"
#include "common/wire/codec.h"

namespace balancemoe {
namespace {

constexpr uint64_t kEpoch = 1;
constexpr uint64_t kGeneration = 1;

}  // namespace

ScriptedCoordinator::ScriptedCoordinator(Options options)
    : options_(std::move(options)) {
  grpc::ServerBuilder builder;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddListeningPort(absl::StrCat("127.0.0.1:", options_.port),
                           grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  BMOE_CHECK(server_ != nullptr);
}

std::string ScriptedCoordinator::address() const {
  return absl::StrCat("127.0.0.1:", port_);
}

void ScriptedCoordinator::Stop() {
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

std::vector<v1::PlanResult> ScriptedCoordinator::AwaitResults(size_t count) {
  MutexLock lock(&mutex_);
  while (results_.size() < count &&
         changed_.WaitFor(&mutex_, absl::Seconds(20))) {
  }
  return results_;
}

int ScriptedCoordinator::detached() const {
  MutexLock lock(&mutex_);
  return detached_;
}

grpc::Status ScriptedCoordinator::Register(grpc::ServerContext*,
                                           const v1::RegisterRequest* request,
                                           v1::RegisterResponse* response) {
  response->set_session_id(100 + static_cast<uint64_t>(request->rank()));
  response->set_job_epoch(kEpoch);
  response->set_coordinator_incarnation(7);
  response->set_generation(kGeneration);
  response->set_heartbeat_interval_ms(options_.heartbeat_interval_ms);
  response->set_policy(options_.policy);
  return grpc::Status::OK;
}

grpc::Status ScriptedCoordinator::Session(grpc::ServerContext*,
                                          Stream* stream) {
  v1::SessionRequest request;
  int32_t rank = -1;
  while (stream->Read(&request)) {
    rank = request.fencing().rank();
    OnRequest(request, *stream);
  }
  MutexLock lock(&mutex_);
  if (streams_[rank] == stream) streams_.erase(rank);
  return grpc::Status::OK;
}

void ScriptedCoordinator::OnRequest(const v1::SessionRequest& request,
                                    Stream& stream) {
  if (request.has_load_report()) {
    OnLoads(request.fencing().rank(), request.load_report());
    return;
  }
  MutexLock lock(&mutex_);
  v1::SessionResponse response;
  if (request.has_hello()) {
    streams_[request.fencing().rank()] = &stream;
    response.mutable_hello_ack();
    stream.Write(response);
  } else if (request.has_heartbeat() && options_.answer_heartbeats) {
    *response.mutable_heartbeat() = request.heartbeat();
    stream.Write(response);
  } else if (request.has_plan_result()) {
    results_.push_back(request.plan_result());
  } else if (request.has_detach()) {
    ++detached_;
  }
  changed_.NotifyAll();
}

void ScriptedCoordinator::OnLoads(int32_t rank, const v1::LoadReport& report) {
  const Layer layer = {report.iteration(), report.layers(0)};
  MutexLock lock(&mutex_);
  std::set<int32_t>& ranks = reported_[layer];
  ranks.insert(rank);
  if (ranks.size() < static_cast<size_t>(options_.world_size)) return;
  for (const auto& [receiver, stream] : streams_) {
    const Occasion occasion = {.rank = WorkerRank(receiver),
                               .good_plan = GoodPlan(layer)};
    for (const v1::SessionResponse& message : options_.script(occasion)) {
      stream->Write(message);
    }
  }
}

Plan ScriptedCoordinator::GoodPlan(const Layer& layer) const {
  Plan plan;
  plan.id = PlanId(static_cast<uint64_t>(layer.first * 100 + layer.second));
  plan.epoch = JobEpoch(kEpoch);
  plan.generation = Generation(kGeneration);
  plan.iteration = Iteration(layer.first);
  plan.layer = LayerId(layer.second);
  plan.policy = options_.policy;
  // Expert 0 lives on worker 0 in any placement of neighbours.
  plan.decision.lends = {{.expert = ExpertId(0),
                          .from = WorkerRank(0),
                          .to = WorkerRank(options_.world_size - 1)}};
  plan.decision.predicted_before_us = 200;
  plan.decision.predicted_after_us = 100;
  plan.decision.reason = "the script says so";
  return plan;
}

grpc::Status ScriptedCoordinator::PutKey(grpc::ServerContext*,
                                         const v1::PutKeyRequest* request,
                                         v1::PutKeyResponse*) {
  MutexLock lock(&mutex_);
  keys_[request->key()] = request->value();
  changed_.NotifyAll();
  return grpc::Status::OK;
}

grpc::Status ScriptedCoordinator::GetKey(grpc::ServerContext* context,
                                         const v1::GetKeyRequest* request,
                                         v1::GetKeyResponse* response) {
  MutexLock lock(&mutex_);
  while (!keys_.contains(request->key())) {
    if (context->IsCancelled()) return grpc::Status::CANCELLED;
    changed_.WaitFor(&mutex_, absl::Milliseconds(50));
  }
  response->set_value(keys_[request->key()]);
  return grpc::Status::OK;
}

v1::SessionResponse Push(const Plan& plan) {
  return PushBytes(EncodePlan(plan));
}

v1::SessionResponse PushBytes(const std::string& bytes) {
  v1::SessionResponse response;
  response.mutable_plan()->set_plan(bytes);
  return response;
}

v1::SessionResponse PushStep(const StepPlan& plan) {
  return PushStepBytes(EncodeStepPlan(plan));
}

v1::SessionResponse PushStepBytes(const std::string& bytes) {
  v1::SessionResponse message;
  message.mutable_step_plan()->set_plan(bytes);
  return message;
}

v1::SessionResponse NoPlan(Iteration iteration, LayerId layer) {
  v1::SessionResponse response;
  response.mutable_no_plan()->set_iteration(iteration.value());
  response.mutable_no_plan()->set_layer(layer.value());
  response.mutable_no_plan()->set_reason("the script says so");
  return response;
}

}  // namespace balancemoe
