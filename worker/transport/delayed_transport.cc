#include "worker/transport/delayed_transport.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "common/status_macros.h"
#include "worker/transport/arguments.h"
#include "worker/transport/delayed_lane.h"

namespace balancemoe::worker {
namespace {

// The slow link's end at one worker. Thread-safe.
class DelayLine {
 public:
  DelayLine(WorkerRank rank, const LinkDelay& delay, DelayedNodes nodes)
      : rank_(rank), within_(delay), nodes_(std::move(nodes)) {}

  // Of the links within a node, and of collectives.
  const LinkDelay& within() const { return within_; }
  // Of the link to `peer`.
  const LinkDelay& to(WorkerRank peer) const {
    return Crosses(peer) ? nodes_.between : within_;
  }
  bool Crosses(WorkerRank peer) const {
    return !nodes_.node_of_rank.empty() &&
           nodes_.node_of_rank[peer.index()] !=
               nodes_.node_of_rank[rank_.index()];
  }
  absl::Time Now() const { return clock_.Now(); }

  // When a message that is started now enters the link.
  absl::Time Send(WorkerRank peer, size_t bytes) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return sending_[Crosses(peer)].Take(clock_.Now(), to(peer).TimeOf(bytes));
  }
  // When a message that entered the link at `sent` is through.
  absl::Time Receive(WorkerRank peer, size_t bytes, absl::Time sent)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    const absl::Duration time = to(peer).TimeOf(bytes);
    return receiving_[Crosses(peer)].Take(sent, time) + time;
  }

  // Blocks until `due` without using CPU. What has arrived arrives, also when
  // its sender leaves meanwhile: only this worker's own end stops the waiting.
  //
  // Errors: Unavailable with the reason of End() when that comes first.
  absl::Status WaitUntil(absl::Time due) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    while (clock_.Now() < due) {
      BMOE_RETURN_IF_ERROR(end_);
      changed_.WaitFor(&mutex_, due - clock_.Now());
    }
    return absl::OkStatus();
  }

  // Ends all waiting, until Reopen().
  void End(absl::string_view reason) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    end_ = absl::UnavailableError(reason);
    changed_.NotifyAll();
  }
  void Reopen() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    end_ = absl::OkStatus();
  }

 private:
  const WorkerRank rank_;
  const LinkDelay within_;
  const DelayedNodes nodes_;
  const SteadyClock clock_;

  Mutex mutex_;
  CondVar changed_;
  // By whether they cross between nodes.
  std::array<DelayedLane, 2> sending_ ABSL_GUARDED_BY(mutex_);
  std::array<DelayedLane, 2> receiving_ ABSL_GUARDED_BY(mutex_);
  absl::Status end_ ABSL_GUARDED_BY(mutex_);
};

// Transfers whose arrival is held up. Thread-safe.
class DelayedBatch final : public TransferBatch {
 public:
  DelayedBatch(std::shared_ptr<DelayLine> line,
               absl::Span<const Transfer> transfers)
      : line_(std::move(line)),
        started_(line_->Now()),
        entries_(transfers.size()) {
    for (size_t i = 0; i < transfers.size(); ++i) {
      entries_[i].transfer = transfers[i];
      if (!sends(i)) continue;
      const WorkerRank peer = transfers[i].peer;
      const size_t bytes = transfers[i].buffer.size();
      const absl::Time sent = line_->Send(peer, bytes);
      entries_[i].sent_ns = absl::ToUnixNanos(sent);
      entries_[i].due = sent + line_->to(peer).TimeOf(bytes);
    }
  }
  ~DelayedBatch() override {
    for (size_t i = 0; i < entries_.size(); ++i) Wait(i, {}).IgnoreError();
  }

  // Each transfer after a companion that tells when it entered the link.
  absl::Status Start(Transport& inner) {
    std::vector<Transfer> all;
    for (Entry& entry : entries_) {
      Transfer companion = entry.transfer;
      companion.buffer = absl::Span<std::byte>(
          reinterpret_cast<std::byte*>(&entry.sent_ns), sizeof(entry.sent_ns));
      all.push_back(companion);
      all.push_back(entry.transfer);
    }
    BMOE_ASSIGN_OR_RETURN(inner_, inner.StartTransfers(all));
    return absl::OkStatus();
  }

