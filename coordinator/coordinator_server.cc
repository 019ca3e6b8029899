#include "coordinator/coordinator_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/status_macros.h"
#include "coordinator/version.h"

namespace balancemoe::coordinator {
namespace {

// A report of 64 layers of 256 experts takes 33 KiB.
constexpr int kLargestMessageBytes = 1 << 20;
constexpr char kLiveness[] = "liveness";
constexpr char kReadiness[] = "readiness";

absl::StatusOr<std::unique_ptr<JobEpochStore>> OpenEpochs(
    const std::string& directory) {
  if (!directory.empty()) return JobEpochStore::Open(directory);
  // Nothing is kept, but the wall clock moves on over restarts as well.
  return JobEpochStore::InMemory(
      JobEpoch(static_cast<uint64_t>(absl::ToUnixSeconds(absl::Now()))));
}

void SetUp(grpc::ServerBuilder& builder) {
  // Without this, gRPC sets SO_REUSEPORT and a second coordinator on the same
  // port starts quietly and takes a share of the workers.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // Workers ping every 10 s; a stricter server would cut them off for it.
  builder.AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  // Between its report and its plan a worker's connection is idle, so a probe
  // for bandwidth would cost a packet each way per report; reports fit any
  // window.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.SetMaxReceiveMessageSize(kLargestMessageBytes);
}

}  // namespace

absl::StatusOr<std::unique_ptr<CoordinatorServer>> CoordinatorServer::Start(
    CoordinatorOptions options) {
  BMOE_RETURN_IF_ERROR(ValidateOptions(options));
  BMOE_ASSIGN_OR_RETURN(std::unique_ptr<JobEpochStore> epochs,
                        OpenEpochs(options.state_dir));
  if (!options.record_loads.empty()) {
    BMOE_RETURN_IF_ERROR(LoadRecorder::MakeDirectory(options.record_loads));
  }
  std::unique_ptr<CoordinatorServer> server(
      new CoordinatorServer(std::move(options), std::move(epochs)));
  BMOE_RETURN_IF_ERROR(server->ListenToAll());
  return server;
}

CoordinatorServer::CoordinatorServer(CoordinatorOptions options,
                                     std::unique_ptr<JobEpochStore> epochs)
    : options_(std::move(options)),
      started_(clock_.Now()),
      metrics_(registry_),
      recorder_(
          options_.record_loads.empty()
              ? nullptr
              : std::make_unique<LoadRecorder>(
                    LoadRecorder::Options{options_.record_loads}, metrics_)),
      jobs_(options_.jobs, clock_, metrics_, recorder_.get(),
            std::move(epochs)),
      coordinator_service_(jobs_, metrics_, clock_),
      admin_service_(jobs_) {}

absl::Status CoordinatorServer::ListenToAll() {
  BMOE_ASSIGN_OR_RETURN(grpc_address_, ParseListenAddress(options_.listen));
  // A port that was asked for comes first, or the system might give it to the
  // other address as a free one.
  const bool any_grpc_port = grpc_address_.port == 0;
  if (any_grpc_port) BMOE_RETURN_IF_ERROR(StartHttp());
  BMOE_RETURN_IF_ERROR(ListenToWorkers());
  return any_grpc_port ? absl::OkStatus() : StartHttp();
}

absl::Status CoordinatorServer::ListenToWorkers() {
  grpc::EnableDefaultHealthCheckService(true);
  if (options_.reflection) {
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  }
  grpc::ServerBuilder builder;
  SetUp(builder);
  int port = 0;
  builder.AddListeningPort(grpc_address_.ToString(),
                           grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&coordinator_service_);
  builder.RegisterService(&admin_service_);
  grpc_server_ = builder.BuildAndStart();
  if (grpc_server_ == nullptr || port == 0) {
    grpc_server_.reset();
    const absl::Status why = ProbeListen(grpc_address_);
    return absl::UnavailableError(
        absl::StrCat("--listen ", options_.listen, ": cannot listen at port ",
                     grpc_address_.port, ": ",
                     why.ok() ? "refused by the system" : why.message()));
  }
  grpc_address_.port = port;
  for (const char* name :
       {v1::CoordinatorService::service_full_name(),
        v1::AdminService::service_full_name(), kLiveness, kReadiness}) {
    grpc_server_->GetHealthCheckService()->SetServingStatus(name, true);
  }
  return absl::OkStatus();
}

absl::Status CoordinatorServer::StartHttp() {
  BMOE_ASSIGN_OR_RETURN(const ListenAddress address,
                        ParseListenAddress(options_.http_listen));
  AdminHttpServer::Pages pages;
  pages.not_ready = [this]() -> std::vector<std::string> {
    if (draining_) return {"the coordinator drains"};
    return {};
  };
  pages.config = options_.as_yaml;
  pages.status = [this] { return StatusRows(); };
  auto http = AdminHttpServer::Start(address, {&registry_, &process_metrics_},
                                     std::move(pages));
  if (!http.ok()) {
    return absl::Status(http.status().code(),
                        absl::StrCat("--http-listen ", options_.http_listen,
                                     ": ", http.status().message()));
  }
  http_ = *std::move(http);
  return absl::OkStatus();
}

std::vector<std::pair<std::string, std::string>> CoordinatorServer::StatusRows()
    const {
  return {{"version", Version()},
          {"gRPC", grpc_address_.ToString()},
          {"up for", absl::FormatDuration(absl::Trunc(clock_.Now() - started_,
                                                      absl::Seconds(1)))},
          {"jobs running", absl::StrCat(metrics_.running_jobs.Value())},
          {"jobs forming", absl::StrCat(metrics_.forming_jobs.Value())},
          {"state", draining_ ? "draining" : "ready"}};
}

void CoordinatorServer::Drain() {
  if (draining_.exchange(true)) return;
  coordinator_service_.Drain();
  grpc_server_->GetHealthCheckService()->SetServingStatus(false);
  grpc_server_->GetHealthCheckService()->SetServingStatus(kLiveness, true);
  absl::SleepFor(options_.drain_delay);
  jobs_.Drain(absl::Milliseconds(500), "the coordinator drains");
  // Returns as soon as every call is over.
  grpc_server_->Shutdown(std::chrono::system_clock::now() +
                         absl::ToChronoMilliseconds(options_.drain_grace));
}

CoordinatorServer::~CoordinatorServer() {
  if (grpc_server_ == nullptr) return;
  // Calls that wait are answered, or the server would wait for them.
  jobs_.Drain(absl::ZeroDuration(), "the coordinator ends");
  grpc_server_->Shutdown(std::chrono::system_clock::now());
}

}  // namespace balancemoe::coordinator
