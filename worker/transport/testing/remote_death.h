#ifndef BALANCEMOE_WORKER_TRANSPORT_TESTING_REMOTE_DEATH_H_
#define BALANCEMOE_WORKER_TRANSPORT_TESTING_REMOTE_DEATH_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "worker/transport/local_rendezvous.h"
#include "worker/transport/testing/remote_transport.h"

namespace balancemoe::worker {

// A backend whose ranks are processes, which can die.
struct RemotePoolUnderTest {
  std::string name;
  std::function<std::shared_ptr<RemotePool>()> pool;

  friend void PrintTo(const RemotePoolUnderTest& backend, std::ostream* out) {
    *out << backend.name;
  }
};

std::string RemotePoolName(
    const ::testing::TestParamInfo<RemotePoolUnderTest>& pool);

// Three ranks, the last of which is killed.
class RemoteDeathTest : public ::testing::TestWithParam<RemotePoolUnderTest> {
 protected:
  static constexpr int32_t kRanks = 3;
  static constexpr int32_t kVictim = 2;

  RemoteDeathTest();
  // Ranks leave together, because one may wait for the others.
  ~RemoteDeathTest() override;

  // Forms the group, or the transport of one rank.
  void FormAll(Generation generation);
  void Form(int32_t rank, Generation generation);

  Transport& rank(int32_t rank) { return *transports_[rank]; }
  void KillVictim();
  // Runs `body` on ranks 0 .. count - 1 at once.
  void OnRanks(int32_t count, const std::function<void(int32_t)>& body);
  // A survivor heard soon enough, and of whom.
  void ExpectVictimNamed(const absl::Status& status);
  // The survivors and a new victim form the group anew and use it.
  void ReplaceAndGoOn();

 private:
  const TransportFactory factory_;
  const SteadyClock clock_;
  LocalRendezvous unused_;
  std::vector<std::unique_ptr<Transport>> transports_;
  absl::Time killed_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_TESTING_REMOTE_DEATH_H_
