#include "worker/transport/testing/remote_transport.h"

#include <stdlib.h>

#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/status_macros.h"

namespace balancemoe::worker {
namespace {

std::vector<std::byte> Copied(absl::Span<const std::byte> bytes) {
  return {bytes.begin(), bytes.end()};
}

// A folder that is removed with the last of its users.
class Folder {
 public:
  Folder() {
    std::string name =
        std::filesystem::temp_directory_path() / "transportXXXXXX";
    BMOE_CHECK(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class RemoteBatch final : public TransferBatch {
 public:
  RemoteBatch(std::shared_ptr<RemoteProcess> process, int64_t batch,
              std::vector<Transfer> transfers)
      : process_(std::move(process)),
        batch_(batch),
        transfers_(std::move(transfers)) {}
  ~RemoteBatch() override {
    for (size_t i = 0; i < transfers_.size(); ++i) Wait(i, {}).IgnoreError();
    process_->Call(
        {.operation = RemoteOperation::kRelease, .numbers = {batch_}});
  }

  bool Done(size_t index) const override {
    const RemoteFrame answer = Ask(RemoteOperation::kDone, index);
    if (!answer.status.ok()) return true;
    if (answer.numbers[0] == 0) return false;
    // Its bytes must be here too.
    Fetch(index).IgnoreError();
    return true;
  }
  absl::Status Wait(size_t index, ComputeStream /*stream*/) override {
    return Fetch(index);
  }
  absl::Duration Elapsed(size_t index) const override {
    const RemoteFrame answer = Ask(RemoteOperation::kElapsed, index);
    return answer.status.ok() ? absl::Nanoseconds(answer.numbers[0])
                              : absl::ZeroDuration();
  }

 private:
  RemoteFrame Ask(RemoteOperation operation, size_t index) const {
    return process_->Call({.operation = operation,
                           .numbers = {batch_, static_cast<int64_t>(index)}});
  }
  absl::Status Fetch(size_t index) const {
    const RemoteFrame answer = Ask(RemoteOperation::kWait, index);
    if (!answer.bytes.empty()) {
      std::memcpy(transfers_[index].buffer.data(), answer.bytes.data(),
                  answer.bytes.size());
    }
    return answer.status;
  }

  const std::shared_ptr<RemoteProcess> process_;
  const int64_t batch_;
  const std::vector<Transfer> transfers_;
};

}  // namespace

RemoteTransport::RemoteTransport(const GroupOptions& group,
                                 std::shared_ptr<RemoteProcess> process)
    : group_(group), process_(std::move(process)) {}

absl::StatusOr<std::unique_ptr<RemoteTransport>> RemoteTransport::Form(
    const GroupOptions& group, const std::string& folder,
    std::shared_ptr<RemoteProcess> process) {
  const auto* const path = reinterpret_cast<const std::byte*>(folder.data());
  const RemoteFrame answer = process->Call(
      {.operation = RemoteOperation::kForm,
       .numbers = {group.rank.value(), group.world_size,
                   static_cast<int64_t>(group.generation.value()),
                   absl::ToInt64Milliseconds(group.connect_timeout),
                   absl::ToInt64Milliseconds(group.operation_timeout)},
       .bytes = Copied({path, folder.size()})});
  BMOE_RETURN_IF_ERROR(answer.status);
  return std::unique_ptr<RemoteTransport>(
      new RemoteTransport(group, std::move(process)));
}

RemoteTransport::~RemoteTransport() {
  process_->Call({.operation = RemoteOperation::kDestroy});
}

absl::Status RemoteTransport::Call(RemoteFrame request,
                                   absl::Span<std::byte> result) {
  const RemoteFrame answer = process_->Call(std::move(request));
  if (answer.status.ok() && !result.empty()) {
    BMOE_CHECK(answer.bytes.size() == result.size());
    std::memcpy(result.data(), answer.bytes.data(), result.size());
  }
  return answer.status;
}

absl::Status RemoteTransport::AllGather(absl::Span<const std::byte> mine,
                                        absl::Span<std::byte> all,
                                        ComputeStream /*stream*/) {
  return Call({.operation = RemoteOperation::kAllGather,
               .numbers = {static_cast<int64_t>(all.size())},
               .bytes = Copied(mine)},
              all);
}

absl::Status RemoteTransport::AllToAllV(absl::Span<const std::byte> send,
                                        absl::Span<const size_t> send_bytes,
                                        absl::Span<std::byte> receive,
                                        absl::Span<const size_t> receive_bytes,
                                        ComputeStream /*stream*/) {
  RemoteFrame request = {.operation = RemoteOperation::kAllToAllV,
                         .numbers = {static_cast<int64_t>(receive.size()),
                                     static_cast<int64_t>(send_bytes.size())},
                         .bytes = Copied(send)};
  for (const auto sizes : {send_bytes, receive_bytes}) {
    request.numbers.insert(request.numbers.end(), sizes.begin(), sizes.end());
  }
  return Call(std::move(request), receive);
}

absl::Status RemoteTransport::AllReduceSum(absl::Span<float> values,
                                           ComputeStream /*stream*/) {
  const absl::Span<std::byte> bytes(reinterpret_cast<std::byte*>(values.data()),
                                    values.size() * sizeof(float));
  return Call(
      {.operation = RemoteOperation::kAllReduceSum, .bytes = Copied(bytes)},
      bytes);
}

absl::Status RemoteTransport::Broadcast(absl::Span<std::byte> bytes,
                                        WorkerRank root,
                                        ComputeStream /*stream*/) {
  return Call({.operation = RemoteOperation::kBroadcast,
               .numbers = {root.value()},
               .bytes = Copied(bytes)},
              bytes);
}

absl::Status RemoteTransport::Barrier() {
  return Call({.operation = RemoteOperation::kBarrier}, {});
}

absl::StatusOr<std::unique_ptr<TransferBatch>> RemoteTransport::StartTransfers(
    absl::Span<const Transfer> transfers) {
  RemoteFrame request = {.operation = RemoteOperation::kStartTransfers};
  for (const Transfer& transfer : transfers) {
    const bool sends = transfer.direction == Transfer::Direction::kSend;
    request.numbers.insert(request.numbers.end(),
                           {sends ? 1 : 0, transfer.peer.value(),
                            static_cast<int64_t>(transfer.buffer.size())});
    if (!sends) continue;
    request.bytes.insert(request.bytes.end(), transfer.buffer.begin(),
                         transfer.buffer.end());
  }
  const RemoteFrame answer = process_->Call(std::move(request));
  BMOE_RETURN_IF_ERROR(answer.status);
  return std::make_unique<RemoteBatch>(
      process_, answer.numbers[0],
      std::vector<Transfer>(transfers.begin(), transfers.end()));
}

void RemoteTransport::Abort(absl::Status reason) {
  process_->Call(
      {.operation = RemoteOperation::kAbort, .status = std::move(reason)});
}

absl::Status RemoteTransport::Rebuild(Generation generation) {
  BMOE_RETURN_IF_ERROR(
      Call({.operation = RemoteOperation::kRebuild,
            .numbers = {static_cast<int64_t>(generation.value())}},
           {}));
  group_.generation = generation;
  return absl::OkStatus();
}

TransportFactory RemoteFactory(std::shared_ptr<RemotePool> pool) {
  auto folder = std::make_shared<Folder>();
  return [pool = std::move(pool), folder = std::move(folder)](
             const GroupOptions& group, Rendezvous& /*rendezvous*/)
             -> absl::StatusOr<std::unique_ptr<Transport>> {
    return RemoteTransport::Form(group, folder->path(), RemotePool::Take(pool));
  };
}

}  // namespace balancemoe::worker
