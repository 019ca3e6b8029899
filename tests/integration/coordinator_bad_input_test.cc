// What broken, stale and foreign peers may do to a coordinator: get a clear
// status and be counted, and nothing else. A second job plans on meanwhile.

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "coordinator/coordinator_server.h"
#include "coordinator/listen_address.h"
#include "tests/fixtures/status_matchers.h"
#include "tests/integration/coordinator_metrics_page.h"
#include "tests/integration/coordinator_test_worker.h"

namespace balancemoe {
namespace {

using coordinator::CoordinatorOptions;
using coordinator::CoordinatorServer;
using ::testing::AllOf;
using ::testing::HasSubstr;

class CoordinatorBadInputTest : public ::testing::Test {
 protected:
  void SetUp() override {
    CoordinatorOptions options;
    options.listen = "127.0.0.1:0";
    options.http_listen = "127.0.0.1:0";
    options.jobs.default_policy = {"pairwise", "inline"};
    options.jobs.gather.report_deadline = absl::Seconds(20);
    options.jobs.limits.jobs = 3;
    auto server = CoordinatorServer::Start(options);
    ASSERT_THAT(server, IsOk());
    server_ = *std::move(server);
    for (const int32_t rank : {0, 1}) {
      others_.push_back(NewWorker());
      others_.back()->Join(MakeRegistration("other", rank));
    }
  }
  void TearDown() override {
    for (const auto& worker : others_) worker->SendReport(1, {0}, {1, 2, 3, 4});
    for (const auto& worker : others_) {
      EXPECT_EQ(PlanOf(worker->Read()).iteration(), 1)
          << "the other job must plan on";
    }
  }

  std::unique_ptr<CoordinatorTestWorker> NewWorker() {
    return std::make_unique<CoordinatorTestWorker>(
        ConnectTo(server_->grpc_address()));
  }
  std::unique_ptr<CoordinatorTestWorker> JoinWorker(int32_t rank) {
    auto worker = NewWorker();
    worker->Join(MakeRegistration("job", rank));
    return worker;
  }
  double Metric(const std::string& series) const {
    return MetricValue(server_->http_address(), series);
  }
  double Rejected(const std::string& reason) const {
    return Metric(
        absl::StrCat("balancemoe_reports_rejected_total{job=\"job\",reason=\"",
                     reason, "\"}"));
  }

