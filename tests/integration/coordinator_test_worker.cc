#include "tests/integration/coordinator_test_worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <utility>

#include "common/wire/codec.h"
#include "common/wire/grpc_status.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

constexpr int kTimeoutMs = 20'000;

void SetTimeout(grpc::ClientContext* context, int timeout_ms) {
  context->set_deadline(std::chrono::system_clock::now() +
                        std::chrono::milliseconds(timeout_ms));
}

}  // namespace

std::shared_ptr<grpc::Channel> ConnectTo(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(),
                                   arguments);
}

v1::RegisterRequest MakeRegistration(const std::string& job, int32_t rank) {
  v1::RegisterRequest request;
  request.set_protocol_version(kProtocolVersion);
  request.set_job_id(job);
  request.set_run_id("run");
  request.set_rank(rank);
  request.set_world_size(2);
  request.set_layers(2);
  request.set_experts(4);
  request.set_expert_bytes(1 << 20);
  request.set_spare_slots(2);
  request.set_worker_incarnation(100 + static_cast<uint64_t>(rank));
  return request;
}

CoordinatorTestWorker::CoordinatorTestWorker(
    std::shared_ptr<grpc::Channel> channel)
    : channel_(std::move(channel)),
      stub_(v1::CoordinatorService::NewStub(channel_)) {}

CoordinatorTestWorker::~CoordinatorTestWorker() { Kill(); }

absl::StatusOr<v1::RegisterResponse> CoordinatorTestWorker::Register(
    const v1::RegisterRequest& request) {
  grpc::ClientContext context;
  SetTimeout(&context, kTimeoutMs);
  context.set_wait_for_ready(true);
  v1::RegisterResponse response;
  const absl::Status status =
      FromGrpcStatus(stub_->Register(&context, request, &response));
  if (!status.ok()) return status;
  fencing_.set_job_id(request.job_id());
  fencing_.set_rank(request.rank());
  fencing_.set_session_id(response.session_id());
  fencing_.set_job_epoch(response.job_epoch());
  fencing_.set_coordinator_incarnation(response.coordinator_incarnation());
  fencing_.set_worker_incarnation(request.worker_incarnation());
  fencing_.set_generation(response.generation());
  return response;
}

void CoordinatorTestWorker::OpenStream() {
  Kill();
  context_ = std::make_unique<grpc::ClientContext>();
  SetTimeout(context_.get(), kTimeoutMs);
  stream_ = stub_->Session(context_.get());
}

absl::Status CoordinatorTestWorker::OpenSession() {
  OpenStream();
  v1::SessionRequest hello;
  hello.mutable_hello();
  Send(std::move(hello));
  const auto answer = Read();
  if (answer.has_value() && answer->has_hello_ack()) return absl::OkStatus();
  return ReadToEnd();
}

void CoordinatorTestWorker::Join(const v1::RegisterRequest& request) {
  ASSERT_THAT(Register(request), IsOk());
  ASSERT_THAT(OpenSession(), IsOk());
}

bool CoordinatorTestWorker::Send(v1::SessionRequest message) {
  *message.mutable_fencing() = fencing_;
  return stream_->Write(message);
}

bool CoordinatorTestWorker::SendReport(int64_t iteration,
                                       std::vector<int32_t> layers,
                                       const std::vector<int64_t>& tokens) {
  v1::SessionRequest message;
  v1::LoadReport* const report = message.mutable_load_report();
  report->set_iteration(iteration);
  for (const int32_t layer : layers) report->add_layers(layer);
  for (const int64_t load : tokens) report->add_tokens_per_expert(load);
  return Send(std::move(message));
}

bool CoordinatorTestWorker::SendCalibration() {
  v1::SessionRequest message;
  *message.mutable_calibration() = ToProto(CostModel{
      .expert_launch_us = 10,
      .us_per_token = 10,
      .backward_factor = 2,
      .intra_node = {10, 1e-4},
      .inter_node = {10, 1e-4},
      .overlap_slowdown = 1,
      .host_cpu_us_per_byte = 0,
      .expert_bytes = 1 << 20,
      .token_bytes = 1024,
  });
  return Send(std::move(message));
}

std::optional<v1::SessionResponse> CoordinatorTestWorker::Read() {
  v1::SessionResponse message;
  if (!stream_->Read(&message)) return std::nullopt;
  return message;
}

absl::Status CoordinatorTestWorker::ReadToEnd() {
  while (Read().has_value()) {
  }
  return FromGrpcStatus(std::exchange(stream_, nullptr)->Finish());
}

void CoordinatorTestWorker::Kill() {
  if (stream_ == nullptr) return;
  context_->TryCancel();
  ReadToEnd().IgnoreError();
}

absl::Status CoordinatorTestWorker::PutKey(const std::string& key,
                                           const std::string& value) {
  grpc::ClientContext context;
  SetTimeout(&context, kTimeoutMs);
  v1::PutKeyRequest request;
  *request.mutable_fencing() = fencing_;
  request.set_key(key);
  request.set_value(value);
  v1::PutKeyResponse response;
  return FromGrpcStatus(stub_->PutKey(&context, request, &response));
}

absl::StatusOr<std::string> CoordinatorTestWorker::GetKey(
    const std::string& key, int timeout_ms) {
  grpc::ClientContext context;
  SetTimeout(&context, timeout_ms);
  v1::GetKeyRequest request;
  *request.mutable_fencing() = fencing_;
  request.set_key(key);
  v1::GetKeyResponse response;
  const absl::Status status =
      FromGrpcStatus(stub_->GetKey(&context, request, &response));
  if (!status.ok()) return status;
  return response.value();
}

absl::Status CoordinatorTestWorker::Barrier(const std::string& name) {
  grpc::ClientContext context;
  SetTimeout(&context, kTimeoutMs);
  v1::BarrierRequest request;
  *request.mutable_fencing() = fencing_;
  request.set_name(name);
  v1::BarrierResponse response;
  return FromGrpcStatus(stub_->Barrier(&context, request, &response));
}

v1::Plan PlanOf(const std::optional<v1::SessionResponse>& message) {
  v1::Plan plan;
  EXPECT_TRUE(message.has_value() && message->has_plan() &&
              plan.ParseFromString(message->plan().plan()));
  return plan;
}

}  // namespace balancemoe
