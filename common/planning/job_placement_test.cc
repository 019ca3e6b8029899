#include "common/planning/job_placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;

constexpr WorkerRank kA(0);
constexpr WorkerRank kB(1);

TEST(JobPlacementTest, BeginsContiguousInEveryLayer) {
  const JobPlacement placement = FirstPlacement(2, 2, 4);
  EXPECT_EQ(placement.version, 0u);
  EXPECT_THAT(
      placement.home_of_expert,
      ElementsAre(ElementsAre(kA, kA, kB, kB), ElementsAre(kA, kA, kB, kB)));
  EXPECT_THAT(ValidatePlacement(placement, 2, 2, 4), IsOk());
}

TEST(JobPlacementTest, MovesOfAllLayersAreOneChange) {
  JobPlacement placement = FirstPlacement(2, 2, 4);
  ApplyMoves({{LayerId(0), {{ExpertId(1), kA, kB}}},
              {LayerId(1), {{ExpertId(0), kA, kB}, {ExpertId(3), kB, kA}}}},
             placement);
  EXPECT_EQ(placement.version, 1u);
  EXPECT_THAT(
      placement.home_of_expert,
      ElementsAre(ElementsAre(kA, kB, kB, kB), ElementsAre(kB, kA, kB, kA)));
}

TEST(JobPlacementTest, WhatDoesNotFitTheJobIsNamed) {
  JobPlacement placement = FirstPlacement(2, 2, 4);
  EXPECT_THAT(ValidatePlacement(placement, 3, 2, 4),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "placement of 2 layers; the job has 3"));
  EXPECT_THAT(ValidatePlacement(placement, 2, 2, 5),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "placement of layer 0: 4 experts; the layer has 5"));
  placement.home_of_expert[1][2] = WorkerRank(2);
  EXPECT_THAT(ValidatePlacement(placement, 2, 2, 4),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       "placement of layer 1: expert 2 at worker 2; the job "
                       "has workers 0 to 1"));
  placement.home_of_expert[1][2] = WorkerRank(-1);
  EXPECT_THAT(ValidatePlacement(placement, 2, 2, 4),
              HasCode(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace balancemoe
