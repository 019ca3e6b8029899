#include "worker/bench/service_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/wire/codec.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe::worker {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr Iteration kIteration(7);
constexpr LayerId kLayer(1);

ServiceJob MakeJob(const std::string& policy) {
  return {.workers = 4,
          .layers = 2,
          .experts = 16,
          .policy = *ParsePolicyChoice(policy)};
}

// The plan that a coordinator in order makes.
Plan RightPlan(const ServiceJob& job) {
  return {.id = PlanId(1),
          .epoch = JobEpoch(1),
          .generation = Generation(1),
          .iteration = kIteration,
          .layer = kLayer,
          .policy = job.policy.ToString(),
          .cost = {},
          .decision = ExpectedDecision(job, kLayer)};
}

// Checks what the workers got when all got `plan`.
absl::Status Check(const ServiceJob& job, const Plan& plan) {
  const std::string bytes = EncodePlan(plan);
  return CheckPlans(job, ExpectedDecision(job, kLayer), kIteration, kLayer,
                    std::vector<absl::string_view>(4, bytes));
}

TEST(ServiceJobTest, PairwiseFindsSomethingToLendAndStaticLendsNothing) {
  EXPECT_THAT(ExpectedDecision(MakeJob("pairwise"), kLayer).lends,
              Not(IsEmpty()));
  EXPECT_THAT(ExpectedDecision(MakeJob("static"), kLayer).lends, IsEmpty());
}

TEST(ServiceJobTest, ThePlanThatThePolicyMakesIsRight) {
  const ServiceJob job = MakeJob("pairwise");

  EXPECT_THAT(Check(job, RightPlan(job)), IsOk());
}

TEST(ServiceJobTest, OneWorkerWithOtherBytesIsNamed) {
  const ServiceJob job = MakeJob("static");
  const std::string bytes = EncodePlan(RightPlan(job));
  std::vector<absl::string_view> plans(4, bytes);
  plans[2] = "other";

  EXPECT_THAT(
      CheckPlans(job, ExpectedDecision(job, kLayer), kIteration, kLayer, plans),
      IsStatus(absl::StatusCode::kInternal, HasSubstr("worker 2")));
}

TEST(ServiceJobTest, APlanForAnotherIterationIsWrong) {
  const ServiceJob job = MakeJob("static");
  Plan plan = RightPlan(job);
  plan.iteration = Iteration(6);

  EXPECT_THAT(Check(job, plan), IsStatus(absl::StatusCode::kInternal,
                                         HasSubstr("for iteration 6")));
}

TEST(ServiceJobTest, APlanWithALendLessIsWrong) {
  const ServiceJob job = MakeJob("pairwise");
  Plan plan = RightPlan(job);
  plan.decision.lends.pop_back();

  EXPECT_THAT(Check(job, plan),
              IsStatus(absl::StatusCode::kInternal, HasSubstr("lends")));
}

TEST(ServiceJobTest, APlanWithAnotherForecastIsWrong) {
  const ServiceJob job = MakeJob("static");
  Plan plan = RightPlan(job);
  plan.decision.predicted_before_us *= 1.001;

  EXPECT_THAT(Check(job, plan),
              IsStatus(absl::StatusCode::kInternal, HasSubstr("predicts")));
}

}  // namespace
}  // namespace balancemoe::worker
