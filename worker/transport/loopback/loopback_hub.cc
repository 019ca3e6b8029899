#include "worker/transport/loopback/loopback_hub.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/transport/arguments.h"
#include "worker/transport/loopback/loopback_group.h"
#include "worker/transport/loopback/loopback_transport.h"

namespace balancemoe::worker {

TransportFactory LoopbackHub::Factory() {
  return [this](const GroupOptions& group, Rendezvous& /*rendezvous*/)
             -> absl::StatusOr<std::unique_ptr<Transport>> {
    BMOE_RETURN_IF_ERROR(CheckGroup(group));
    auto transport = std::make_unique<LoopbackTransport>(group, *this);
    BMOE_RETURN_IF_ERROR(transport->Form(group.generation));
    return transport;
  };
}

absl::StatusOr<std::shared_ptr<LoopbackGroup>> LoopbackHub::Group(
    int32_t world_size, Generation generation) {
  MutexLock lock(&mutex_);
  Member& member = groups_[generation];
  std::shared_ptr<LoopbackGroup> group = member.group.lock();
  if (group == nullptr) {
    group = std::make_shared<LoopbackGroup>(world_size, generation);
    member = {world_size, group};
  }
  if (member.world_size != world_size) {
    return absl::FailedPreconditionError(absl::StrCat(
        "world size ", world_size, ": generation ", generation.value(), " has ",
        member.world_size, " workers"));
  }
  return group;
}

}  // namespace balancemoe::worker
