#include "worker/transport/testing/remote_worker.h"

#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "worker/transport/testing/file_rendezvous.h"
#include "worker/transport/testing/remote_frame.h"
#include "worker/transport/testing/remote_report.h"

namespace balancemoe::worker {
namespace {

using Bytes = std::vector<std::byte>;

class HostMemory final : public RemoteMemory {
 public:
  std::byte* Take(size_t bytes, absl::Span<const std::byte> content) override {
    auto* const memory = static_cast<std::byte*>(std::malloc(bytes + 1));
    if (!content.empty()) std::memcpy(memory, content.data(), content.size());
    return memory;
  }
  void Give(std::byte* memory) override { std::free(memory); }
  void Read(absl::Span<std::byte> to, const std::byte* memory) override {
    if (!to.empty()) std::memcpy(to.data(), memory, to.size());
  }
  ComputeStream stream() const override { return {}; }
};

// Memory that is given back.
class Block {
 public:
  Block(RemoteMemory& memory, size_t bytes, absl::Span<const std::byte> content)
      : memory_(memory), bytes_(bytes), address_(memory.Take(bytes, content)) {}
  Block(RemoteMemory& memory, const Bytes& content)
      : Block(memory, content.size(), content) {}
  ~Block() { memory_.Give(address_); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  absl::Span<std::byte> span() const { return {address_, bytes_}; }
  Bytes Read() const {
    Bytes content(bytes_);
    memory_.Read(absl::MakeSpan(content), address_);
    return content;
  }

 private:
  RemoteMemory& memory_;
  const size_t bytes_;
  std::byte* const address_;
};

struct Batch {
  // Blocks never move: transfers point to them.
  std::deque<Block> blocks;
  std::vector<Transfer> transfers;
  std::unique_ptr<TransferBatch> batch;
};

class RemoteWorker {
 public:
  RemoteWorker(int descriptor, TransportFactory factory, RemoteMemory& memory)
      : descriptor_(descriptor),
        factory_(std::move(factory)),
        memory_(memory) {}

  void Run() {
    std::vector<std::thread> calls;
    RemoteFrame request;
    while (ReceiveFrame(descriptor_, request)) {
      switch (request.operation) {
        // What never blocks keeps its order.
        case RemoteOperation::kStartTransfers:
        case RemoteOperation::kAbort:
        case RemoteOperation::kDone:
        case RemoteOperation::kElapsed:
          Answer(request);
          break;
        default:
          calls.emplace_back([this, request] { Answer(request); });
      }
    }
    // The test is over; whoever still waits must not keep the process.
    std::_Exit(EXIT_SUCCESS);
  }

 private:
  void Answer(const RemoteFrame& request) {
    RemoteFrame answer = {.operation = request.operation, .call = request.call};
    answer.status = Do(request, answer);
    MutexLock lock(&answer_mutex_);
    SendFrame(descriptor_, answer);
  }

  absl::Status Do(const RemoteFrame& request, RemoteFrame& answer) {
    switch (request.operation) {
      case RemoteOperation::kForm:
        return Form(request);
      case RemoteOperation::kDestroy:
        return Destroy();
      case RemoteOperation::kStartTransfers:
        return Start(request, answer);
      case RemoteOperation::kDone:
      case RemoteOperation::kElapsed:
      case RemoteOperation::kWait:
        return Ask(request, answer);
      case RemoteOperation::kRelease:
        return Release(request);
      default:
        break;
    }
    const auto used = transport();
    if (used == nullptr) return absl::UnavailableError("no transport");
    return Use(*used, request, answer);
  }

  // {rank, world size, generation, connect ms, operation ms}, folder
  absl::Status Form(const RemoteFrame& request) {
    const auto& numbers = request.numbers;
    const GroupOptions options = {
        .rank = WorkerRank(static_cast<int32_t>(numbers[0])),
        .world_size = static_cast<int32_t>(numbers[1]),
        .generation = Generation(static_cast<uint64_t>(numbers[2])),
        .connect_timeout = absl::Milliseconds(numbers[3]),
        .operation_timeout = absl::Milliseconds(numbers[4])};
    const auto* const folder =
        reinterpret_cast<const char*>(request.bytes.data());
    auto rendezvous = std::make_unique<FileRendezvous>(
        std::string(folder, request.bytes.size()));
    auto formed = factory_(options, *rendezvous);
    if (!formed.ok()) return formed.status();
    MutexLock lock(&mutex_);
    rendezvous_ = std::move(rendezvous);
    transport_ = *std::move(formed);
    return absl::OkStatus();
  }

  absl::Status Destroy() {
    std::shared_ptr<Transport> last;
    {
      MutexLock lock(&mutex_);
      last = std::move(transport_);
    }
    return absl::OkStatus();
  }

  absl::Status Use(Transport& used, const RemoteFrame& request,
                   RemoteFrame& answer) {
    const auto& numbers = request.numbers;
    switch (request.operation) {
      case RemoteOperation::kRebuild:
        return used.Rebuild(Generation(static_cast<uint64_t>(numbers[0])));
      case RemoteOperation::kAbort:
        used.Abort(request.status);
        return absl::OkStatus();
      case RemoteOperation::kBarrier:
        return used.Barrier();
      case RemoteOperation::kAllGather:
        return AllGather(used, request, answer);
      case RemoteOperation::kAllToAllV:
        return AllToAllV(used, request, answer);
      default:
        return InPlace(used, request, answer);
    }
  }

