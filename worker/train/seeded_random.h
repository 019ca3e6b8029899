#ifndef BALANCEMOE_WORKER_TRAIN_SEEDED_RANDOM_H_
#define BALANCEMOE_WORKER_TRAIN_SEEDED_RANDOM_H_

#include <cstdint>
#include <vector>

namespace balancemoe::worker {

// A number that looks random and depends on the arguments alone, the same on
// every machine: distributions of the standard library differ between vendors.
uint64_t SeededNumber(uint64_t seed, uint64_t stream, uint64_t index);

// 0 .. size - 1 in an order that depends on the arguments alone.
std::vector<int64_t> SeededPermutation(int64_t size, uint64_t seed);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_SEEDED_RANDOM_H_
