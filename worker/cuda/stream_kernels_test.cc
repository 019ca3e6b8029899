#include "worker/cuda/stream_kernels.h"

#include <cuda_runtime.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "worker/cuda/cuda_status.h"

namespace balancemoe::worker {
namespace {

constexpr uint64_t kSeed = 20260303;

// Memory that both the test and the kernels see.
template <typename T>
class Managed {
 public:
  explicit Managed(size_t count) : count_(count) {
    EXPECT_EQ(cudaMallocManaged(&memory_, count * sizeof(T)), cudaSuccess);
  }
  ~Managed() { cudaFree(memory_); }
  Managed(const Managed&) = delete;
  Managed& operator=(const Managed&) = delete;

  T* get() const { return memory_; }
  T& operator[](size_t i) { return memory_[i]; }
  size_t count() const { return count_; }

 private:
  const size_t count_;
  T* memory_ = nullptr;
};

class StreamKernelsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const absl::Status device = CheckCudaDevice(0);
    if (!device.ok()) GTEST_SKIP() << "needs a GPU: " << device.message();
  }

  static uint64_t ChecksumOf(const void* from, size_t bytes) {
    Managed<uint64_t> checksum(1);
    EXPECT_EQ(LaunchChecksum(from, bytes, checksum.get(), nullptr), 0);
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    return checksum[0];
  }
};

TEST_F(StreamKernelsTest, SumHasTheBitsOfASumInRankOrder) {
  constexpr size_t kCount = 100003;
  constexpr int kRanks = 7;
  std::mt19937_64 random(kSeed);
  std::normal_distribution<float> mantissa;
  Managed<float> parts(kCount * kRanks);
  for (size_t i = 0; i < parts.count(); ++i) {
    parts[i] =
        std::ldexp(mantissa(random), static_cast<int>(random() % 24) - 12);
  }
  std::vector<float> expected(parts.get(), parts.get() + kCount);
  for (size_t i = kCount; i < parts.count(); ++i) {
    expected[i % kCount] += parts[i];
  }
  Managed<float> sum(kCount);

  ASSERT_EQ(
      LaunchSumInRankOrder(sum.get(), parts.get(), kCount, kRanks, nullptr), 0);
  ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);

  EXPECT_EQ(std::memcmp(sum.get(), expected.data(), kCount * sizeof(float)), 0);
}

TEST_F(StreamKernelsTest, ChecksumIsTheSameAtEveryAlignment) {
  constexpr size_t kBytes = 70001;
  std::mt19937_64 random(kSeed);
  Managed<unsigned char> bytes(kBytes + 8);
  std::vector<unsigned char> content(kBytes);
  for (unsigned char& byte : content) byte = random() % 256;
  std::memcpy(bytes.get(), content.data(), kBytes);
  const uint64_t aligned = ChecksumOf(bytes.get(), kBytes);

  for (size_t offset = 1; offset < 8; ++offset) {
    std::memcpy(bytes.get() + offset, content.data(), kBytes);
    EXPECT_EQ(ChecksumOf(bytes.get() + offset, kBytes), aligned) << offset;
  }
}

TEST_F(StreamKernelsTest, ChecksumDependsOnEveryByteAndItsPlace) {
  for (const size_t size : {1, 7, 8, 9, 4096, 4099}) {
    Managed<unsigned char> bytes(size + 1);
    std::memset(bytes.get(), 0, size + 1);
    const uint64_t zeros = ChecksumOf(bytes.get(), size);
    bytes[size - 1] = 1;
    const uint64_t last = ChecksumOf(bytes.get(), size);
    bytes[size - 1] = 0;
    bytes[size / 2] = 1;
    const uint64_t middle = ChecksumOf(bytes.get(), size);

    EXPECT_NE(last, zeros) << size;
    EXPECT_NE(middle, zeros) << size;
    if (size > 2) {
      EXPECT_NE(middle, last) << size;
    }
  }
}

TEST_F(StreamKernelsTest, CompareSeesWhetherTwoAreEqual) {
  Managed<uint64_t> words(3);
  words[0] = words[1] = 5;
  ASSERT_EQ(LaunchCompare(&words[0], &words[1], &words[2], nullptr), 0);
  ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_EQ(words[2], 1u);

  words[1] = 6;
  ASSERT_EQ(LaunchCompare(&words[0], &words[1], &words[2], nullptr), 0);
  ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_EQ(words[2], 0u);
}

}  // namespace
}  // namespace balancemoe::worker
