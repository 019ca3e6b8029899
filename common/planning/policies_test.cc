#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/planning/lend_quotas.h"
#include "common/planning/policy.h"
#include "common/planning/quota_split.h"
#include "common/planning/testing/random_snapshot.h"
#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

constexpr uint64_t kSeed = 17;
constexpr int kRounds = 300;

// What every policy promises, whatever it decides.
class PoliciesTest : public testing::TestWithParam<std::string> {
 protected:
  PoliciesTest() : policy_(MakePolicy(Choice())) {}

  static PolicyChoice Choice() { return *ParsePolicyChoice(GetParam()); }

  LayerSnapshot Next() {
    return NextWithPast(generator_, static_cast<int32_t>(generator_.Draw(1, 9)),
                        static_cast<int32_t>(generator_.Draw(1, 24)));
  }

  // The lends with the tokens that each borrower computes.
  static std::vector<Lend> Resolve(const LayerSnapshot& snapshot,
                                   const LayerPlan& plan) {
    QuotaSplitter splitter;
    return ResolveQuotas(
        plan,
        LayerLoads(snapshot.tokens,
                   HomesAfter(snapshot.home_of_expert, plan.moves),
                   snapshot.node_of_worker),
        splitter);
  }

  SnapshotGenerator generator_{kSeed};
  const std::unique_ptr<Policy> policy_;
};

TEST_P(PoliciesTest, PlansAreValidWithinSlotsAndBytes) {
  for (int round = 0; round < kRounds; ++round) {
    const LayerSnapshot snapshot = Next();
    ASSERT_THAT(ValidateSnapshot(snapshot), IsOk());

    const LayerPlan plan = policy_->Decide(snapshot);

    ASSERT_THAT(
        ValidatePlan(plan, snapshot.home_of_expert, UsableSlots(snapshot)),
        IsOk())
        << "round " << round << ", seed " << kSeed;
    // Of plans made ahead, the split rules fit any counts.
    ASSERT_THAT(ValidateQuotas(plan, snapshot.tokens), IsOk())
        << "round " << round << ", seed " << kSeed;
  }
}

TEST_P(PoliciesTest, EveryTokenIsComputedOnce) {
  for (int round = 0; round < kRounds; ++round) {
    const LayerSnapshot snapshot = Next();

    std::vector<int64_t> at_home;
    for (int32_t e = 0; e < snapshot.num_experts(); ++e) {
      at_home.push_back(snapshot.tokens.TokensOfExpert(ExpertId(e)));
    }
    for (const Lend& lend : Resolve(snapshot, policy_->Decide(snapshot))) {
      ASSERT_GE(lend.tokens, 0) << "round " << round << ", seed " << kSeed;
      at_home[lend.expert.index()] -= lend.tokens;
    }

    ASSERT_GE(*std::min_element(at_home.begin(), at_home.end()), 0)
        << "round " << round << ", seed " << kSeed;
  }
}

TEST_P(PoliciesTest, SameSnapshotGivesTheSamePlan) {
  for (int round = 0; round < kRounds; ++round) {
    const LayerSnapshot snapshot = Next();

    ASSERT_EQ(policy_->Decide(snapshot), policy_->Decide(snapshot))
        << "round " << round << ", seed " << kSeed;
  }
}

// The fewest tokens that the policy may have gone by: those of the iteration,
// or of one before it, of which a mean is rounded down expert by expert.
int64_t FewestTokens(const LayerSnapshot& snapshot, bool ahead) {
  int64_t fewest = 0;
  for (int32_t e = 0; e < snapshot.num_experts(); ++e) {
    int64_t tokens = snapshot.tokens.TokensOfExpert(ExpertId(e));
    if (ahead) {
      tokens = snapshot.history.back().tokens_of_expert[static_cast<size_t>(e)];
      for (const PastLoads& past : snapshot.history) {
        tokens =
            std::min(tokens, past.tokens_of_expert[static_cast<size_t>(e)]);
      }
    }
    fewest += tokens;
  }
  return fewest;
}

