#include "worker/transport/gloo/gloo_transport.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "common/status_macros.h"
#include "worker/transport/arguments.h"
#include "worker/transport/gloo/gloo_collectives.h"
#include "worker/transport/gloo/gloo_device.h"
#include "worker/transport/gloo/gloo_group.h"
#include "worker/transport/gloo/gloo_mesh.h"
#include "worker/transport/gloo/gloo_transfers.h"

namespace balancemoe::worker {
namespace {

// One generation: connections and what runs over them.
struct Connected {
  explicit Connected(std::unique_ptr<GlooGroup> formed)
      : group(std::move(formed)), collectives(*group), transfers(*group) {}
  ~Connected() {
    if (!transfers.idle()) {
      group->Abort(
          absl::StrCat("worker ", group->options().rank.value(),
                       " has left the group with transfers under way"));
    }
  }

  const std::unique_ptr<GlooGroup> group;
  GlooCollectives collectives;
  GlooTransfers transfers;
};

class GlooTransport final : public Transport {
 public:
  GlooTransport(const GroupOptions& options,
                std::shared_ptr<gloo::transport::Device> device,
                Rendezvous& rendezvous)
      : options_(options),
        device_(std::move(device)),
        rendezvous_(rendezvous) {}

  absl::Status Form(Generation generation);

  WorkerRank rank() const override { return options_.rank; }
  int32_t world_size() const override { return options_.world_size; }
  Generation generation() const override { return generation_; }
  absl::string_view name() const override { return "gloo"; }

  absl::Status AllGather(absl::Span<const std::byte> mine,
                         absl::Span<std::byte> all, ComputeStream) override {
    BMOE_RETURN_IF_ERROR(CheckAllGather(mine.size(), all.size(), world_size()));
    BMOE_ASSIGN_OR_RETURN(const auto connected, connection());
    return connected->collectives.AllGather(mine, all);
  }
  absl::Status AllToAllV(absl::Span<const std::byte> send,
                         absl::Span<const size_t> send_bytes,
                         absl::Span<std::byte> receive,
                         absl::Span<const size_t> receive_bytes,
                         ComputeStream) override {
    BMOE_RETURN_IF_ERROR(CheckAllToAllV(send.size(), receive.size(), send_bytes,
                                        receive_bytes, rank(), world_size()));
    BMOE_ASSIGN_OR_RETURN(const auto connected, connection());
    return connected->collectives.AllToAllV(send, send_bytes, receive,
                                            receive_bytes);
  }
  absl::Status AllReduceSum(absl::Span<float> values, ComputeStream) override {
    BMOE_ASSIGN_OR_RETURN(const auto connected, connection());
    return connected->collectives.AllReduceSum(values);
  }
  absl::Status Broadcast(absl::Span<std::byte> bytes, WorkerRank root,
                         ComputeStream) override {
    BMOE_RETURN_IF_ERROR(CheckRoot(root, world_size()));
    BMOE_ASSIGN_OR_RETURN(const auto connected, connection());
    return connected->collectives.Broadcast(bytes, root);
  }
  absl::Status Barrier() override {
    BMOE_ASSIGN_OR_RETURN(const auto connected, connection());
    return connected->collectives.Barrier();
  }
  absl::StatusOr<std::unique_ptr<TransferBatch>> StartTransfers(
      absl::Span<const Transfer> transfers) override {
    BMOE_RETURN_IF_ERROR(CheckTransfers(transfers, rank(), world_size()));
    BMOE_ASSIGN_OR_RETURN(const auto connected, connection());
    return connected->transfers.Start(transfers);
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
    {
      MutexLock lock(&mutex_);
      connected_ = nullptr;
    }
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
  // Kept over generations: its thread need not start anew.
  const std::shared_ptr<gloo::transport::Device> device_;
  Rendezvous& rendezvous_;
  Generation generation_;

  Mutex mutex_;
  // Shared with an Abort() of another thread.
  std::shared_ptr<Connected> connected_ ABSL_GUARDED_BY(mutex_);
};

absl::Status GlooTransport::Form(Generation generation) {
  generation_ = generation;
  const SteadyClock clock;
  const absl::Time deadline = clock.Now() + options_.connect_timeout;
  BMOE_ASSIGN_OR_RETURN(GlooMesh mesh, ConnectGlooMesh(options_, generation,
                                                       device_, rendezvous_));
  auto connected = std::make_shared<Connected>(
      std::make_unique<GlooGroup>(options_, std::move(mesh)));
  connected->collectives.Open();
  connected->transfers.Open();
  BMOE_RETURN_IF_ERROR(connected->group->Greet(deadline - clock.Now()));
  MutexLock lock(&mutex_);
  connected_ = std::move(connected);
  return absl::OkStatus();
}

}  // namespace

TransportFactory GlooFactory(const GlooOptions& options) {
  return [options](const GroupOptions& group, Rendezvous& rendezvous)
             -> absl::StatusOr<std::unique_ptr<Transport>> {
    BMOE_RETURN_IF_ERROR(CheckGroup(group));
    BMOE_ASSIGN_OR_RETURN(auto device, CreateGlooDevice(options));
    auto transport =
        std::make_unique<GlooTransport>(group, std::move(device), rendezvous);
    BMOE_RETURN_IF_ERROR(transport->Form(group.generation));
    return transport;
  };
}

}  // namespace balancemoe::worker
