#include "worker/transport/streamed/streamed_transport.h"

#include "worker/transport/streamed/testing/fake_stream_device.h"
#include "worker/transport/testing/conformance.h"

namespace balancemoe::worker {
namespace {

TransportFactory MakeFactory() {
  // Lives as long as any copy of the factory.
  auto fabric = std::make_shared<FakeFabric>();
  return StreamedFactory({.name = "streamed", .open_device = [fabric] {
                            return OpenFakeStreamDevice(*fabric);
                          }});
}

INSTANTIATE_TEST_SUITE_P(Streamed, TransportConformanceTest,
                         ConformanceCases({"streamed", MakeFactory}),
                         ConformanceCaseName);

}  // namespace
}  // namespace balancemoe::worker