TEST_P(PoliciesTest, NoForecastBeatsPerfectBalance) {
  for (int round = 0; round < kRounds; ++round) {
    const LayerSnapshot snapshot = Next();
    const double bound_us =
        (1 + snapshot.cost.backward_factor) * snapshot.cost.us_per_token *
        static_cast<double>(FewestTokens(snapshot, Choice().mode != "inline")) /
        snapshot.num_workers();

    const LayerPlan plan = policy_->Decide(snapshot);

    ASSERT_GE(plan.predicted_before_us, bound_us * (1 - 1e-9));
    ASSERT_GE(plan.predicted_after_us, bound_us * (1 - 1e-9))
        << "round " << round << ", seed " << kSeed << ": " << plan.reason;
  }
}

TEST_P(PoliciesTest, EmptyPlanChangesNoForecastAndSaysWhy) {
  for (int round = 0; round < kRounds; ++round) {
    const LayerPlan plan = policy_->Decide(Next());

    ASSERT_NE(plan.reason, "");
    if (!plan.moves.empty() || !plan.lends.empty()) continue;
    ASSERT_EQ(plan.predicted_after_us, plan.predicted_before_us);
  }
}

TEST_P(PoliciesTest, NoTokensAtAllAreNoTrouble) {
  LayerSnapshot snapshot = generator_.Next(4, 8);
  snapshot.tokens = LoadMatrix(4, 8);
  snapshot.history = {{Iteration(1), std::vector<int64_t>(8)}};
  snapshot.iteration = Iteration(30);

  EXPECT_THAT(ValidatePlan(policy_->Decide(snapshot), snapshot.home_of_expert,
                           UsableSlots(snapshot)),
              IsOk());
}

INSTANTIATE_TEST_SUITE_P(All, PoliciesTest, testing::ValuesIn(PolicyNames()),
                         [](const auto& test_case) {
                           std::string name = test_case.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// Policies that look for the shortest time.
class TimeMinimisingPoliciesTest : public PoliciesTest {};

TEST_P(TimeMinimisingPoliciesTest, NoPlanIsPredictedWorseThanStaying) {
  for (int round = 0; round < kRounds; ++round) {
    const LayerPlan plan = policy_->Decide(Next());

    ASSERT_LE(plan.predicted_after_us, plan.predicted_before_us)
        << "round " << round << ", seed " << kSeed << ": " << plan.reason;
  }
}

INSTANTIATE_TEST_SUITE_P(All, TimeMinimisingPoliciesTest,
                         testing::Values("adaptive", "pairwise",
                                         "pairwise-moves"),
                         [](const auto& test_case) {
                           std::string name = test_case.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// Policies that keep what they planned while loads stay as they are.
class SteadyPoliciesTest : public PoliciesTest {
 protected:
  static void Adopt(const LayerPlan& plan, LayerSnapshot& snapshot) {
    snapshot.home_of_expert = HomesAfter(snapshot.home_of_expert, plan.moves);
    snapshot.replicas.clear();
    for (const Lend& lend : plan.lends) {
      snapshot.replicas.push_back({lend.expert, lend.to});
    }
    std::sort(snapshot.replicas.begin(), snapshot.replicas.end());
    snapshot.planned_ratio = plan.planned_ratio;
  }
};

TEST_P(SteadyPoliciesTest, SecondPlanForTheSameLoadsChangesNothing) {
  for (int round = 0; round < kRounds; ++round) {
    LayerSnapshot snapshot = Next();
    const LayerPlan first = policy_->Decide(snapshot);
    Adopt(first, snapshot);

    const LayerPlan second = policy_->Decide(snapshot);

    ASSERT_THAT(second.moves, testing::IsEmpty());
    ASSERT_EQ(second.lends, first.lends)
        << "round " << round << ", seed " << kSeed;
  }
}

INSTANTIATE_TEST_SUITE_P(All, SteadyPoliciesTest,
                         testing::Values("adaptive", "pairwise"));

}  // namespace
}  // namespace balancemoe
