#include "worker/transport/nccl/nccl_communicators.h"

#include <cstring>
#include <functional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "common/status_macros.h"
#include "worker/cuda/cuda_status.h"

namespace balancemoe::worker {
namespace {

// Between two looks at a communicator.
constexpr absl::Duration kPollInterval = absl::Microseconds(20);
// How long kernels may take to see that they are aborted. The GPU may first
// have to come to them, through computation of the user's.
constexpr absl::Duration kDrain = absl::Seconds(10);
// How long giving a communicator back may take. Ranks of a machine wait for
// each other there, and one may have no reason to leave yet.
constexpr absl::Duration kFinalize = absl::Seconds(1);
// How long a communicator's memory and threads may take to be given back. NCCL
// goes on with it alone after that: buffers are out of use already.
constexpr absl::Duration kReclaim = absl::Seconds(3);

absl::Status NcclStatus(ncclResult_t result, absl::string_view what) {
  if (result == ncclSuccess || result == ncclInProgress) {
    return absl::OkStatus();
  }
  return absl::UnavailableError(absl::StrCat("NCCL, ", what, ": ",
                                             ncclGetErrorString(result), ": ",
                                             ncclGetLastError(nullptr)));
}

}  // namespace

// Calls that may block for good, when a peer, a network or a driver fails.
// Shared with their threads: whoever ends last.
class NcclCalls {
 public:
  static void Start(const std::shared_ptr<NcclCalls>& calls,
                    std::function<void()> call) {
    {
      MutexLock lock(&calls->mutex_);
      ++calls->under_way_;
    }
    std::thread([calls, call = std::move(call)] {
      call();
      MutexLock lock(&calls->mutex_);
      --calls->under_way_;
      calls->changed_.NotifyAll();
    }).detach();
  }

