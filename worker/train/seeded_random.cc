#include "worker/train/seeded_random.h"

#include <cstddef>
#include <numeric>
#include <random>
#include <utility>

namespace balancemoe::worker {

uint64_t SeededNumber(uint64_t seed, uint64_t stream, uint64_t index) {
  // seed_seq and the engine, unlike distributions, are fixed by the standard.
  std::seed_seq words{
      static_cast<uint32_t>(seed),   static_cast<uint32_t>(seed >> 32),
      static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32),
      static_cast<uint32_t>(index),  static_cast<uint32_t>(index >> 32)};
  uint32_t halves[2];
  words.generate(halves, halves + 2);
  return (uint64_t{halves[0]} << 32) | halves[1];
}

std::vector<int64_t> SeededPermutation(int64_t size, uint64_t seed) {
  std::vector<int64_t> order(static_cast<size_t>(size));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::mt19937_64 engine(seed);
  for (size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[engine() % i]);
  }
  return order;
}

}  // namespace balancemoe::worker
