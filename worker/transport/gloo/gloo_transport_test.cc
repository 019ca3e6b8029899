#include "worker/transport/gloo/gloo_transport.h"

#include "worker/transport/testing/conformance.h"

namespace balancemoe::worker {
namespace {

INSTANTIATE_TEST_SUITE_P(Gloo, TransportConformanceTest,
                         ConformanceCases({"gloo",
                                           [] { return GlooFactory(); }}),
                         ConformanceCaseName);

}  // namespace
}  // namespace balancemoe::worker
