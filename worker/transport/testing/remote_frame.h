#ifndef BALANCEMOE_WORKER_TRANSPORT_TESTING_REMOTE_FRAME_H_
#define BALANCEMOE_WORKER_TRANSPORT_TESTING_REMOTE_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace balancemoe::worker {

// What a RemoteTransport asks its process to do; see remote_worker.cc for what
// each takes and gives.
enum class RemoteOperation : uint32_t {
  kForm,
  kRebuild,
  kDestroy,
  kAbort,
  kAllGather,
  kAllToAllV,
  kAllReduceSum,
  kBroadcast,
  kBarrier,
  kStartTransfers,
  kDone,
  kElapsed,
  kWait,
  kRelease,
};

const char* RemoteOperationName(RemoteOperation operation);

// A request, or the answer with the same `call`.
struct RemoteFrame {
  RemoteOperation operation = RemoteOperation::kForm;
  uint64_t call = 0;
  std::vector<int64_t> numbers = {};
  std::vector<std::byte> bytes = {};
  // Of an answer; in a request to abort, the reason.
  absl::Status status = {};
};

// Both block; false when the other end is gone, or when the descriptor has a
// time-out that passed.
bool SendFrame(int descriptor, const RemoteFrame& frame);
bool ReceiveFrame(int descriptor, RemoteFrame& frame);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_TESTING_REMOTE_FRAME_H_
