// Ranks are processes with a host id each: NCCL then takes them for different
// machines and lets them share GPU 0.

#include "worker/transport/nccl/nccl_transport.h"

#include <cstdlib>
#include <cstring>

#include "worker/cuda/cuda_status.h"
#include "worker/transport/nccl/testing/cuda_remote_memory.h"
#include "worker/transport/testing/conformance.h"
#include "worker/transport/testing/remote_death.h"
#include "worker/transport/testing/remote_transport.h"
#include "worker/transport/testing/remote_worker.h"

namespace balancemoe::worker {
namespace {

constexpr char kServeHostMemory[] = "--serve-host-memory";
constexpr char kServeDeviceMemory[] = "--serve-device-memory";

// A group of a test that kills is formed within 15 s, and everything else in it
// is quicker.
constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr absl::Duration kPatienceWithDeath = absl::Seconds(20);

std::shared_ptr<RemotePool> NewPool(const char* serve,
                                    absl::Duration patience) {
  return std::make_shared<RemotePool>(
      std::vector<std::string>{serve},
      // Within this machine, whatever networks it has.
      std::vector<std::string>{"NCCL_SOCKET_IFNAME=lo", "NCCL_IB_DISABLE=1"},
      "NCCL_HOSTID", patience);
}

std::shared_ptr<RemotePool> HostMemoryPool() {
  static const auto* const pool =
      new std::shared_ptr<RemotePool>(NewPool(kServeHostMemory, kPatience));
  return *pool;
}

std::shared_ptr<RemotePool> DeviceMemoryPool() {
  static const auto* const pool =
      new std::shared_ptr<RemotePool>(NewPool(kServeDeviceMemory, kPatience));
  return *pool;
}

std::shared_ptr<RemotePool> PoolWithDeath() {
  static const auto* const pool = new std::shared_ptr<RemotePool>(
      NewPool(kServeDeviceMemory, kPatienceWithDeath));
  return *pool;
}

// Ranks share one GPU, which works for one after the other: few are enough.
INSTANTIATE_TEST_SUITE_P(
    NcclHostMemory, TransportConformanceTest,
    ConformanceCases({"nccl", [] { return RemoteFactory(HostMemoryPool()); }},
                     {1, 2, 3}),
    ConformanceCaseName);

INSTANTIATE_TEST_SUITE_P(
    NcclDeviceMemory, TransportConformanceTest,
    ConformanceCases({"nccl", [] { return RemoteFactory(DeviceMemoryPool()); }},
                     {1, 2, 3}),
    ConformanceCaseName);

INSTANTIATE_TEST_SUITE_P(Nccl, RemoteDeathTest,
                         ::testing::Values(RemotePoolUnderTest{"nccl",
                                                               PoolWithDeath}),
                         RemotePoolName);

class GpuEnvironment : public ::testing::Environment {
 public:
  void SetUp() override {
    const absl::Status gpu = CheckCudaDevice(0);
    if (!gpu.ok()) GTEST_SKIP() << "needs a GPU: " << gpu.message();
  }
};

}  // namespace
}  // namespace balancemoe::worker

int main(int argc, char** argv) {
  using namespace balancemoe::worker;  // NOLINT
  if (argc == 3 && std::strcmp(argv[1], kServeHostMemory) == 0) {
    ServeRemoteTransport(std::atoi(argv[2]), NcclFactory(),
                         *HostRemoteMemory());
  }
  if (argc == 3 && std::strcmp(argv[1], kServeDeviceMemory) == 0) {
    ServeRemoteTransport(std::atoi(argv[2]), NcclFactory(),
                         *CudaRemoteMemory());
  }
  ::testing::InitGoogleTest(&argc, argv);
  ::testing::AddGlobalTestEnvironment(new GpuEnvironment);
  return RUN_ALL_TESTS();
}