  // {bytes of all}, mine -> all
  absl::Status AllGather(Transport& used, const RemoteFrame& request,
                         RemoteFrame& answer) {
    const Block mine(memory_, request.bytes);
    const Block all(memory_, static_cast<size_t>(request.numbers[0]), {});
    const absl::Status status =
        used.AllGather(mine.span(), all.span(), memory_.stream());
    answer.bytes = all.Read();
    return status;
  }

  // {bytes of receive, count of sizes, to send.., to receive..}, send
  // -> receive
  absl::Status AllToAllV(Transport& used, const RemoteFrame& request,
                         RemoteFrame& answer) {
    const auto sends = request.numbers.begin() + 2;
    const std::vector<size_t> send_bytes(sends, sends + request.numbers[1]);
    const std::vector<size_t> receive_bytes(sends + request.numbers[1],
                                            request.numbers.end());
    const Block send(memory_, request.bytes);
    const Block receive(memory_, static_cast<size_t>(request.numbers[0]), {});
    const absl::Status status =
        used.AllToAllV(send.span(), send_bytes, receive.span(), receive_bytes,
                       memory_.stream());
    answer.bytes = receive.Read();
    return status;
  }

  // {root of a broadcast}, bytes -> bytes
  absl::Status InPlace(Transport& used, const RemoteFrame& request,
                       RemoteFrame& answer) {
    const Block bytes(memory_, request.bytes);
    absl::Status status;
    if (request.operation == RemoteOperation::kBroadcast) {
      status = used.Broadcast(
          bytes.span(), WorkerRank(static_cast<int32_t>(request.numbers[0])),
          memory_.stream());
    } else {
      status = used.AllReduceSum({reinterpret_cast<float*>(bytes.span().data()),
                                  bytes.span().size() / sizeof(float)},
                                 memory_.stream());
    }
    answer.bytes = bytes.Read();
    return status;
  }

  // {sends, peer, bytes}.., the bytes of all sends -> {batch}
  absl::Status Start(const RemoteFrame& request, RemoteFrame& answer) {
    const auto used = transport();
    if (used == nullptr) return absl::UnavailableError("no transport");
    auto batch = std::make_shared<Batch>();
    absl::Span<const std::byte> content(request.bytes);
    for (size_t i = 0; i < request.numbers.size(); i += 3) {
      const bool sends = request.numbers[i] != 0;
      const auto bytes = static_cast<size_t>(request.numbers[i + 2]);
      batch->blocks.emplace_back(memory_, bytes,
                                 content.subspan(0, sends ? bytes : 0));
      if (sends) content.remove_prefix(bytes);
      batch->transfers.push_back(
          {sends ? Transfer::Direction::kSend : Transfer::Direction::kReceive,
           WorkerRank(static_cast<int32_t>(request.numbers[i + 1])),
           batch->blocks.back().span()});
    }
    auto started = used->StartTransfers(batch->transfers);
    if (!started.ok()) return started.status();
    batch->batch = *std::move(started);
    MutexLock lock(&mutex_);
    batches_[++last_batch_] = std::move(batch);
    answer.numbers = {last_batch_};
    return absl::OkStatus();
  }

  // {batch, index} -> {done}, {elapsed ns}, or what was received
  absl::Status Ask(const RemoteFrame& request, RemoteFrame& answer) {
    std::shared_ptr<Batch> batch;
    {
      MutexLock lock(&mutex_);
      batch = batches_.at(request.numbers[0]);
    }
    const auto index = static_cast<size_t>(request.numbers[1]);
    if (request.operation == RemoteOperation::kDone) {
      answer.numbers = {batch->batch->Done(index) ? 1 : 0};
      return absl::OkStatus();
    }
    if (request.operation == RemoteOperation::kElapsed) {
      answer.numbers = {absl::ToInt64Nanoseconds(batch->batch->Elapsed(index))};
      return absl::OkStatus();
    }
    absl::Status status = batch->batch->Wait(index, memory_.stream());
    const bool received =
        batch->transfers[index].direction == Transfer::Direction::kReceive;
    // On the stream: right only if it has waited.
    if (status.ok() && received) answer.bytes = batch->blocks[index].Read();
    // The caller at the other end has no stream, so it is told the end.
    if (status.ok()) status = batch->batch->Wait(index, {});
    return status;
  }

  // {batch}
  absl::Status Release(const RemoteFrame& request) {
    std::shared_ptr<Batch> last;
    MutexLock lock(&mutex_);
    last = std::move(batches_.at(request.numbers[0]));
    batches_.erase(request.numbers[0]);
    return absl::OkStatus();
  }

  std::shared_ptr<Transport> transport() {
    MutexLock lock(&mutex_);
    return transport_;
  }

  const int descriptor_;
  const TransportFactory factory_;
  RemoteMemory& memory_;

  // Held while sending, so that answers do not mix.
  Mutex answer_mutex_;

  Mutex mutex_;
  std::unique_ptr<FileRendezvous> rendezvous_ ABSL_GUARDED_BY(mutex_);
  // Shared with calls under way.
  std::shared_ptr<Transport> transport_ ABSL_GUARDED_BY(mutex_);
  int64_t last_batch_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<int64_t, std::shared_ptr<Batch>> batches_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<RemoteMemory> HostRemoteMemory() {
  return std::make_unique<HostMemory>();
}

void ServeRemoteTransport(int descriptor, TransportFactory factory,
                          RemoteMemory& memory) {
  ReportWhenAsked();
  RemoteWorker(descriptor, std::move(factory), memory).Run();
}

}  // namespace balancemoe::worker
