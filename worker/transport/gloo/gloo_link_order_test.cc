// This program names libtorch_cpu before libgloo when linking.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fixtures/status_matchers.h"
#include "worker/transport/gloo/gloo_transport.h"
#include "worker/transport/local_rendezvous.h"

namespace balancemoe::worker {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(GlooLinkOrderTest, AnotherGlooInFrontIsRefusedWithAdvice) {
  LocalRendezvous rendezvous;

  EXPECT_THAT(GlooFactory()({.rank = WorkerRank(0)}, rendezvous),
              IsStatus(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("libtorch_cpu"),
                             HasSubstr("name libgloo before libtorch_cpu"))));
}

}  // namespace
}  // namespace balancemoe::worker
