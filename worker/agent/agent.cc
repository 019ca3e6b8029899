#include "worker/agent/agent.h"

namespace balancemoe::worker {

HeldSends& Agent::held_sends() {
  if (held_sends_ == nullptr) {
    held_sends_ = std::make_unique<HeldSends>(transport());
  }
  return *held_sends_;
}

}  // namespace balancemoe::worker
