#include "worker/transport/streamed/streamed_transport.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "common/status_macros.h"
#include "worker/transport/arguments.h"
#include "worker/transport/streamed/meeting.h"
#include "worker/transport/streamed/staging.h"
#include "worker/transport/streamed/streamed_collectives.h"
#include "worker/transport/streamed/streamed_group.h"
#include "worker/transport/streamed/streamed_transfers.h"

namespace balancemoe::worker {
namespace {

// One generation.
struct Connected {
  Connected(std::unique_ptr<StreamedGroup> formed, StagingPool& staging)
      : group(std::move(formed)), collectives(*group, staging) {}

  const std::unique_ptr<StreamedGroup> group;
  StreamedCollectives collectives;
};

class StreamedTransport final : public Transport {
 public:
  StreamedTransport(const GroupOptions& options, StreamedBackend backend,
                    std::unique_ptr<StreamDevice> device,
                    Rendezvous& rendezvous)
      : options_(options),
        backend_(std::move(backend)),
        rendezvous_(rendezvous),
        device_(std::move(device)),
        staging_(device_->memory()) {}

  absl::Status Form(Generation generation);

  WorkerRank rank() const override { return options_.rank; }
  int32_t world_size() const override { return options_.world_size; }
  Generation generation() const override { return generation_; }
  absl::string_view name() const override { return backend_.name; }

  absl::Status AllGather(absl::Span<const std::byte> mine,
                         absl::Span<std::byte> all,
                         ComputeStream stream) override {
    BMOE_RETURN_IF_ERROR(CheckAllGather(mine.size(), all.size(), world_size()));
    BMOE_ASSIGN_OR_RETURN(const auto connected, connection());
    return connected->collectives.AllGather(mine, all, stream);
  }
  absl::Status AllToAllV(absl::Span<const std::byte> send,
                         absl::Span<const size_t> send_bytes,
                         absl::Span<std::byte> receive,
                         absl::Span<const size_t> receive_bytes,
                         ComputeStream stream) override {
    BMOE_RETURN_IF_ERROR(CheckAllToAllV(send.size(), receive.size(), send_bytes,
                                        receive_bytes, rank(), world_size()));
    BMOE_ASSIGN_OR_RETURN(const auto connected, connection());
    return connected->collectives.AllToAllV(send, send_bytes, receive,
                                            receive_bytes, stream);
  }
  absl::Status AllReduceSum(absl::Span<float> values,
                            ComputeStream stream) override {
    BMOE_ASSIGN_OR_RETURN(const auto connected, connection());
    return connected->collectives.AllReduceSum(values, stream);
  }
  absl::Status Broadcast(absl::Span<std::byte> bytes, WorkerRank root,
                         ComputeStream stream) override {
    BMOE_RETURN_IF_ERROR(CheckRoot(root, world_size()));
    BMOE_ASSIGN_OR_RETURN(const auto connected, connection());
    return connected->collectives.Broadcast(bytes, root, stream);
  }
  absl::Status Barrier() override {
    BMOE_ASSIGN_OR_RETURN(const auto connected, connection());
    return connected->collectives.Barrier();
  }
  absl::StatusOr<std::unique_ptr<TransferBatch>> StartTransfers(
      absl::Span<const Transfer> transfers) override {
    BMOE_RETURN_IF_ERROR(CheckTransfers(transfers, rank(), world_size()));
    BMOE_ASSIGN_OR_RETURN(const auto connected, connection());
    return StartStreamedTransfers(*connected->group, staging_, transfers);
  }
  void Abort(absl::Status reason) override {
    const auto connected = connection();
    if (!connected.ok()) return;
    (*connected)
        ->group->Abort(absl::StrCat("worker ", rank().value(),
                                    " aborted: ", reason.message()));
  }
  absl::Status Rebuild(Generation generation) override {
    BMOE_RETURN_IF_ERROR(CheckNextGeneration(generation_, generation));
    std::shared_ptr<Connected> old;
    {
      MutexLock lock(&mutex_);
      old = std::move(connected_);
    }
    // Leaves, without the lock: an Abort of another thread may still come.
    old = nullptr;
    return Form(generation);
  }

 private:
  // Errors: Unavailable after a Rebuild that failed.
  absl::StatusOr<std::shared_ptr<Connected>> connection() {
    MutexLock lock(&mutex_);
    if (connected_ != nullptr) return connected_;
    return absl::UnavailableError(
        absl::StrCat("generation ", generation_.value(), " was not formed"));
  }

  const GroupOptions options_;
  const StreamedBackend backend_;
  Rendezvous& rendezvous_;
  Generation generation_;

  // Kept over generations.
  const std::unique_ptr<StreamDevice> device_;
  StagingPool staging_;

  Mutex mutex_;
  // Shared with an Abort() of another thread.
  std::shared_ptr<Connected> connected_ ABSL_GUARDED_BY(mutex_);
};

absl::Status StreamedTransport::Form(Generation generation) {
  generation_ = generation;
  const SteadyClock clock;
  const absl::Time deadline = clock.Now() + options_.connect_timeout;
  std::string group_id;
  if (rank() == WorkerRank(0)) {
    BMOE_ASSIGN_OR_RETURN(group_id, device_->NewGroupId());
  }
  BMOE_ASSIGN_OR_RETURN(Meeting meeting,
                        Meet(options_, generation, backend_.control_address,
                             group_id, rendezvous_));
  GroupOptions rest = options_;
  rest.generation = generation;
  rest.connect_timeout =
      std::max(deadline - clock.Now(), absl::Milliseconds(1));
  BMOE_ASSIGN_OR_RETURN(
      auto group, StreamedGroup::Connect(rest, std::move(meeting), *device_));
  MutexLock lock(&mutex_);
  connected_ = std::make_shared<Connected>(std::move(group), staging_);
  return absl::OkStatus();
}

}  // namespace

TransportFactory StreamedFactory(StreamedBackend backend) {
  return [backend = std::move(backend)](const GroupOptions& group,
                                        Rendezvous& rendezvous)
             -> absl::StatusOr<std::unique_ptr<Transport>> {
    BMOE_RETURN_IF_ERROR(CheckGroup(group));
    BMOE_ASSIGN_OR_RETURN(auto device, backend.open_device());
    auto transport = std::make_unique<StreamedTransport>(
        group, backend, std::move(device), rendezvous);
    BMOE_RETURN_IF_ERROR(transport->Form(group.generation));
    return transport;
  };
}

}  // namespace balancemoe::worker
