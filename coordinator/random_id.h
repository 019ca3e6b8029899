#ifndef BALANCEMOE_COORDINATOR_RANDOM_ID_H_
#define BALANCEMOE_COORDINATOR_RANDOM_ID_H_

#include <cstdint>

namespace balancemoe::coordinator {

// 64 bits from the system's generator, never 0: for incarnations and sessions,
// which nobody must be able to guess.
uint64_t RandomId();

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_RANDOM_ID_H_