  std::unique_ptr<CoordinatorServer> server_;
  std::vector<std::unique_ptr<CoordinatorTestWorker>> others_;
};

TEST_F(CoordinatorBadInputTest, NonsenseReportEndsTheSessionAndIsCounted) {
  const struct {
    std::string reason;
    int64_t iteration;
    std::vector<int32_t> layers;
    std::vector<int64_t> tokens;
  } reports[] = {
      {"wrong_length", 0, {0}, {1, 2, 3}},
      {"negative", 0, {0}, {1, 2, 3, -4}},
      {"absurd", 0, {0}, {1, 2, 3, std::numeric_limits<int64_t>::max()}},
      {"unknown_layer", 0, {2}, {1, 2, 3, 4}},
      {"repeated_layer", 0, {1, 1}, {1, 2, 3, 4, 1, 2, 3, 4}},
      {"far_future", std::numeric_limits<int64_t>::max(), {0}, {1, 2, 3, 4}},
  };
  auto worker = NewWorker();
  for (const auto& report : reports) {
    worker->Join(MakeRegistration("job", 0));
    worker->SendReport(report.iteration, report.layers, report.tokens);

    EXPECT_THAT(worker->ReadToEnd(),
                IsStatus(absl::StatusCode::kInvalidArgument,
                         HasSubstr("load report of worker 0")))
        << report.reason;
    EXPECT_EQ(Rejected(report.reason), 1) << report.reason;
  }
}

TEST_F(CoordinatorBadInputTest, ReportForAPastIterationIsCountedAndThatIsAll) {
  auto first = JoinWorker(0);
  auto second = JoinWorker(1);
  for (const auto* worker : {&first, &second}) {
    (*worker)->SendReport(5, {0}, {1, 2, 3, 4});
  }
  first->Read();

  first->SendReport(4, {0}, {1, 2, 3, 4});
  first->SendReport(5, {0}, {1, 2, 3, 4});
  first->SendReport(6, {0}, {1, 2, 3, 4});
  second->SendReport(6, {0}, {1, 2, 3, 4});

  EXPECT_EQ(PlanOf(first->Read()).iteration(), 6);
  EXPECT_EQ(Rejected("stale_iteration"), 1);
  EXPECT_EQ(Rejected("duplicate"), 1);
}

TEST_F(CoordinatorBadInputTest, StaleFencingIsAbortedAndCountedByItsPart) {
  const struct {
    std::string part;
    void (*spoil)(v1::Fencing&);
  } cases[] = {
      {"epoch", [](v1::Fencing& f) { f.set_job_epoch(f.job_epoch() - 1); }},
      {"incarnation", [](v1::Fencing& f) { f.set_worker_incarnation(5); }},
      {"session", [](v1::Fencing& f) { f.set_session_id(5); }},
      {"generation", [](v1::Fencing& f) { f.set_generation(0); }},
      {"coordinator", [](v1::Fencing& f) { f.set_coordinator_incarnation(5); }},
  };
  auto worker = NewWorker();
  for (const auto& stale : cases) {
    worker->Join(MakeRegistration("job", 0));
    stale.spoil(worker->fencing());
    worker->SendReport(0, {0}, {1, 2, 3, 4});

    EXPECT_THAT(worker->ReadToEnd(),
                IsStatus(absl::StatusCode::kAborted, HasSubstr(stale.part)));
    EXPECT_THAT(worker->PutKey("key", "value"),
                HasCode(absl::StatusCode::kAborted));
    EXPECT_EQ(
        Metric(absl::StrCat("balancemoe_stale_messages_total{job=\"job\",of=\"",
                            stale.part, "\"}")),
        2);
  }
}

TEST_F(CoordinatorBadInputTest, EveryMismatchIsRefusedNamingValuesAndWorkers) {
  auto first = JoinWorker(0);
  const struct {
    std::string message;
    void (*change)(v1::RegisterRequest&);
  } cases[] = {
      {"world size 3 instead of 2",
       [](v1::RegisterRequest& r) { r.set_world_size(3); }},
      {"layers 5 instead of 2",
       [](v1::RegisterRequest& r) { r.set_layers(5); }},
      {"experts 8 instead of 4",
       [](v1::RegisterRequest& r) { r.set_experts(8); }},
      {"expert bytes 7 instead of 1048576",
       [](v1::RegisterRequest& r) { r.set_expert_bytes(7); }},
  };
  for (const auto& mismatch : cases) {
    v1::RegisterRequest request = MakeRegistration("job", 1);
    mismatch.change(request);

    EXPECT_THAT(
        NewWorker()->Register(request),
        IsStatus(absl::StatusCode::kFailedPrecondition,
                 AllOf(HasSubstr(mismatch.message), HasSubstr("by worker 0"))));
  }
  EXPECT_EQ(Metric("balancemoe_admission_rejected_total{reason=\"failed_"
                   "precondition\"}"),
            4);
}

TEST_F(CoordinatorBadInputTest,
       SecondRunUnderOneJobIdIsRefusedUntilTheFirstEnds) {
  auto first = JoinWorker(0);
  v1::RegisterRequest request = MakeRegistration("job", 0);
  request.set_run_id("another run");
  request.set_worker_incarnation(900);
  auto intruder = NewWorker();

  EXPECT_THAT(intruder->Register(request),
              HasCode(absl::StatusCode::kAlreadyExists));
  const uint64_t epoch = first->fencing().job_epoch();
  v1::SessionRequest goodbye;
  goodbye.mutable_detach();
  first->Send(goodbye);
  EXPECT_THAT(first->ReadToEnd(), IsOk());
  intruder->Join(request);
  EXPECT_GT(intruder->fencing().job_epoch(), epoch);
}

TEST_F(CoordinatorBadInputTest, SenselessRegistrationIsRefusedNamingTheField) {
  const struct {
    std::string field;
    absl::StatusCode code;
    void (*change)(v1::RegisterRequest&);
  } cases[] = {
      {"job_id", absl::StatusCode::kInvalidArgument,
       [](v1::RegisterRequest& r) { r.set_job_id("two words"); }},
      {"run_id", absl::StatusCode::kInvalidArgument,
       [](v1::RegisterRequest& r) { r.clear_run_id(); }},
      {"rank", absl::StatusCode::kInvalidArgument,
       [](v1::RegisterRequest& r) { r.set_rank(2); }},
      {"world_size", absl::StatusCode::kInvalidArgument,
       [](v1::RegisterRequest& r) { r.set_world_size(0); }},
      {"experts", absl::StatusCode::kResourceExhausted,
       [](v1::RegisterRequest& r) { r.set_experts(1 << 30); }},
      {"spare_slots", absl::StatusCode::kInvalidArgument,
       [](v1::RegisterRequest& r) { r.set_spare_slots(-1); }},
      {"worker_incarnation", absl::StatusCode::kInvalidArgument,
       [](v1::RegisterRequest& r) { r.clear_worker_incarnation(); }},
      {"home_of_expert", absl::StatusCode::kInvalidArgument,
       [](v1::RegisterRequest& r) { r.add_home_of_expert(0); }},
      {"policy", absl::StatusCode::kInvalidArgument,
       [](v1::RegisterRequest& r) { r.set_policy("guess"); }},
      {"protocol version", absl::StatusCode::kFailedPrecondition,
       [](v1::RegisterRequest& r) { r.set_protocol_version(99); }},
  };
  for (const auto& senseless : cases) {
    v1::RegisterRequest request = MakeRegistration("job", 0);
    senseless.change(request);
    EXPECT_THAT(NewWorker()->Register(request),
                IsStatus(senseless.code, HasSubstr(senseless.field)));
  }
}

TEST_F(CoordinatorBadInputTest,
       JobOverTheLimitIsRefusedAndRefusedJobsDoNotCount) {
  v1::RegisterRequest refused = MakeRegistration("refused", 0);
  refused.set_policy("guess");
  for (int i = 0; i < 5; ++i) {
    refused.set_job_id(absl::StrCat("refused-", i));
    EXPECT_THAT(NewWorker()->Register(refused),
                HasCode(absl::StatusCode::kInvalidArgument));
  }
  EXPECT_THAT(NewWorker()->Register(MakeRegistration("second", 0)), IsOk());
  EXPECT_THAT(NewWorker()->Register(MakeRegistration("third", 0)), IsOk());

  EXPECT_THAT(
      NewWorker()->Register(MakeRegistration("fourth", 0)),
      IsStatus(absl::StatusCode::kResourceExhausted, HasSubstr("3 jobs")));
}

TEST_F(CoordinatorBadInputTest, ReportBeforeHelloIsRefused) {
  auto worker = NewWorker();
  ASSERT_THAT(worker->Register(MakeRegistration("job", 0)), IsOk());

  worker->OpenStream();
  worker->SendReport(0, {0}, {1, 2, 3, 4});

  EXPECT_THAT(worker->ReadToEnd(),
              IsStatus(absl::StatusCode::kInvalidArgument, HasSubstr("hello")));
}

TEST_F(CoordinatorBadInputTest, NewerSessionOfAWorkerEndsTheOlder) {
  auto older = JoinWorker(0);
  auto newer = JoinWorker(0);

  EXPECT_THAT(older->ReadToEnd(), HasCode(absl::StatusCode::kAborted));
  newer->Send([] {
    v1::SessionRequest message;
    message.mutable_heartbeat();
    return message;
  }());
  EXPECT_TRUE(newer->Read().has_value());
}

TEST_F(CoordinatorBadInputTest, BytesThatAreNoMessageAreRefusedAndCounted) {
  grpc::GenericStub stub(ConnectTo(server_->grpc_address()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(20));
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareCall(
      &context, "/balancemoe.v1.CoordinatorService/Session", &queue);
  const auto wait = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  call->StartCall(nullptr);
  ASSERT_TRUE(wait());
  const grpc::Slice garbage("\xff\xff\xff garbage");
  call->Write(grpc::ByteBuffer(&garbage, 1), nullptr);
  ASSERT_TRUE(wait());
  grpc::Status status;
  call->Finish(&status, nullptr);
  ASSERT_TRUE(wait());

  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Metric("balancemoe_malformed_messages_total"), 1);
}

TEST_F(CoordinatorBadInputTest, CallWithoutADeadlineIsRefused) {
  const auto stub =
      v1::CoordinatorService::NewStub(ConnectTo(server_->grpc_address()));
  grpc::ClientContext context;
  v1::RegisterResponse response;

  const grpc::Status status =
      stub->Register(&context, MakeRegistration("job", 0), &response);

  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("deadline"));
}

TEST_F(CoordinatorBadInputTest, GarbageOnThePortHarmsNobody) {
  const auto address =
      *coordinator::ParseListenAddress(server_->grpc_address());
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        std::string(4096, '\xa5'), std::string("\x16\x03\x01\x02", 4),
        std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff")}) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in peer{};
    peer.sin_family = AF_INET;
    peer.sin_port = htons(static_cast<uint16_t>(address.port));
    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&peer), sizeof(peer)), 0);
    ASSERT_GT(send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), 0);
    // The server has looked at the bytes once it answers or hangs up.
    shutdown(fd, SHUT_WR);
    char answer[512];
    while (recv(fd, answer, sizeof(answer), 0) > 0) {
    }
    close(fd);
  }
  // TearDown sees that the other job plans on.
}

}  // namespace
}  // namespace balancemoe
