#ifndef BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_COLLECTIVES_H_
#define BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_COLLECTIVES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/ids.h"
#include "worker/transport/gloo/gloo_channel.h"
#include "worker/transport/gloo/gloo_group.h"

namespace balancemoe::worker {

// The collectives, each as an exchange of every rank with every other: one
// step, or two for a large all-reduce. Not Gloo's own, which end the process
// when ranks disagree about a length. Arguments are checked by the caller; an
// error aborts the group. For one thread at a time.
class GlooCollectives {
 public:
  // `group` must outlive this.
  explicit GlooCollectives(GlooGroup& group);

  void Open();

  absl::Status AllGather(absl::Span<const std::byte> mine,
                         absl::Span<std::byte> all);
  absl::Status AllToAllV(absl::Span<const std::byte> send,
                         absl::Span<const size_t> send_bytes,
                         absl::Span<std::byte> receive,
                         absl::Span<const size_t> receive_bytes);
  absl::Status AllReduceSum(absl::Span<float> values);
  absl::Status Broadcast(absl::Span<std::byte> bytes, WorkerRank root);
  absl::Status Barrier();

 private:
  using SendBlock = absl::FunctionRef<absl::Span<const std::byte>(size_t rank)>;
  using ReceiveBlock = absl::FunctionRef<absl::Span<std::byte>(size_t rank)>;

  // Sends every peer its block and receives one from it. `arrived` is called in
  // the order of ranks, this one included, so that sums have a fixed order.
  absl::Status Exchange(
      GlooMessageKind kind, SendBlock send, ReceiveBlock receive,
      absl::FunctionRef<void(size_t rank)> arrived = [](size_t) {});
  absl::Status TryExchange(GlooMessageKind kind, SendBlock send,
                           ReceiveBlock receive,
                           absl::FunctionRef<void(size_t rank)> arrived);
  // Passes an error on, after aborting the group because of it.
  absl::Status Settle(const absl::Status& status);

  absl::Status SumSmall(absl::Span<float> values);
  absl::Status SumLarge(absl::Span<float> values);

  size_t ranks() const { return channels_.size(); }
  size_t self() const { return group_.options().rank.index(); }

  GlooGroup& group_;
  // By rank; null for this one.
  std::vector<std::unique_ptr<GlooChannel>> channels_;
  // Kept between calls: glibc gives big blocks back to the system each time.
  std::vector<float> received_;
  std::vector<float> sum_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_COLLECTIVES_H_
