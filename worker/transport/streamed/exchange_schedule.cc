#include "worker/transport/streamed/exchange_schedule.h"

namespace balancemoe::worker {

std::vector<std::vector<ExchangeStep>> ExchangeGroups(WorkerRank self,
                                                      int32_t world_size,
                                                      int32_t most) {
  std::vector<std::vector<ExchangeStep>> groups;
  const int32_t steps_per_group = most / 2;
  for (int32_t step = 1; step < world_size; ++step) {
    if ((step - 1) % steps_per_group == 0) groups.emplace_back();
    groups.back().push_back(
        {WorkerRank((self.value() + step) % world_size),
         WorkerRank((self.value() - step + world_size) % world_size)});
  }
  return groups;
}

std::vector<std::vector<WorkerRank>> BroadcastGroups(WorkerRank root,
                                                     int32_t world_size,
                                                     int32_t most) {
  std::vector<std::vector<WorkerRank>> groups;
  for (int32_t step = 1; step < world_size; ++step) {
    if ((step - 1) % most == 0) groups.emplace_back();
    groups.back().push_back(WorkerRank((root.value() + step) % world_size));
  }
  return groups;
}

}  // namespace balancemoe::worker
