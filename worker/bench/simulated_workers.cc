#include "worker/bench/simulated_workers.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/planning/cost_model.h"
#include "common/status_macros.h"
#include "common/wire/codec.h"
#include "common/wire/grpc_status.h"

namespace balancemoe::worker {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(10);
constexpr int64_t kExpertBytes = 2 << 20;

std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Or all channels would share one connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(),
                                   arguments);
}

}  // namespace

// One stream. The owner sends and waits; gRPC's threads only count.
class SimulatedWorkers::Session final
    : public grpc::ClientBidiReactor<v1::SessionRequest, v1::SessionResponse> {
 public:
  explicit Session(SimulatedWorkers& owner) : owner_(owner) {}
  ~Session() override { End(); }

  void Open(v1::CoordinatorService::Stub& stub) {
    stub.async()->Session(&context_, this);
    // Reads and writes begin outside of reactions.
    AddHold();
    open_ = true;
    StartCall();
  }
  void End() ABSL_LOCKS_EXCLUDED(mutex_) {
    if (!open_) return;
    open_ = false;
    context_.TryCancel();
    RemoveHold();
    MutexLock lock(&mutex_);
    while (!done_) ended_.Wait(&mutex_);
  }
  void Exchange(bool answered) {
    if (answered) StartRead(&answer);
    StartWrite(&request);
  }

  void OnReadDone(bool ok) override { owner_.Count(ok); }
  void OnWriteDone(bool ok) override { owner_.Count(ok); }
  void OnDone(const grpc::Status& /*status*/) override
      ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    done_ = true;
    ended_.NotifyAll();
  }

  v1::SessionRequest request;
  v1::SessionResponse answer;

 private:
  SimulatedWorkers& owner_;
  grpc::ClientContext context_;
  bool open_ = false;
  Mutex mutex_;
  CondVar ended_;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
};

SimulatedWorkers::SimulatedWorkers(const Options& options) : options_(options) {
  for (int32_t i = 0; i < options_.connections; ++i) {
    stubs_.push_back(
        v1::CoordinatorService::NewStub(Connect(options_.address)));
  }
  for (int32_t rank = 0; rank < options_.workers; ++rank) {
    sessions_.push_back(std::make_unique<Session>(*this));
  }
}

SimulatedWorkers::~SimulatedWorkers() = default;

absl::Status SimulatedWorkers::Register() {
  for (size_t rank = 0; rank < sessions_.size(); ++rank) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() +
                         absl::ToChronoMilliseconds(kTimeout));
    v1::RegisterRequest request;
    request.set_protocol_version(kProtocolVersion);
    request.set_job_id(options_.job_id);
    request.set_run_id("bench");
    request.set_rank(static_cast<int32_t>(rank));
    request.set_world_size(options_.workers);
    request.set_layers(1);
    request.set_experts(options_.experts);
    request.set_expert_bytes(kExpertBytes);
    request.set_spare_slots(1);
    request.set_worker_incarnation(rank + 1);
    request.set_policy(options_.policy);
    v1::RegisterResponse response;
    BMOE_RETURN_IF_ERROR(FromGrpcStatus(
        stubs_[rank % stubs_.size()]->Register(&context, request, &response)));
    v1::Fencing* const fencing = sessions_[rank]->request.mutable_fencing();
    fencing->set_job_id(options_.job_id);
    fencing->set_rank(static_cast<int32_t>(rank));
    fencing->set_session_id(response.session_id());
    fencing->set_job_epoch(response.job_epoch());
    fencing->set_coordinator_incarnation(response.coordinator_incarnation());
    fencing->set_worker_incarnation(rank + 1);
    fencing->set_generation(response.generation());
  }
  return absl::OkStatus();
}

absl::Status SimulatedWorkers::OpenSessions(bool acknowledged) {
  for (size_t rank = 0; rank < sessions_.size(); ++rank) {
    sessions_[rank]->Open(*stubs_[rank % stubs_.size()]);
    sessions_[rank]->request.mutable_hello();
  }
  if (!acknowledged) return absl::OkStatus();
  return Exchange(/*answered=*/true).status();
}

absl::Status SimulatedWorkers::SendCalibrations() {
  const CostModel model = {.expert_launch_us = 10,
                           .us_per_token = 10,
                           .backward_factor = 2,
                           .link_latency_us = 50,
                           .link_us_per_byte = 1e-3,
                           .overlap_slowdown = 1,
                           .host_cpu_us_per_byte = 0,
                           .expert_bytes = kExpertBytes,
                           .token_bytes = 1024};
  for (const auto& session : sessions_) {
    *session->request.mutable_calibration() = ToProto(model);
  }
  return Exchange(/*answered=*/false).status();
}

absl::StatusOr<absl::Duration> SimulatedWorkers::Round(int64_t iteration) {
  for (size_t rank = 0; rank < sessions_.size(); ++rank) {
    v1::LoadReport* const report =
        sessions_[rank]->request.mutable_load_report();
    report->set_iteration(iteration);
    if (report->layers_size() > 0) continue;
    report->add_layers(0);
    for (int32_t expert = 0; expert < options_.experts; ++expert) {
      report->add_tokens_per_expert(100 + static_cast<int64_t>(rank) +
                                    17 * (expert % 7));
    }
  }
  return Exchange(/*answered=*/true);
}

absl::StatusOr<absl::Duration> SimulatedWorkers::Exchange(bool answered) {
  const size_t expected = sessions_.size() * (answered ? 2 : 1);
  {
    MutexLock lock(&mutex_);
    done_ = 0;
  }
  const absl::Time began = clock_.Now();
  for (const auto& session : sessions_) session->Exchange(answered);
  MutexLock lock(&mutex_);
  while (done_ < expected && !broken_) {
    if (clock_.Now() > began + kTimeout) {
      return absl::UnavailableError(
          absl::StrCat(options_.address, ": ", done_, " of ", expected,
                       " messages within ", absl::FormatDuration(kTimeout)));
    }
    changed_.WaitFor(&mutex_, kTimeout);
  }
  if (broken_) {
    return absl::UnavailableError(
        absl::StrCat(options_.address, ": a session broke"));
  }
  return clock_.Now() - began;
}

void SimulatedWorkers::Count(bool ok) {
  MutexLock lock(&mutex_);
  ++done_;
  broken_ = broken_ || !ok;
  const size_t n = sessions_.size();
  if (done_ == n || done_ == 2 * n || broken_) changed_.NotifyAll();
}

std::vector<const v1::SessionResponse*> SimulatedWorkers::answers() const {
  std::vector<const v1::SessionResponse*> answers;
  for (const auto& session : sessions_) answers.push_back(&session->answer);
  return answers;
}

}  // namespace balancemoe::worker
