// One job and its workers against a real coordinator over real sockets.

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "common/wire/grpc_status.h"
#include "coordinator/coordinator_server.h"
#include "tests/fixtures/status_matchers.h"
#include "tests/integration/coordinator_metrics_page.h"
#include "tests/integration/coordinator_test_worker.h"

namespace balancemoe {
namespace {

using coordinator::CoordinatorOptions;
using coordinator::CoordinatorServer;
using ::testing::HasSubstr;

class CoordinatorSessionTest : public ::testing::Test {
 protected:
  // Long enough that no busy machine misses it.
  void SetUp() override { StartServer(absl::Seconds(20)); }

  void StartServer(absl::Duration report_deadline) {
    CoordinatorOptions options;
    options.listen = "127.0.0.1:0";
    options.http_listen = "127.0.0.1:0";
    options.jobs.default_policy = *ParsePolicyChoice("static");
    options.jobs.gather.report_deadline = report_deadline;
    auto server = CoordinatorServer::Start(options);
    ASSERT_THAT(server, IsOk());
    server_ = *std::move(server);
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

  // What was handled before this message is done then, metrics included.
  static void AwaitAllBefore(CoordinatorTestWorker& worker) {
    v1::SessionRequest heartbeat;
    heartbeat.mutable_heartbeat();
    worker.Send(heartbeat);
    const auto answer = worker.Read();
    EXPECT_TRUE(answer.has_value() && answer->has_heartbeat());
  }

  std::unique_ptr<CoordinatorServer> server_;
};

TEST_F(CoordinatorSessionTest, PlanGoesToEveryWorkerAsTheSameBytes) {
  auto first = JoinWorker(0);
  auto second = JoinWorker(1);

  first->SendReport(7, {1}, {5, 0, 0, 0});
  second->SendReport(7, {1}, {1, 2, 3, 4});
  const auto to_first = first->Read();
  const auto to_second = second->Read();

  const v1::Plan plan = PlanOf(to_first);
  EXPECT_EQ(plan.iteration(), 7);
  EXPECT_EQ(plan.layer(), 1);
  EXPECT_EQ(plan.policy(), "static@inline");
  EXPECT_EQ(to_first->plan().plan(), to_second->plan().plan());
}

TEST_F(CoordinatorSessionTest, PlanSaysWhoseCostModelIsMissing) {
  auto first = JoinWorker(0);
  auto second = JoinWorker(1);
  first->SendCalibration();

  first->SendReport(0, {0}, {5, 0, 0, 0});
  second->SendReport(0, {0}, {1, 2, 3, 4});

  EXPECT_EQ(PlanOf(first->Read()).reason(),
            "cost model not yet measured by worker 1");
}

TEST_F(CoordinatorSessionTest, PairwiseLendsOnceAllCostModelsAreThere) {
  auto first = NewWorker();
  auto second = NewWorker();
  auto registration = MakeRegistration("job", 0);
  registration.set_policy("pairwise");
  first->Join(registration);
  second->Join(MakeRegistration("job", 1));
  first->SendCalibration();
  second->SendCalibration();

  first->SendReport(0, {0}, {1000, 1000, 0, 0});
  second->SendReport(0, {0}, {1000, 1000, 0, 0});
  const v1::Plan plan = PlanOf(second->Read());

  EXPECT_EQ(plan.policy(), "pairwise@inline");
  EXPECT_THAT(plan.lend_from(), ::testing::ElementsAre(0));
  EXPECT_THAT(plan.lend_to(), ::testing::ElementsAre(1));
  EXPECT_LT(plan.predicted_after_us(), plan.predicted_before_us());
}

TEST_F(CoordinatorSessionTest, MissingReportEndsInNoPlanThatNamesTheWorker) {
  StartServer(absl::Milliseconds(20));
  auto first = JoinWorker(0);
  auto second = JoinWorker(1);

  first->SendReport(3, {0}, {1, 1, 1, 1});
  const auto answer = second->Read();

  ASSERT_TRUE(answer.has_value() && answer->has_no_plan());
  EXPECT_EQ(answer->no_plan().iteration(), 3);
  EXPECT_THAT(answer->no_plan().reason(), HasSubstr("no report from worker 1"));
}

TEST_F(CoordinatorSessionTest, HeartbeatIsAnsweredWithItsSequence) {
  auto worker = JoinWorker(0);

  v1::SessionRequest message;
  message.mutable_heartbeat()->set_sequence(41);
  worker->Send(message);
  const auto answer = worker->Read();

  ASSERT_TRUE(answer.has_value() && answer->has_heartbeat());
  EXPECT_EQ(answer->heartbeat().sequence(), 41u);
}

TEST_F(CoordinatorSessionTest, HeartbeatBehindAReportIsReadToo) {
  StartServer(absl::Milliseconds(20));
  auto worker = JoinWorker(0);
  v1::SessionRequest heartbeat;
  heartbeat.mutable_heartbeat()->set_sequence(41);

  worker->SendReport(3, {0}, {1, 1, 1, 1});
  worker->Send(heartbeat);
  const auto first = worker->Read();
  const auto second = worker->Read();

  // The other way round when the answer to hello was not yet written out as the
  // report came: the end of that write lets the coordinator read on, too.
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_EQ(first->has_no_plan() + second->has_no_plan(), 1);
  EXPECT_EQ(first->has_heartbeat() + second->has_heartbeat(), 1);
}

TEST_F(CoordinatorSessionTest, HeartbeatIsNotKeptWaitingByALongDeadline) {
  auto worker = JoinWorker(0);
  v1::SessionRequest heartbeat;
  heartbeat.mutable_heartbeat()->set_sequence(41);

  worker->SendReport(3, {0}, {1, 1, 1, 1});
  worker->Send(heartbeat);
  const auto answer = worker->Read();

  EXPECT_TRUE(answer.has_value() && answer->has_heartbeat());
}

TEST_F(CoordinatorSessionTest, WorkerKilledWhileItsReportWaitsIsMissed) {
  StartServer(absl::Milliseconds(20));
  auto first = JoinWorker(0);
  auto second = JoinWorker(1);
  AwaitAllBefore(*second);

  first->SendReport(3, {0}, {1, 1, 1, 1});
  first->Kill();

  const auto connected = [this] {
    return MetricValue(
        server_->http_address(),
        R"(balancemoe_job_workers{job="job",state="connected"})");
  };
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (connected() != 1 && std::chrono::steady_clock::now() < end) {
    std::this_thread::yield();
  }
  EXPECT_EQ(connected(), 1);
}

TEST_F(CoordinatorSessionTest, SameIncarnationGetsItsSessionAgain) {
  auto worker = NewWorker();
  const auto first = worker->Register(MakeRegistration("job", 0));
  const auto again = worker->Register(MakeRegistration("job", 0));

  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->session_id(), first->session_id());
  EXPECT_EQ(again->generation(), first->generation());
}

TEST_F(CoordinatorSessionTest,
       NewIncarnationFencesEverybodyIntoANewGeneration) {
  auto first = JoinWorker(0);
  auto second = JoinWorker(1);
  auto registration = MakeRegistration("job", 1);
  registration.set_worker_incarnation(777);
  auto replacement = NewWorker();

  const auto admission = replacement->Register(registration);

  ASSERT_THAT(admission, IsOk());
  EXPECT_EQ(admission->generation(), 2u);
  const auto fence = first->Read();
  ASSERT_TRUE(fence.has_value() && fence->has_fence());
  EXPECT_EQ(fence->fence().generation(), 2u);
  EXPECT_THAT(first->ReadToEnd(), HasCode(absl::StatusCode::kAborted));
  EXPECT_THAT(second->ReadToEnd(), HasCode(absl::StatusCode::kAborted));
  // The survivor registers again and is in the new generation.
  auto survivor = MakeRegistration("job", 0);
  survivor.set_generation(1);
  first->Join(survivor);
  EXPECT_EQ(first->fencing().generation(), 2u);
  // The replaced process is not let in again.
  EXPECT_THAT(second->Register(MakeRegistration("job", 1)),
              HasCode(absl::StatusCode::kAborted));
}

TEST_F(CoordinatorSessionTest, KeyIsAwaitedAndBarrierOpensWhenAllAreThere) {
  auto first = JoinWorker(0);
  auto second = JoinWorker(1);

  absl::StatusOr<std::string> got;
  absl::Status passed;
  std::thread waiting([&] {
    got = first->GetKey("address");
    passed = first->Barrier("formed");
  });
  const absl::Status put = second->PutKey("address", "10.0.0.1");
  const absl::Status arrived = second->Barrier("formed");
  waiting.join();

  EXPECT_THAT(put, IsOk());
  ASSERT_THAT(got, IsOk());
  EXPECT_EQ(*got, "10.0.0.1");
  EXPECT_THAT(arrived, IsOk());
  EXPECT_THAT(passed, IsOk());
}

TEST_F(CoordinatorSessionTest, KeyThatNeverComesEndsWithTheCallersDeadline) {
  auto worker = JoinWorker(0);

  EXPECT_THAT(worker->GetKey("nothing", 100),
              HasCode(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(CoordinatorSessionTest, PolicyChangesWhileTheJobRuns) {
  auto first = JoinWorker(0);
  auto second = JoinWorker(1);
  const auto admin =
      v1::AdminService::NewStub(ConnectTo(server_->grpc_address()));
  const auto set_policy = [&](const std::string& job, const std::string& policy,
                              v1::SetPolicyResponse* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(20));
    v1::SetPolicyRequest request;
    request.set_job_id(job);
    request.set_policy(policy);
    request.set_first_iteration(5);
    return FromGrpcStatus(admin->SetPolicy(&context, request, response));
  };
  v1::SetPolicyResponse response;

  EXPECT_THAT(set_policy("nobody", "pairwise", &response),
              HasCode(absl::StatusCode::kNotFound));
  EXPECT_THAT(set_policy("job", "guess", &response),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       HasSubstr("pairwise-moves, smartmoe")));
  ASSERT_THAT(set_policy("job", "pairwise", &response), IsOk());
  EXPECT_EQ(response.previous_policy(), "static@inline");
  EXPECT_EQ(response.first_iteration(), 5);
  const auto update = first->Read();
  ASSERT_TRUE(update.has_value() && update->has_config_update());
  EXPECT_EQ(update->config_update().policy(), "pairwise@inline");
  EXPECT_EQ(update->config_update().first_iteration(), 5);
  for (const int64_t iteration : {4, 5}) {
    for (const auto* worker : {&first, &second}) {
      (*worker)->SendReport(iteration, {0}, {1, 2, 3, 4});
    }
    EXPECT_EQ(PlanOf(first->Read()).policy(),
              iteration < 5 ? "static@inline" : "pairwise@inline");
  }

  // Workers that have not heard that plans are made ahead need not wait.
  ASSERT_THAT(set_policy("job", "adaptive", &response), IsOk());
  EXPECT_EQ(response.first_iteration(), 6);
  EXPECT_EQ(first->Read()->config_update().policy(), "adaptive@hybrid");
  for (const auto* worker : {&first, &second}) {
    (*worker)->SendReport(6, {0}, {1, 2, 3, 4});
  }
  const auto no_plan = first->Read();
  ASSERT_TRUE(no_plan.has_value() && no_plan->has_no_plan());
  EXPECT_EQ(no_plan->no_plan().iteration(), 6);
  EXPECT_EQ(no_plan->no_plan().reason(), "adaptive@hybrid plans ahead");
}

TEST_F(CoordinatorSessionTest, MetricsShowAJobAndForgetItWhenItIsOver) {
  auto first = JoinWorker(0);
  auto second = JoinWorker(1);
  const std::string workers =
      "balancemoe_job_workers{job=\"job\",state=\"connected\"}";
  const std::string running = "balancemoe_jobs{state=\"running\"}";

  AwaitAllBefore(*second);
  EXPECT_EQ(MetricValue(server_->http_address(), workers), 2);
  EXPECT_EQ(MetricValue(server_->http_address(), running), 1);
  for (const auto* worker : {&first, &second}) {
    v1::SessionRequest goodbye;
    goodbye.mutable_detach();
    (*worker)->Send(goodbye);
    EXPECT_THAT((*worker)->ReadToEnd(), IsOk());
  }
  // Joining anew is ordered after the end of the old job.
  EXPECT_THAT(NewWorker()->Register(MakeRegistration("job", 0)), IsOk());
  EXPECT_EQ(MetricValue(server_->http_address(), workers), 0);
  EXPECT_EQ(MetricValue(server_->http_address(), running), 0);
  const auto page = GetPage(server_->http_address(), "/metrics");
  EXPECT_EQ(page->get_header_value("Content-Type"),
            "text/plain; version=0.0.4");
}

TEST_F(CoordinatorSessionTest, HealthServiceTellsAllOfItsNames) {
  grpc::GenericStub stub(ConnectTo(server_->grpc_address()));
  for (const std::string& name :
       {std::string(), std::string("balancemoe.v1.CoordinatorService"),
        std::string("liveness"), std::string("readiness")}) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(20));
    grpc::CompletionQueue queue;
    // HealthCheckRequest{service = name}, of which there is no library.
    std::string bytes;
    if (!name.empty()) {
      bytes = std::string("\x0a") + static_cast<char>(name.size()) + name;
    }
    const grpc::Slice slice(bytes);
    const auto call =
        stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check",
                              grpc::ByteBuffer(&slice, 1), &queue);
    call->StartCall();
    grpc::ByteBuffer answer;
    grpc::Status status;
    call->Finish(&answer, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
    ASSERT_TRUE(status.ok()) << status.error_message();
    grpc::Slice serving;
    ASSERT_TRUE(answer.DumpToSingleSlice(&serving).ok());
    EXPECT_EQ(std::string(serving.begin(), serving.end()), "\x08\x01") << name;
  }
}

TEST_F(CoordinatorSessionTest, DrainTellsWorkersAndEndsTheirSessions) {
  auto worker = JoinWorker(0);
  std::thread draining([&] { server_->Drain(); });

  const auto message = worker->Read();
  const absl::Status end = worker->ReadToEnd();
  draining.join();

  ASSERT_TRUE(message.has_value() && message->has_drain());
  EXPECT_THAT(end, HasCode(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace balancemoe
