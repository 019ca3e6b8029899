// Remote transports pass the suite where what they serve does: Gloo.

#include "worker/transport/testing/remote_transport.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <cstring>

#include "tests/fixtures/status_matchers.h"
#include "worker/transport/gloo/gloo_transport.h"
#include "worker/transport/testing/conformance.h"
#include "worker/transport/testing/remote_death.h"
#include "worker/transport/testing/remote_worker.h"

namespace balancemoe::worker {
namespace {

constexpr char kServe[] = "--serve-remote-transport";

std::shared_ptr<RemotePool> Pool() {
  static const auto* const pool = new std::shared_ptr<RemotePool>(
      std::make_shared<RemotePool>(std::vector<std::string>{kServe},
                                   std::vector<std::string>{}, "NUMBER"));
  return *pool;
}

INSTANTIATE_TEST_SUITE_P(
    RemoteGloo, TransportConformanceTest,
    ConformanceCases({"remote", [] { return RemoteFactory(Pool()); }}, {2, 3}),
    ConformanceCaseName);

INSTANTIATE_TEST_SUITE_P(RemoteGloo, RemoteDeathTest,
                         ::testing::Values(RemotePoolUnderTest{"gloo", Pool}),
                         RemotePoolName);

TEST(RemoteProcessTest, OneThatDoesNotAnswerIsEnded) {
  const auto pool = std::make_shared<RemotePool>(
      std::vector<std::string>{kServe}, std::vector<std::string>{}, "NUMBER",
      absl::Milliseconds(500));
  const TransportFactory factory = RemoteFactory(pool);
  LocalRendezvous unused;

  // The other rank never comes.
  const auto formed = factory({.rank = WorkerRank(0), .world_size = 2}, unused);

  EXPECT_THAT(formed.status(),
              IsStatus(absl::StatusCode::kUnavailable,
                       ::testing::HasSubstr("did not answer Form")));
}

}  // namespace
}  // namespace balancemoe::worker

int main(int argc, char** argv) {
  using namespace balancemoe::worker;  // NOLINT
  if (argc == 3 && std::strcmp(argv[1], kServe) == 0) {
    ServeRemoteTransport(std::atoi(argv[2]), GlooFactory(),
                         *HostRemoteMemory());
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