  void Wait(absl::Duration timeout) {
    const SteadyClock clock;
    const absl::Time deadline = clock.Now() + timeout;
    MutexLock lock(&mutex_);
    while (under_way_ > 0 && clock.Now() < deadline) {
      changed_.WaitFor(&mutex_, deadline - clock.Now());
    }
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int under_way_ ABSL_GUARDED_BY(mutex_) = 0;
};

absl::StatusOr<std::string> NewNcclGroupId() {
  std::string group_id;
  for (int lane = 0; lane < kStreamLanes; ++lane) {
    ncclUniqueId id;
    BMOE_RETURN_IF_ERROR(NcclStatus(ncclGetUniqueId(&id), "making an id"));
    group_id.append(id.internal, sizeof(id.internal));
  }
  return group_id;
}

absl::StatusOr<std::unique_ptr<NcclCommunicators>> NcclCommunicators::Connect(
    const std::string& group_id, const GroupOptions& group,
    const NcclOptions& options, CudaStreams& streams,
    const AbortSignal& abort) {
  if (group_id.size() != kStreamLanes * sizeof(ncclUniqueId)) {
    return absl::UnavailableError(
        absl::StrCat("NCCL: group id of ", group_id.size(), " bytes, wanted ",
                     kStreamLanes * sizeof(ncclUniqueId)));
  }
  if (!streams.Drain(absl::ZeroDuration())) {
    return absl::UnavailableError(
        absl::StrCat("GPU ", streams.device(),
                     " still carries out operations of an earlier group"));
  }
  const SteadyClock clock;
  const absl::Time deadline = clock.Now() + group.connect_timeout;
  std::unique_ptr<NcclCommunicators> connected(new NcclCommunicators(streams));
  // A worker without peers sends nothing.
  if (group.world_size == 1) return connected;
  for (const StreamLane lane :
       {StreamLane::kCollectives, StreamLane::kTransfers}) {
    ncclUniqueId id;
    std::memcpy(&id, group_id.data() + static_cast<size_t>(lane) * sizeof(id),
                sizeof(id));
    BMOE_RETURN_IF_ERROR(connected->Initialize(lane, id, group, options));
    BMOE_RETURN_IF_ERROR(connected->Settle(lane, abort, deadline));
  }
  return connected;
}

absl::Status NcclCommunicators::Initialize(StreamLane lane,
                                           const ncclUniqueId& id,
                                           const GroupOptions& group,
                                           const NcclOptions& options) {
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  if (lane == StreamLane::kTransfers) {
    config.minCTAs = 1;
    config.maxCTAs = options.transfer_ctas;
  }
  return NcclStatus(
      ncclCommInitRankConfig(&communicators_[static_cast<size_t>(lane)],
                             group.world_size, id, group.rank.value(), &config),
      "connecting");
}

absl::Status NcclCommunicators::Settle(StreamLane lane,
                                       const AbortSignal& abort,
                                       absl::Time deadline) {
  const SteadyClock clock;
  const ncclComm_t communicator = communicators_[static_cast<size_t>(lane)];
  while (true) {
    ncclResult_t state = ncclSuccess;
    BMOE_RETURN_IF_ERROR(
        NcclStatus(ncclCommGetAsyncError(communicator, &state), "polling"));
    if (state != ncclInProgress) return NcclStatus(state, "working");
    if (abort.WaitFor(kPollInterval)) return abort.status();
    if (clock.Now() >= deadline) {
      return absl::DeadlineExceededError("NCCL did not connect in time");
    }
  }
}

absl::Status NcclCommunicators::Exchange(
    StreamLane lane, absl::Span<const StreamMessage> messages,
    const AbortSignal& abort) {
  const ncclComm_t communicator = communicators_[static_cast<size_t>(lane)];
  const cudaStream_t stream = streams_.of(lane);
  BMOE_RETURN_IF_ERROR(NcclStatus(ncclGroupStart(), "opening a group"));
  absl::Status status;
  for (const StreamMessage& message : messages) {
    if (!status.ok()) break;
    const bool sends = message.direction == Transfer::Direction::kSend;
    const ncclResult_t result =
        sends ? ncclSend(message.memory, message.bytes, ncclInt8,
                         message.peer.value(), communicator, stream)
              : ncclRecv(message.memory, message.bytes, ncclInt8,
                         message.peer.value(), communicator, stream);
    status = NcclStatus(result, sends ? "sending" : "receiving");
  }
  // A group that was opened must be closed, come what may.
  const absl::Status closed = NcclStatus(ncclGroupEnd(), "closing a group");
  BMOE_RETURN_IF_ERROR(status);
  BMOE_RETURN_IF_ERROR(closed);
  // Only then is it on the stream, and an event behind it.
  return Settle(lane, abort, absl::InfiniteFuture());
}

void NcclCommunicators::Abort() {
  if (communicators_[0] == nullptr && communicators_[1] == nullptr) return;
  // Not one after the other, nor as a group, which begins with one: a call that
  // has told the device to stop goes on to wait, for the device, where the
  // other communicator must stop too, or for a thread that still connects.
  const auto calls = EndEach(ncclCommAbort);
  streams_.Drain(kDrain);
  calls->Wait(kReclaim);
}

std::shared_ptr<NcclCalls> NcclCommunicators::EndEach(
    ncclResult_t (*end)(ncclComm_t)) {
  auto calls = std::make_shared<NcclCalls>();
  for (ncclComm_t& communicator : communicators_) {
    if (communicator == nullptr) continue;
    NcclCalls::Start(calls, [end, communicator, device = streams_.device()] {
      UseCudaDevice(device);
      end(communicator);
    });
    communicator = nullptr;
  }
  return calls;
}

void NcclCommunicators::Disconnect() {
  if (!Finalize()) return Abort();
  EndEach(ncclCommDestroy)->Wait(kReclaim);
}

bool NcclCommunicators::Finalize() {
  const AbortSignal never;
  const SteadyClock clock;
  for (const ncclComm_t communicator : communicators_) {
    if (communicator == nullptr) continue;
    if (!NcclStatus(ncclCommFinalize(communicator), "ending").ok()) {
      return false;
    }
  }
  const absl::Time deadline = clock.Now() + kFinalize;
  for (const StreamLane lane :
       {StreamLane::kCollectives, StreamLane::kTransfers}) {
    if (communicators_[static_cast<size_t>(lane)] == nullptr) continue;
    if (!Settle(lane, never, deadline).ok()) return false;
  }
  return true;
}

}  // namespace balancemoe::worker
