#ifndef BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_TRANSFERS_H_
#define BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_TRANSFERS_H_

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/mutex.h"
#include "worker/transport/gloo/gloo_channel.h"
#include "worker/transport/gloo/gloo_group.h"
#include "worker/transport/gloo/gloo_transfer_loop.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// The point-to-point transfers of a group: a loop per peer and direction, made
// when first used, since a plan lends between few pairs. Thread-safe.
class GlooTransfers {
 public:
  // `group` must outlive this.
  explicit GlooTransfers(GlooGroup& group);
  // The group must be aborted, or no transfer pending.
  ~GlooTransfers() = default;

  void Open();

  // Errors: Unavailable when aborted.
  absl::StatusOr<std::unique_ptr<TransferBatch>> Start(
      absl::Span<const Transfer> transfers) ABSL_LOCKS_EXCLUDED(mutex_);

  bool idle() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Link {
    std::unique_ptr<GlooChannel> channel;
    std::unique_ptr<GlooTransferLoop> sends;
    std::unique_ptr<GlooTransferLoop> receives;
  };

  GlooTransferLoop& LoopFor(const Transfer& transfer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  GlooGroup& group_;
  mutable Mutex mutex_;
  // By rank.
  std::vector<Link> links_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_TRANSFERS_H_
