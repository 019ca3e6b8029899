#include "worker/transport/testing/conformance.h"

#include <cstring>
#include <thread>
#include <utility>

#include "common/clock.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe::worker {
namespace {

void RunThreads(int32_t count, const std::function<void(int32_t)>& body) {
  std::vector<std::thread> threads;
  for (int32_t rank = 0; rank < count; ++rank) threads.emplace_back(body, rank);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

std::string ConformanceCaseName(
    const ::testing::TestParamInfo<ConformanceCase>& test_case) {
  return std::get<0>(test_case.param).name +
         std::to_string(std::get<1>(test_case.param)) + "Ranks";
}

TransportConformanceTest::TransportConformanceTest()
    : factory_(std::get<0>(GetParam()).make_factory()) {}

GroupOptions TransportConformanceTest::Options(int32_t rank) const {
  return {.rank = WorkerRank(rank),
          .world_size = world_size(),
          .connect_timeout = absl::Seconds(20),
          .operation_timeout = absl::Seconds(30)};
}

absl::StatusOr<std::unique_ptr<Transport>> TransportConformanceTest::Make(
    const GroupOptions& options) {
  return factory_(options, rendezvous_);
}

void TransportConformanceTest::OnAllRanksOwning(
    const std::function<void(std::unique_ptr<Transport>)>& body) {
  RunThreads(world_size(), [&](int32_t rank) {
    auto transport = Make(Options(rank));
    ASSERT_THAT(transport, IsOk());
    body(*std::move(transport));
  });
}

void TransportConformanceTest::OnAllRanks(
    const std::function<void(Transport&)>& body) {
  OnAllRanksOwning(
      [&](std::unique_ptr<Transport> transport) { body(*transport); });
}

std::vector<std::byte> Pattern(size_t bytes, int32_t from, int32_t to,
                               uint64_t number) {
  std::vector<std::byte> pattern(bytes);
  // A multiplicative generator, eight bytes at a time: tests with many MiB stay
  // quick.
  uint64_t state = (number * 64 + static_cast<uint64_t>(from)) * 64 +
                   static_cast<uint64_t>(to) + 1;
  for (size_t i = 0; i < bytes; i += sizeof(state)) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    std::memcpy(pattern.data() + i, &state, std::min(sizeof(state), bytes - i));
  }
  return pattern;
}

bool Eventually(const std::function<bool()>& condition) {
  const SteadyClock clock;
  const absl::Time deadline = clock.Now() + absl::Seconds(20);
  while (clock.Now() < deadline) {
    if (condition()) return true;
    std::this_thread::yield();
  }
  return false;
}

Transfer SendTo(int32_t peer, std::vector<std::byte>& bytes) {
  return {Transfer::Direction::kSend, WorkerRank(peer), absl::MakeSpan(bytes)};
}

Transfer ReceiveFrom(int32_t peer, std::vector<std::byte>& bytes) {
  return {Transfer::Direction::kReceive, WorkerRank(peer),
          absl::MakeSpan(bytes)};
}

const std::vector<size_t>& ConformanceSizes() {
  static const auto* const sizes = new std::vector<size_t>{
      0,    1,    7,    64,    4032,  4063,    4064,   4065,
      4095, 4096, 4097, 65536, 65537, 1000003, 3 << 20};
  return *sizes;
}

}  // namespace balancemoe::worker
