#include "worker/expert/expert_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "common/planning/layer_snapshot.h"

namespace balancemoe::worker {
namespace {

using ::testing::ElementsAre;

constexpr ExpertShape kShape = {.hidden = 3, .ffn = 5};

std::shared_ptr<ExpertStore> MakeStore(int32_t rank, int32_t workers,
                                       uint64_t seed = 1) {
  return std::make_shared<ExpertStore>(
      ExpertStore::Options{.layer = LayerId(2),
                           .shape = kShape,
                           .rank = WorkerRank(rank),
                           .home_of_expert = ContiguousPlacement(workers, 4),
                           .seed = seed});
}

TEST(ExpertStoreTest, HoldsTheExpertsThatLiveHere) {
  const auto store = MakeStore(1, 2);

  EXPECT_THAT(store->home_experts(), ElementsAre(ExpertId(2), ExpertId(3)));
  EXPECT_EQ(store->Find(ExpertId(0)), nullptr);
  EXPECT_EQ(store->Find(ExpertId(3))->w1().sizes(), at::IntArrayRef({5, 3}));
}

TEST(ExpertStoreTest, FirstValuesDependOnSeedAndExpertNotOnTheWorker) {
  const auto alone = MakeStore(0, 1);
  const auto second_of_two = MakeStore(1, 2);
  const auto other_seed = MakeStore(0, 1, 9);

  const torch::Tensor& value = alone->Find(ExpertId(2))->w1();
  EXPECT_TRUE(torch::equal(value, second_of_two->Find(ExpertId(2))->w1()));
  EXPECT_FALSE(torch::equal(value, alone->Find(ExpertId(3))->w1()));
  EXPECT_FALSE(torch::equal(value, other_seed->Find(ExpertId(2))->w1()));
}

TEST(ExpertStoreTest, SlotsAreAlignedAndSpanTheTensors) {
  const auto store = MakeStore(0, 1);

  for (const ExpertId expert : store->home_experts()) {
    const auto bytes = store->Home(expert).bytes;
    const ExpertTensors& tensors = *store->Find(expert);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes.data()) % 64, 0U);
    EXPECT_EQ(bytes.size(), static_cast<size_t>(kShape.bytes()));
    EXPECT_EQ(static_cast<void*>(bytes.data()), tensors.w1().data_ptr());
    EXPECT_EQ(reinterpret_cast<float*>(bytes.data()) + kShape.parameters(),
              tensors.b2().data_ptr<float>() + kShape.hidden);
  }
}

TEST(ExpertStoreTest, WritingOneExpertDoesNotAgeAnother) {
  const auto store = MakeStore(0, 1);
  const torch::NoGradGuard no_grad;
  const auto version = store->Find(ExpertId(1))->w1()._version();

  store->Find(ExpertId(0))->w1().add_(1);

  EXPECT_EQ(store->Find(ExpertId(1))->w1()._version(), version);
}

TEST(ExpertStoreTest, GradientsAreZerosInPlaceBeforeTheFirstBackward) {
  const auto store = MakeStore(0, 2);

  for (const torch::Tensor& parameter : store->parameters()) {
    EXPECT_TRUE(parameter.grad().eq(0).all().item<bool>());
  }
}

TEST(ExpertStoreTest, DroppedGradientsComeBackAsZeros) {
  const auto store = MakeStore(0, 2);
  const torch::Tensor& w1 = store->Find(ExpertId(0))->w1();
  w1.mutable_grad().fill_(3);
  const void* const place = w1.grad().data_ptr();
  store->zero_grad();
  ASSERT_FALSE(w1.grad().defined());

  store->PrepareGradients();

  EXPECT_TRUE(w1.grad().eq(0).all().item<bool>());
  EXPECT_EQ(w1.grad().data_ptr(), place);
}

TEST(ExpertStoreTest, ABorrowedExpertIsVisibleFromPublishToItsReturn) {
  const auto store = MakeStore(0, 2);
  auto slot = store->Borrow(ExpertId(3));

  EXPECT_EQ(store->Find(ExpertId(3)), nullptr);
  slot->Publish();
  EXPECT_EQ(store->Find(ExpertId(3)), &slot->tensors());
  slot.reset();
  EXPECT_EQ(store->Find(ExpertId(3)), nullptr);
}

TEST(ExpertStoreTest, SpareMemoryIsWhatWasEverBorrowedAtATime) {
  const auto store = MakeStore(0, 2);
  const int64_t without = store->allocated_bytes();
  for (int i = 0; i < 3; ++i) {
    const auto one = store->Borrow(ExpertId(2));
    const auto two = store->Borrow(ExpertId(3));
  }

  EXPECT_EQ(without, 4 * kShape.bytes());
  EXPECT_EQ(store->allocated_bytes(), 6 * kShape.bytes());
}

TEST(ExpertStoreTest, PeakIsOfWhatWasInUseAtATimeSinceTheLastCall) {
  const auto store = MakeStore(0, 2);
  const int64_t homes = 4 * kShape.bytes();
  EXPECT_EQ(store->TakePeakBytes(), homes);

  const auto kept = store->Borrow(ExpertId(2));
  {
    const auto other = store->Borrow(ExpertId(3));
    const auto gradient = store->GradientBuffer(ExpertId(3));
  }
  store->ReturnBuffers(2);
  EXPECT_EQ(store->TakePeakBytes(), homes + 5 * kShape.bytes());
  EXPECT_EQ(store->TakePeakBytes(), homes + kShape.bytes());

  store->BeginArrival(ExpertId(3));
  store->AbandonArrivals();
  EXPECT_EQ(store->TakePeakBytes(), homes + 3 * kShape.bytes());
}

TEST(ExpertStoreTest, ABorrowedSlotOutlivesTheStore) {
  auto store = MakeStore(0, 2);
  const auto slot = store->Borrow(ExpertId(3));
  store.reset();

  std::memset(slot->bytes().data(), 0, slot->bytes().size());

  EXPECT_EQ(slot->tensors().w2().sum().item<float>(), 0);
}

}  // namespace
}  // namespace balancemoe::worker