  bool Done(size_t index) const override {
    return inner_ == nullptr ||
           (inner_->Done(2 * index) && inner_->Done(2 * index + 1) &&
            Due(index) <= line_->Now());
  }

  absl::Status Wait(size_t index, ComputeStream stream) override {
    if (inner_ == nullptr) return absl::OkStatus();
    BMOE_RETURN_IF_ERROR(inner_->Wait(2 * index, stream));
    BMOE_RETURN_IF_ERROR(inner_->Wait(2 * index + 1, stream));
    return line_->WaitUntil(Due(index));
  }

  absl::Duration Elapsed(size_t index) const override {
    if (!Done(index)) return absl::ZeroDuration();
    return std::max(inner_->Elapsed(2 * index + 1), Due(index) - started_);
  }

 private:
  struct Entry {
    Transfer transfer;
    // What the companion holds.
    int64_t sent_ns = 0;
    std::optional<absl::Time> due;
  };

  bool sends(size_t index) const {
    return entries_[index].transfer.direction == Transfer::Direction::kSend;
  }

  // When the link lets the transfer, which has arrived, through. Those that
  // have arrived take the lane in the order in which they were started, each
  // where it was free since the transfer was sent: others may have been asked
  // for before that were sent later.
  absl::Time Due(size_t index) const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    for (size_t i = 0; i <= index; ++i) {
      Entry& entry = entries_[i];
      if (entry.due.has_value() || !inner_->Done(2 * i)) continue;
      // What failed did not travel.
      entry.due = inner_->Wait(2 * i, {}).ok()
                      ? line_->Receive(entry.transfer.peer,
                                       entry.transfer.buffer.size(),
                                       absl::FromUnixNanos(entry.sent_ns))
                      : line_->Now();
    }
    return *entries_[index].due;
  }

  // Shared with the transport, which the batch may outlive.
  const std::shared_ptr<DelayLine> line_;
  const absl::Time started_;

  mutable Mutex mutex_;
  // `due` is guarded by the mutex; `sent_ns` belongs to the companion until
  // that has arrived. Outlives `inner_`, which points into it.
  mutable std::vector<Entry> entries_;
  std::unique_ptr<TransferBatch> inner_;
};

class DelayedTransport final : public Transport {
 public:
  DelayedTransport(std::unique_ptr<Transport> inner, const LinkDelay& delay,
                   const DelayedNodes& nodes)
      : inner_(std::move(inner)),
        line_(std::make_shared<DelayLine>(inner_->rank(), delay, nodes)) {}
  ~DelayedTransport() override { line_->End("the transport is gone"); }

  WorkerRank rank() const override { return inner_->rank(); }
  int32_t world_size() const override { return inner_->world_size(); }
  Generation generation() const override { return inner_->generation(); }
  absl::string_view name() const override { return inner_->name(); }

  absl::Status AllGather(absl::Span<const std::byte> mine,
                         absl::Span<std::byte> all,
                         ComputeStream stream) override {
    return Delayed(all.size() - std::min(all.size(), mine.size()),
                   [&] { return inner_->AllGather(mine, all, stream); });
  }
  absl::Status AllToAllV(absl::Span<const std::byte> send,
                         absl::Span<const size_t> send_bytes,
                         absl::Span<std::byte> receive,
                         absl::Span<const size_t> receive_bytes,
                         ComputeStream stream) override {
    if (line_->within().exchange_seconds_per_byte > 0) {
      return Exchange(send, send_bytes, receive, receive_bytes, stream);
    }
    // The block for itself does not travel.
    const size_t own = rank().index() < receive_bytes.size()
                           ? receive_bytes[rank().index()]
                           : 0;
    return Delayed(receive.size() - std::min(receive.size(), own), [&] {
      return inner_->AllToAllV(send, send_bytes, receive, receive_bytes,
                               stream);
    });
  }
  absl::Status AllReduceSum(absl::Span<float> values,
                            ComputeStream stream) override {
    const auto ranks = static_cast<size_t>(world_size());
    return Delayed(2 * (ranks - 1) * values.size() * sizeof(float) / ranks,
                   [&] { return inner_->AllReduceSum(values, stream); });
  }
  absl::Status Broadcast(absl::Span<std::byte> bytes, WorkerRank root,
                         ComputeStream stream) override {
    return Delayed(root == rank() ? 0 : bytes.size(),
                   [&] { return inner_->Broadcast(bytes, root, stream); });
  }
  absl::Status Barrier() override {
    return Delayed(0, [&] { return inner_->Barrier(); });
  }

