#ifndef BALANCEMOE_WORKER_EXPERT_PASSAGE_H_
#define BALANCEMOE_WORKER_EXPERT_PASSAGE_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/ids.h"
#include "worker/transport/held_sends.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// One of `parts` parts of `bytes`, in whole lines of 64 bytes. Parts are of
// about one size, may be empty, and cover all bytes in order.
absl::Span<std::byte> PartOf(absl::Span<std::byte> bytes, size_t parts,
                             size_t part);

// An expert's parameters, or gradients, on their way through this worker: what
// comes from neighbours on the route, and what goes to others, part by part.
//
//   Receive, Hold --ReleaseAll, PassOn--> on its way --Await...--> through
//
// Receives and places in the order of sends are taken at once, as neighbours
// expect; bytes leave when they are there. Used from one thread.
class Passage {
 public:
  // Both must outlive the passage.
  Passage(size_t parts, Transport& transport, HeldSends& sends)
      : parts_(parts), transport_(transport), sends_(sends) {}
  Passage(const Passage&) = delete;
  Passage& operator=(const Passage&) = delete;
  // Waits for what is under way; what nobody released is given up. Buffers must
  // live as long.
  ~Passage();

  // Expects `bytes` from `peer`.
  //
  // Errors: those of the transport.
  absl::Status Receive(WorkerRank peer, absl::Span<std::byte> bytes);
  // Will send `bytes` to `peer`.
  void Hold(WorkerRank peer, absl::Span<std::byte> bytes);

  // All bytes to send are there.
  void ReleaseAll();
  // Releases each part once all that is expected of it has come and `join`, if
  // given, has been called for it, on a thread of its own.
  void PassOn(std::function<void(size_t part)> join);

  // Sends nothing more: for when something went wrong, and what stands before
  // may never leave.
  void GiveUp(const absl::Status& why);

  // Blocks until the whole of the `i`-th Receive has come.
  //
  // Errors: those of TransferBatch::Wait.
  absl::Status AwaitReceived(size_t i);
  // Blocks until everything has come and everything has left.
  //
  // Errors: those of TransferBatch::Wait.
  absl::Status AwaitAll();

 private:
  struct Outgoing {
    WorkerRank peer;
    std::vector<std::shared_ptr<HeldSend>> parts;
  };

  void Release(size_t part);
  absl::Status AwaitPart(size_t part);

  const size_t parts_;
  Transport& transport_;
  HeldSends& sends_;
  // Constant once the relay runs.
  std::vector<std::unique_ptr<TransferBatch>> incoming_;
  std::vector<Outgoing> outgoing_;
  // Of those incoming, what was waited for.
  std::vector<bool> received_;
  bool on_its_way_ = false;
  bool through_ = false;
  std::thread relay_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_EXPERT_PASSAGE_H_
