#ifndef BALANCEMOE_WORKER_TRANSPORT_TESTING_CONFORMANCE_H_
#define BALANCEMOE_WORKER_TRANSPORT_TESTING_CONFORMANCE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "worker/transport/local_rendezvous.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// A backend under test; its test file is this and nothing else:
//
//   INSTANTIATE_TEST_SUITE_P(Loopback, TransportConformanceTest,
//                            ConformanceCases({"loopback", MakeFactory}),
//                            ConformanceCaseName);
struct TransportBackend {
  std::string name;
  // A factory whose groups share nothing with those of other factories.
  std::function<TransportFactory()> make_factory;

  friend void PrintTo(const TransportBackend& backend, std::ostream* out) {
    *out << backend.name;
  }
};

using ConformanceCase = std::tuple<TransportBackend, int32_t>;

// The backend with each of these numbers of ranks.
inline auto ConformanceCases(TransportBackend backend,
                             const std::vector<int32_t>& ranks = {1, 2, 3, 4,
                                                                  7}) {
  return ::testing::Combine(::testing::Values(std::move(backend)),
                            ::testing::ValuesIn(ranks));
}

std::string ConformanceCaseName(
    const ::testing::TestParamInfo<ConformanceCase>& test_case);

// Ranks of a group as threads of this process, each with a transport of its
// own.
class TransportConformanceTest
    : public ::testing::TestWithParam<ConformanceCase> {
 protected:
  TransportConformanceTest();

  int32_t world_size() const { return std::get<1>(GetParam()); }
  GroupOptions Options(int32_t rank) const;
  // Makes the transport of a rank.
  absl::StatusOr<std::unique_ptr<Transport>> Make(const GroupOptions& options);

  // Runs `body` on every rank at once; a group that does not form fails the
  // test.
  void OnAllRanks(const std::function<void(Transport&)>& body);
  // The same; `body` may destroy the transport.
  void OnAllRanksOwning(
      const std::function<void(std::unique_ptr<Transport>)>& body);

 private:
  const TransportFactory factory_;
  LocalRendezvous rendezvous_;
};

// Bytes that differ by sender, receiver, number of the message and place.
std::vector<std::byte> Pattern(size_t bytes, int32_t from, int32_t to,
                               uint64_t number = 0);

// Calls `condition` until it holds; false when it does not within 20 s.
bool Eventually(const std::function<bool()>& condition);

Transfer SendTo(int32_t peer, std::vector<std::byte>& bytes);
Transfer ReceiveFrom(int32_t peer, std::vector<std::byte>& bytes);

// From nothing to several MiB, with the odd ones around the sizes at which a
// backend is likely to change its way.
const std::vector<size_t>& ConformanceSizes();

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_TESTING_CONFORMANCE_H_
