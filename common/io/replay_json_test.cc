#include "common/io/replay_json.h"

#include <gtest/gtest.h>

namespace balancemoe {
namespace {

TEST(ReplayJsonTest, KeysAndTheirOrderAreTheDocumentedOnes) {
  const ReplayReport report = {
      .trace = "t.csv",
      .iterations = 2,
      .layers = 3,
      .experts = 8,
      .workers = 4,
      .mode = "native",
      .profile = "h200-nvlink",
      .lower_bound_mean_us = 100.5,
      .balanced_mean_us = 110,
      .policies = {{.policy = "static",
                    .mode = "inline",
                    .imbalance = {1.5, 1.25, 2, 3, 1.75},
                    .moves_per_decision = 1,
                    .lends_per_decision = 2,
                    .renewals_per_decision = 3,
                    .bytes_per_decision = 4,
                    .layer_time_mean_us = 150,
                    .layer_time_p95_us = 200,
                    .exposed_transfer_mean_us = 5,
                    .speedup_over_static = 1,
                    .peak_tokens_mean = 60,
                    .peak_tokens_max = 70,
                    .peak_memory_mean_bytes = 1e9,
                    .peak_memory_max_bytes = 2'000'000'000,
                    .energy_j_per_iteration = 7,
                    .solve_p50_us = 8,

                    .solve_p99_us = 9,
                    .points = {}}}};

  EXPECT_EQ(
      ReplayJson(report).dump(),
      R"({"trace":"t.csv","iterations":2,"layers":3,"experts":8,)"
      R"("workers":4,"mode":"native","profile":"h200-nvlink",)"
      R"("lower_bound_us":{"mean":100.5},"balanced_us":{"mean":110.0},)"
      R"("policies":[{"policy":"static","mode":"inline",)"
      R"("imbalance":{"mean":1.5,"p50":1.25,"p95":2.0,"max":3.0,)"
      R"("token_weighted_mean":1.75},"moves_per_decision":1.0,)"
      R"("lends_per_decision":2.0,"renewals_per_decision":3.0,)"
      R"("bytes_per_decision":4.0,"layer_time_us":{"mean":150.0,)"
      R"("p95":200.0},"exposed_transfer_us":{"mean":5.0},)"
      R"("speedup_over_static":1.0,)"
      R"("peak_tokens_per_worker":{"mean":60.0,"max":70},)"
      R"("peak_memory_bytes":{"mean":1000000000.0,"max":2000000000},)"
      R"("energy_j_per_iteration":7.0,"solve_us":{"p50":8.0,"p99":9.0}}]})");
}

}  // namespace
}  // namespace balancemoe
