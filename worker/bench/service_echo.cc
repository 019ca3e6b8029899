#include "worker/bench/service_echo.h"

#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <fstream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "balancemoe/v1/coordinator.grpc.pb.h"

namespace balancemoe::worker {
namespace {

class EchoReactor final
    : public grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse> {
 public:
  explicit EchoReactor(size_t plan_bytes) {
    answer_.mutable_plan()->set_plan(std::string(plan_bytes, 'x'));
    StartRead(&message_);
  }
  void OnReadDone(bool ok) override {
    if (ok) {
      StartWrite(&answer_);
    } else {
      Finish(grpc::Status::OK);
    }
  }
  void OnWriteDone(bool /*ok*/) override { StartRead(&message_); }
  void OnDone() override { delete this; }

 private:
  v1::SessionRequest message_;
  v1::SessionResponse answer_;
};

class EchoService final : public v1::CoordinatorService::CallbackService {
 public:
  explicit EchoService(size_t plan_bytes) : plan_bytes_(plan_bytes) {}

  grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>* Session(
      grpc::CallbackServerContext* /*context*/) override {
    return new EchoReactor(plan_bytes_);
  }

 private:
  const size_t plan_bytes_;
};

}  // namespace

absl::Status ServeEcho(const std::string& address_file, size_t plan_bytes) {
  EchoService service(plan_bytes);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    return absl::UnavailableError("echo server: cannot listen at 127.0.0.1");
  }
  const std::string temporary = address_file + ".new";
  std::ofstream(temporary) << "127.0.0.1:" << port;
  if (std::rename(temporary.c_str(), address_file.c_str()) != 0) {
    return absl::UnavailableError(
        absl::StrCat(address_file, ": cannot be written"));
  }
  server->Wait();
  return absl::OkStatus();
}

}  // namespace balancemoe::worker
