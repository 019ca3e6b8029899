#include "coordinator/random_id.h"

#include <random>

namespace balancemoe::coordinator {

uint64_t RandomId() {
  std::random_device system;
  uint64_t id = 0;
  while (id == 0) id = uint64_t{system()} << 32 | system();
  return id;
}

}  // namespace balancemoe::coordinator
