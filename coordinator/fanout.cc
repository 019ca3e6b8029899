#include "coordinator/fanout.h"

namespace balancemoe::coordinator {

void Fanout::Continue() {
  for (size_t i = next_++; i < to_.size(); i = next_++) {
    to_[i]->Send(message_, shared_from_this());
  }
}

}  // namespace balancemoe::coordinator
