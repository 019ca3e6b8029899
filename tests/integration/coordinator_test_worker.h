#ifndef BALANCEMOE_TESTS_INTEGRATION_COORDINATOR_TEST_WORKER_H_
#define BALANCEMOE_TESTS_INTEGRATION_COORDINATOR_TEST_WORKER_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "balancemoe/v1/admin.grpc.pb.h"
#include "balancemoe/v1/coordinator.grpc.pb.h"
#include "balancemoe/v1/plan.pb.h"

namespace balancemoe {

// A channel of its own to `address`, shared with no other.
std::shared_ptr<grpc::Channel> ConnectTo(const std::string& address);

// A well-formed registration of `rank` in a job of 2 workers, 2 layers and 4
// experts; tests change what they are about.
v1::RegisterRequest MakeRegistration(const std::string& job, int32_t rank);

// Speaks the protocol by hand, one message at a time; every wait ends after a
// generous deadline. Used by one thread.
class CoordinatorTestWorker {
 public:
  explicit CoordinatorTestWorker(std::shared_ptr<grpc::Channel> channel);
  ~CoordinatorTestWorker();

  // Registers and, when that succeeds, takes up the fencing that it gave.
  absl::StatusOr<v1::RegisterResponse> Register(
      const v1::RegisterRequest& request);

  // Opens the session and says nothing yet.
  void OpenStream();
  // Opens the session, says hello and reads the answer.
  absl::Status OpenSession();
  // Register and OpenSession; fails the test when one of them does.
  void Join(const v1::RegisterRequest& request);

  // Adds the fencing to `message`. False when the stream is broken.
  bool Send(v1::SessionRequest message);
  bool SendReport(int64_t iteration, std::vector<int32_t> layers,
                  const std::vector<int64_t>& tokens);
  bool SendCalibration();
  // The next message; nullopt at the end of the stream.
  std::optional<v1::SessionResponse> Read();
  // Reads to the end of the stream; what it ended with.
  absl::Status ReadToEnd();
  void HalfClose() { stream_->WritesDone(); }
  // Drops the stream as a killed process would.
  void Kill();

  absl::Status PutKey(const std::string& key, const std::string& value);
  absl::StatusOr<std::string> GetKey(const std::string& key,
                                     int timeout_ms = 20'000);
  absl::Status Barrier(const std::string& name);

  v1::Fencing& fencing() { return fencing_; }

 private:
  using Stream =
      grpc::ClientReaderWriter<v1::SessionRequest, v1::SessionResponse>;

  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::CoordinatorService::Stub> stub_;
  v1::Fencing fencing_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<Stream> stream_;
};

// The plan in a message, which must hold one.
v1::Plan PlanOf(const std::optional<v1::SessionResponse>& message);

}  // namespace balancemoe

#endif  // BALANCEMOE_TESTS_INTEGRATION_COORDINATOR_TEST_WORKER_H_
