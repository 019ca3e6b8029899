#include "worker/bench/simulated_workers.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/planning/load_matrix.h"
#include "common/status_macros.h"
#include "common/wire/codec.h"
#include "common/wire/grpc_status.h"

namespace balancemoe::worker {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(10);

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

  void OnReadDone(bool ok) override { owner_.Count(Operation::kRead, ok); }
  void OnWriteDone(bool ok) override { owner_.Count(Operation::kWrite, ok); }
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

SimulatedWorkers::SimulatedWorkers(const ServiceJob& job,
                                   const std::string& address,
                                   int32_t connections)
    : job_(job), address_(address) {
  for (int32_t i = 0; i < connections; ++i) {
    stubs_.push_back(v1::CoordinatorService::NewStub(Connect(address)));
  }
  for (int32_t rank = 0; rank < job_.workers; ++rank) {
    sessions_.push_back(std::make_unique<Session>(*this));
  }
}

// While there still is what the sessions' last reactions use.
SimulatedWorkers::~SimulatedWorkers() { sessions_.clear(); }

absl::Status SimulatedWorkers::Register() {
  for (size_t rank = 0; rank < sessions_.size(); ++rank) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() +
                         absl::ToChronoMilliseconds(kTimeout));
    v1::RegisterRequest request;
    request.set_protocol_version(kProtocolVersion);
    request.set_job_id(job_.job_id);
    request.set_run_id("bench");
    request.set_rank(static_cast<int32_t>(rank));
    request.set_world_size(job_.workers);
    request.set_layers(job_.layers);
    request.set_experts(job_.experts);
    request.set_expert_bytes(SimulatedCostModel().expert_bytes);
    request.set_spare_slots(job_.spare_slots);
    request.set_worker_incarnation(rank + 1);
    request.set_policy(job_.policy.ToString());
    v1::RegisterResponse response;
    BMOE_RETURN_IF_ERROR(FromGrpcStatus(
        stubs_[rank % stubs_.size()]->Register(&context, request, &response)));
    v1::Fencing* const fencing = sessions_[rank]->request.mutable_fencing();
    fencing->set_job_id(job_.job_id);
    fencing->set_rank(static_cast<int32_t>(rank));
    fencing->set_session_id(response.session_id());
    fencing->set_job_epoch(response.job_epoch());
    fencing->set_coordinator_incarnation(response.coordinator_incarnation());
    fencing->set_worker_incarnation(rank + 1);
    fencing->set_generation(response.generation());
  }
  return absl::OkStatus();
}

absl::Status SimulatedWorkers::OpenSessions() {
  for (size_t rank = 0; rank < sessions_.size(); ++rank) {
    sessions_[rank]->Open(*stubs_[rank % stubs_.size()]);
    sessions_[rank]->request.mutable_hello();
  }
  return Exchange(/*answered=*/true).status();
}

absl::Status SimulatedWorkers::SendCalibrations() {
  for (const auto& session : sessions_) {
    *session->request.mutable_calibration() = ToProto(SimulatedCostModel());
  }
  return Exchange(/*answered=*/false).status();
}

void SimulatedWorkers::FillReports(LayerId layer) {
  const LoadMatrix loads = SimulatedLoads(job_, layer);
  for (size_t rank = 0; rank < sessions_.size(); ++rank) {
    v1::LoadReport* const report =
        sessions_[rank]->request.mutable_load_report();
    report->Clear();
    report->add_layers(layer.value());
    const auto row = loads.Row(WorkerRank(static_cast<int32_t>(rank)));
    report->mutable_tokens_per_expert()->Add(row.begin(), row.end());
  }
  filled_layer_ = layer;
}

absl::StatusOr<absl::Duration> SimulatedWorkers::Round(Iteration iteration,
                                                       LayerId layer) {
  if (filled_layer_ != layer) FillReports(layer);
  for (const auto& session : sessions_) {
    session->request.mutable_load_report()->set_iteration(iteration.value());
  }
  return Exchange(/*answered=*/true);
}

absl::StatusOr<absl::Duration> SimulatedWorkers::Exchange(bool answered) {
  const size_t all = sessions_.size();
  {
    MutexLock lock(&mutex_);
    reads_ = 0;
    writes_ = 0;
  }
  const absl::Time began = clock_.Now();
  for (const auto& session : sessions_) session->Exchange(answered);
  MutexLock lock(&mutex_);
  while ((writes_ < all || (answered && reads_ < all)) && !broken_) {
    if (clock_.Now() > began + kTimeout) {
      return absl::UnavailableError(
          absl::StrCat(address_, ": ", reads_, " answers to ", all,
                       " messages within ", absl::FormatDuration(kTimeout)));
    }
    changed_.WaitFor(&mutex_, kTimeout);
  }
  if (broken_) {
    return absl::UnavailableError(absl::StrCat(address_, ": a session broke"));
  }
  return last_read_ - began;
}

void SimulatedWorkers::Count(Operation operation, bool ok) {
  MutexLock lock(&mutex_);
  size_t& count = operation == Operation::kRead ? reads_ : writes_;
  ++count;
  broken_ = broken_ || !ok;
  if (count < sessions_.size() && !broken_) return;
  if (operation == Operation::kRead) last_read_ = clock_.Now();
  changed_.NotifyAll();
}

absl::StatusOr<std::vector<absl::string_view>> SimulatedWorkers::plans() const {
  std::vector<absl::string_view> plans;
  for (const auto& session : sessions_) {
    if (!session->answer.has_plan()) {
      return absl::InternalError(
          absl::StrCat("worker ", plans.size(),
                       " got no plan: ", session->answer.no_plan().reason()));
    }
    plans.push_back(session->answer.plan().plan());
  }
  return plans;
}

}  // namespace balancemoe::worker
