#include "worker/transport/loopback/loopback_hub.h"
#include "worker/transport/testing/conformance.h"

namespace balancemoe::worker {
namespace {

TransportFactory MakeFactory() {
  // Lives as long as any copy of the factory.
  auto hub = std::make_shared<LoopbackHub>();
  return [hub](const GroupOptions& group, Rendezvous& rendezvous) {
    return hub->Factory()(group, rendezvous);
  };
}

INSTANTIATE_TEST_SUITE_P(Loopback, TransportConformanceTest,
                         ConformanceCases({"loopback", MakeFactory}),
                         ConformanceCaseName);

}  // namespace
}  // namespace balancemoe::worker
