#ifndef BALANCEMOE_WORKER_TRANSPORT_TRANSPORT_H_
#define BALANCEMOE_WORKER_TRANSPORT_TRANSPORT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/ids.h"
#include "worker/transport/rendezvous.h"

namespace balancemoe::worker {

// The queue of compute work that must not run before some bytes have arrived: a
// cudaStream_t on a GPU. On CPUs there is none and the calling thread itself
// waits.
struct ComputeStream {
  void* native = nullptr;
};

// One message between this worker and a peer.
struct Transfer {
  enum class Direction { kSend, kReceive };

  Direction direction = Direction::kSend;
  WorkerRank peer;
  // Must stay in place until the transfer is done. Both ends give the same
  // size.
  absl::Span<std::byte> buffer;
};

// Transfers under way. Destroying a batch waits for what is pending, or until
// the transport is aborted. Thread-safe.
class TransferBatch {
 public:
  virtual ~TransferBatch() = default;

  // Whether transfer `index` has ended, well or not. Never blocks.
  virtual bool Done(size_t index) const = 0;

  // Without a stream, blocks the caller until transfer `index` is Done. With
  // one, may return before: the stream waits, and later work on it sees the
  // bytes. Bytes that turn out wrong after that abort the group, whose later
  // calls say so; Wait without a stream still tells how the transfer ended.
  //
  // Errors:
  //   DataLoss     the bytes differ from those sent, or in length.
  //   Unavailable  a peer is gone (named), or the transport was aborted.
  virtual absl::Status Wait(size_t index, ComputeStream stream) = 0;

  // Wall time from start to arrival of transfer `index`; zero until it is done.
  virtual absl::Duration Elapsed(size_t index) const = 0;
};

// Moves bytes between the workers of a job: the collectives of a MoE layer, and
// point-to-point transfers that run beside computation. Knows no tensors.
//
//   ready --a peer is gone, Abort--> aborted --Rebuild--> ready
//
// Aborted, every call that waits returns Unavailable within a second, on every
// rank, with the reason in words; nothing hangs.
//
// All ranks call the same collectives in the same order, from one thread at a
// time. Transfers may be started from another thread. Between two workers, the
// n-th send of one meets the n-th receive of the other, so both sides must
// start them in the same order. Buffers may lie on the device that the backend
// serves. A collective on a stream is ordered on that stream; without one it
// has ended when the call returns.
//
// Collectives fail with InvalidArgument before a byte is sent; with DataLoss
// when ranks called different ones or with lengths that do not match, which
// aborts the group; and with Unavailable.
//
// A worker that destroys its transport has left: what it sent still arrives,
// what needs it from then on aborts the group. Batches may outlive the
// transport.
class Transport {
 public:
  virtual ~Transport() = default;

  virtual WorkerRank rank() const = 0;
  virtual int32_t world_size() const = 0;
  virtual Generation generation() const = 0;
  // "loopback", "gloo"
  virtual absl::string_view name() const = 0;

  // `all` is world_size times as long as `mine`; block r comes from rank r.
  virtual absl::Status AllGather(absl::Span<const std::byte> mine,
                                 absl::Span<std::byte> all,
                                 ComputeStream stream) = 0;

  // Sends `send_bytes[r]` bytes to rank r, blocks in rank order, and receives
  // `receive_bytes[r]` from it. Sizes may be 0 and must match the peers'.
  virtual absl::Status AllToAllV(absl::Span<const std::byte> send,
                                 absl::Span<const size_t> send_bytes,
                                 absl::Span<std::byte> receive,
                                 absl::Span<const size_t> receive_bytes,
                                 ComputeStream stream) = 0;

  // Sums over ranks, in place, in an order that depends only on the world size
  // and the length: equal inputs give equal bits, on every rank.
  virtual absl::Status AllReduceSum(absl::Span<float> values,
                                    ComputeStream stream) = 0;

  virtual absl::Status Broadcast(absl::Span<std::byte> bytes, WorkerRank root,
                                 ComputeStream stream) = 0;

  // Returns once every rank has called it.
  virtual absl::Status Barrier() = 0;

  // Starts all `transfers` together and returns at once.
  //
  // Errors: InvalidArgument for a peer out of range or oneself; Unavailable
  // when aborted.
  virtual absl::StatusOr<std::unique_ptr<TransferBatch>> StartTransfers(
      absl::Span<const Transfer> transfers) = 0;

  // Ends everything under way, here and, as fast as the network tells them, on
  // all peers, with `reason`. Any thread.
  virtual void Abort(absl::Status reason) = 0;

  // Forms the group anew, in place, with all ranks that call this with the same
  // `generation`, which must be higher than the present one. No call may be
  // under way and no TransferBatch alive.
  //
  // Errors: DeadlineExceeded, naming the missing ranks.
  virtual absl::Status Rebuild(Generation generation) = 0;
};

// The group to form.
struct GroupOptions {
  WorkerRank rank;
  int32_t world_size = 1;
  Generation generation = Generation(1);
  // How long forming the group may take: the slowest process must have started.
  absl::Duration connect_timeout = absl::Seconds(60);
  // Longest silence of a peer that is alive, over which a collective fails.
  absl::Duration operation_timeout = absl::Minutes(5);
};

// Makes a backend. `rendezvous` must outlive the transport.
using TransportFactory =
    std::function<absl::StatusOr<std::unique_ptr<Transport>>(
        const GroupOptions& group, Rendezvous& rendezvous)>;

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_TRANSPORT_H_
