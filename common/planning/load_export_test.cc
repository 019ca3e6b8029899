#include "common/planning/load_export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "common/planning/testing/small_snapshot.h"

namespace balancemoe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Replica Copy(int32_t expert, int32_t worker) {
  return {ExpertId(expert), WorkerRank(worker)};
}

std::vector<Replica> Export(const LayerLoads& loads,
                            const LoadExporter::Start& start, int64_t threshold,
                            bool near_first = false) {
  std::vector<Replica> added;
  LoadExporter(loads).Export(start, threshold, near_first, added);
  return added;
}

TEST(LoadExportTest, LargestExpertGoesToWhoeverHasMostRoom) {
  const LayerSnapshot snapshot =
      SmallSnapshot(3, {90, 10, 30, 20}, {0, 0, 1, 2});
  const LayerLoads loads = KnownLoads(snapshot);
  const std::vector<int32_t> slots = {4, 4, 4};

  // 50 over the threshold: worker 2 takes 30 and worker 1 the other 20.
  EXPECT_THAT(Export(loads, {{}, {}, slots}, 50),
              ElementsAre(Copy(0, 1), Copy(0, 2)));
}

TEST(LoadExportTest, HighThresholdMakesFewCopies) {
  const LayerSnapshot snapshot =
      SmallSnapshot(3, {90, 10, 30, 20}, {0, 0, 1, 2});
  const LayerLoads loads = KnownLoads(snapshot);
  const std::vector<int32_t> slots = {4, 4, 4};

  EXPECT_THAT(Export(loads, {{}, {}, slots}, 80), ElementsAre(Copy(0, 2)));
  EXPECT_THAT(Export(loads, {{}, {}, slots}, 100), IsEmpty());
}

TEST(LoadExportTest, FullWorkersGetNothing) {
  const LayerSnapshot snapshot =
      SmallSnapshot(3, {90, 10, 30, 20}, {0, 0, 1, 2});
  const LayerLoads loads = KnownLoads(snapshot);
  const std::vector<int32_t> slots = {4, 4, 0};

  EXPECT_THAT(Export(loads, {{}, {}, slots}, 50), ElementsAre(Copy(0, 1)));
}

TEST(LoadExportTest, GoesOnFromCopiesThatThereAre) {
  const LayerSnapshot snapshot =
      SmallSnapshot(3, {90, 10, 30, 20}, {0, 0, 1, 2});
  const LayerLoads loads = KnownLoads(snapshot);
  const std::vector<Replica> in_place = {Copy(0, 2)};
  const std::vector<int64_t> tokens = {30};
  const std::vector<int32_t> free = {4, 4, 3};

  EXPECT_THAT(Export(loads, {in_place, tokens, free}, 50),
              ElementsAre(Copy(0, 1)));
}

TEST(LoadExportTest, OwnNodeComesFirstWhenAsked) {
  LayerSnapshot snapshot = SmallSnapshot(4, {90, 30, 20, 10}, {0, 1, 2, 3});
  snapshot.node_of_worker = {0, 0, 1, 1};
  const LayerLoads loads = KnownLoads(snapshot);
  const std::vector<int32_t> slots = {4, 4, 4, 4};

  EXPECT_THAT(Export(loads, {{}, {}, slots}, 70, true),
              ElementsAre(Copy(0, 1)));
  EXPECT_THAT(Export(loads, {{}, {}, slots}, 70, false),
              ElementsAre(Copy(0, 3)));
}

}  // namespace
}  // namespace balancemoe