  absl::StatusOr<std::unique_ptr<TransferBatch>> StartTransfers(
      absl::Span<const Transfer> transfers) override {
    BMOE_RETURN_IF_ERROR(CheckTransfers(transfers, rank(), world_size()));
    auto batch = std::make_unique<DelayedBatch>(line_, transfers);
    BMOE_RETURN_IF_ERROR(batch->Start(*inner_));
    return batch;
  }
  void Abort(absl::Status reason) override {
    line_->End(reason.message());
    inner_->Abort(std::move(reason));
  }
  absl::Status Rebuild(Generation generation) override {
    BMOE_RETURN_IF_ERROR(inner_->Rebuild(generation));
    line_->Reopen();
    return absl::OkStatus();
  }

 private:
  absl::Status Exchange(absl::Span<const std::byte> send,
                        absl::Span<const size_t> send_bytes,
                        absl::Span<std::byte> receive,
                        absl::Span<const size_t> receive_bytes,
                        ComputeStream stream) {
    BMOE_RETURN_IF_ERROR(inner_->Barrier());
    const absl::Time started = line_->Now();
    BMOE_RETURN_IF_ERROR(
        inner_->AllToAllV(send, send_bytes, receive, receive_bytes, stream));
    return line_->WaitUntil(started + ExchangeTime(send_bytes, receive_bytes));
  }

  // The kinds of links run side by side, so the slower one counts.
  absl::Duration ExchangeTime(absl::Span<const size_t> send_bytes,
                              absl::Span<const size_t> receive_bytes) const {
    absl::Duration longest;
    for (const bool crossing : {false, true}) {
      size_t sent = 0;
      size_t received = 0;
      const LinkDelay* link = nullptr;
      for (int32_t peer = 0; peer < world_size(); ++peer) {
        const WorkerRank other(peer);
        if (other == rank() || line_->Crosses(other) != crossing) continue;
        link = &line_->to(other);
        sent += send_bytes[other.index()];
        received += receive_bytes[other.index()];
      }
      const size_t bytes = std::max(sent, received);
      if (bytes == 0) continue;
      longest =
          std::max(longest, link->latency +
                                absl::Seconds(link->exchange_seconds_per_byte *
                                              static_cast<double>(bytes)));
    }
    return longest;
  }

  absl::Status Delayed(size_t bytes,
                       absl::FunctionRef<absl::Status()> collective) {
    const absl::Time started = line_->Now();
    BMOE_RETURN_IF_ERROR(collective());
    if (!line_->within().delay_collectives || world_size() == 1) {
      return absl::OkStatus();
    }
    return line_->WaitUntil(started + line_->within().TimeOf(bytes));
  }

  const std::unique_ptr<Transport> inner_;
  // Shared with the batches, which may outlive the transport.
  const std::shared_ptr<DelayLine> line_;
};

}  // namespace

absl::Duration LinkDelay::TimeOf(size_t bytes) const {
  return latency +
         absl::Seconds(static_cast<double>(bytes) / bandwidth_bytes_per_s);
}

TransportFactory DelayedFactory(TransportFactory factory,
                                const LinkDelay& delay,
                                const DelayedNodes& nodes) {
  return [factory = std::move(factory), delay, nodes](const GroupOptions& group,
                                                      Rendezvous& rendezvous)
             -> absl::StatusOr<std::unique_ptr<Transport>> {
    BMOE_ASSIGN_OR_RETURN(auto inner, factory(group, rendezvous));
    return std::make_unique<DelayedTransport>(std::move(inner), delay, nodes);
  };
}

}  // namespace balancemoe::worker
