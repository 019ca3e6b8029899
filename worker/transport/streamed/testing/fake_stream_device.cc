#include "worker/transport/streamed/testing/fake_stream_device.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/checksum.h"
#include "worker/transport/rank_order_sum.h"

namespace balancemoe::worker {
namespace {

class FakeEvent final : public StreamEvent {
 public:
  FakeEvent(StreamLane lane, uint64_t place) : lane_(lane), place_(place) {}
  StreamLane lane() const { return lane_; }
  // How much of the lane's work comes before.
  uint64_t place() const { return place_; }

 private:
  const StreamLane lane_;
  const uint64_t place_;
};

class FakeMemory final : public DeviceMemory {
 public:
  explicit FakeMemory(const FakeBus& bus) : bus_(bus) {}
  ~FakeMemory() override { BMOE_CHECK(blocks_.empty()); }

  // There, or what it allocated itself.
  bool OnDevice(const void* address) const override {
    if (bus_.on_device(address)) return true;
    MutexLock lock(&mutex_);
    return std::any_of(
        blocks_.begin(), blocks_.end(),
        [address](const std::byte* block) { return block == address; });
  }
  absl::StatusOr<std::byte*> Allocate(MemoryPlace, size_t bytes) override {
    auto* const memory =
        static_cast<std::byte*>(std::aligned_alloc(256, bytes));
    MutexLock lock(&mutex_);
    blocks_.insert(memory);
    return memory;
  }
  void Free(MemoryPlace, std::byte* memory) override {
    MutexLock lock(&mutex_);
    BMOE_CHECK(blocks_.erase(memory) == 1);
    std::free(memory);
  }
  absl::Status CopyIn(std::byte* device,
                      absl::Span<const std::byte> host) override {
    bus_.copy(device, host.data(), host.size());
    return absl::OkStatus();
  }
  absl::Status CopyOut(absl::Span<std::byte> host,
                       const std::byte* device) override {
    bus_.copy(host.data(), device, host.size());
    return absl::OkStatus();
  }

 private:
  const FakeBus& bus_;
  mutable Mutex mutex_;
  std::set<std::byte*> blocks_ ABSL_GUARDED_BY(mutex_);
};

class FakeStreams final : public DeviceStreams {
 public:
  // Carries out a piece of work; false when it must wait.
  using Work = std::function<bool()>;

  explicit FakeStreams(const FakeBus& bus) : bus_(bus) {}

  void Put(StreamLane lane, Work work) {
    MutexLock lock(&mutex_);
    Lane& queue = lanes_[static_cast<size_t>(lane)];
    queue.work.push_back(std::move(work));
    ++queue.put;
  }
  // Forgets what has not been carried out.
  void Clear() {
    MutexLock lock(&mutex_);
    for (Lane& lane : lanes_) {
      lane.done += lane.work.size();
      lane.work.clear();
    }
  }

  absl::Status Copy(StreamLane lane, std::byte* to, const std::byte* from,
                    size_t bytes) override {
    Put(lane, [=, this] {
      bus_.copy(to, from, bytes);
      return true;
    });
    return absl::OkStatus();
  }
  absl::Status SumInRankOrder(StreamLane lane, float* sum, const float* parts,
                              size_t count, int32_t ranks) override {
    Put(lane, [=, this] {
      const std::vector<std::byte> all =
          Read(parts, static_cast<size_t>(ranks) * count * sizeof(float));
      const auto* const floats = reinterpret_cast<const float*>(all.data());
      std::vector<float> total(floats, floats + count);
      for (size_t rank = 1; rank < static_cast<size_t>(ranks); ++rank) {
        AddInto(absl::MakeSpan(total), {floats + rank * count, count});
      }
      bus_.copy(sum, total.data(), count * sizeof(float));
      return true;
    });
    return absl::OkStatus();
  }
  absl::Status Checksum(StreamLane lane, const std::byte* from, size_t bytes,
                        uint64_t* checksum) override {
    Put(lane, [=, this] {
      *checksum = balancemoe::Checksum(Read(from, bytes));
      return true;
    });
    return absl::OkStatus();
  }
  absl::Status Compare(StreamLane lane, const uint64_t* one,
                       const uint64_t* other, uint64_t* equal) override {
    Put(lane, [=] {
      *equal = *one == *other ? 1 : 0;
      return true;
    });
    return absl::OkStatus();
  }
  absl::Status LaneWaits(StreamLane, const StreamEvent&) override {
    return absl::OkStatus();
  }
  absl::StatusOr<std::shared_ptr<StreamEvent>> Record(
      StreamLane lane) override {
    MutexLock lock(&mutex_);
    return std::make_shared<FakeEvent>(lane,
                                       lanes_[static_cast<size_t>(lane)].put);
  }
  absl::StatusOr<std::shared_ptr<StreamEvent>> RecordOn(
      ComputeStream) override {
    return std::make_shared<FakeEvent>(StreamLane::kCollectives, 0);
  }
  absl::Status StreamWaits(ComputeStream, const StreamEvent&) override {
    return absl::OkStatus();
  }
  absl::StatusOr<bool> Done(const StreamEvent& event) override {
    const auto& point = static_cast<const FakeEvent&>(event);
    MutexLock lock(&mutex_);
    Lane& lane = lanes_[static_cast<size_t>(point.lane())];
    while (!lane.work.empty() && lane.work.front()()) {
      lane.work.pop_front();
      ++lane.done;
    }
    return lane.done >= point.place();
  }

  std::vector<std::byte> Read(const void* from, size_t bytes) const {
    std::vector<std::byte> read(bytes);
    bus_.copy(read.data(), from, bytes);
    return read;
  }
  void Write(void* to, absl::Span<const std::byte> bytes) const {
    bus_.copy(to, bytes.data(), bytes.size());
  }

 private:
  struct Lane {
    std::deque<Work> work;
    uint64_t put = 0;
    uint64_t done = 0;
  };

  const FakeBus& bus_;
  Mutex mutex_;
  std::array<Lane, kStreamLanes> lanes_ ABSL_GUARDED_BY(mutex_);
};

class FakeCommunicators final : public StreamCommunicators {
 public:
  FakeCommunicators(std::string group_id, WorkerRank rank, FakeFabric& fabric,
                    FakeStreams& streams)
      : group_id_(std::move(group_id)),
        rank_(rank.value()),
        fabric_(fabric),
        streams_(streams) {}

  absl::Status Exchange(StreamLane lane,
                        absl::Span<const StreamMessage> messages,
                        const AbortSignal& abort) override {
    BMOE_CHECK(messages.size() <= kMaxOperationsPerGroup);
    if (!abort.status().ok()) return abort.status();
    fabric_.NoteIssue(rank_, lane);
    for (const StreamMessage& message : messages) {
      const int32_t peer = message.peer.value();
      std::byte* const memory = message.memory;
      const size_t bytes = message.bytes;
      BMOE_CHECK(bytes > 0);
      if (message.direction == Transfer::Direction::kSend) {
        streams_.Put(lane, [=, this, wire = WireOf(lane, rank_, peer)] {
          fabric_.Send(wire, streams_.Read(memory, bytes));
          return true;
        });
      }
    }
    // After the sends: within a group the order does not matter.
    for (const StreamMessage& message : messages) {
      if (message.direction == Transfer::Direction::kSend) continue;
      streams_.Put(lane,
                   [=, this, wire = WireOf(lane, message.peer.value(), rank_)] {
                     const auto came = fabric_.Receive(wire, message.bytes);
                     if (came.has_value())
                       streams_.Write(message.memory, *came);
                     return came.has_value();
                   });
    }
    return absl::OkStatus();
  }
  void Abort() override { streams_.Clear(); }
  void Disconnect() override {}

 private:
  FakeFabric::Wire WireOf(StreamLane lane, int32_t from, int32_t to) const {
    return {group_id_, lane, from, to};
  }

  const std::string group_id_;
  const int32_t rank_;
  FakeFabric& fabric_;
  FakeStreams& streams_;
};

class FakeStreamDevice final : public StreamDevice {
 public:
  FakeStreamDevice(FakeFabric& fabric, FakeBus bus)
      : fabric_(fabric), bus_(std::move(bus)), memory_(bus_), streams_(bus_) {}

  DeviceMemory& memory() override { return memory_; }
  DeviceStreams& streams() override { return streams_; }
  absl::StatusOr<std::string> NewGroupId() override {
    return fabric_.NewGroupId();
  }
  absl::StatusOr<std::unique_ptr<StreamCommunicators>> Connect(
      absl::string_view group_id, const GroupOptions& group,
      const AbortSignal&) override {
    return std::make_unique<FakeCommunicators>(std::string(group_id),
                                               group.rank, fabric_, streams_);
  }

 private:
  FakeFabric& fabric_;
  const FakeBus bus_;
  FakeMemory memory_;
  FakeStreams streams_;
};

}  // namespace

std::string FakeFabric::NewGroupId() {
  MutexLock lock(&mutex_);
  return absl::StrCat("group ", ++groups_);
}

void FakeFabric::Send(const Wire& wire, Bytes bytes) {
  MutexLock lock(&mutex_);
  if (corrupt_next_ && std::get<StreamLane>(wire) == StreamLane::kTransfers) {
    bytes[0] ^= std::byte{1};
    corrupt_next_ = false;
  }
  sent_[wire].push_back(std::move(bytes));
}

std::optional<FakeFabric::Bytes> FakeFabric::Receive(const Wire& wire,
                                                     size_t bytes) {
  MutexLock lock(&mutex_);
  std::deque<Bytes>& sent = sent_[wire];
  if (sent.empty()) return std::nullopt;
  if (hold_ && std::get<StreamLane>(wire) == StreamLane::kTransfers) {
    return std::nullopt;
  }
  BMOE_CHECK(sent.front().size() == bytes);
  Bytes received = std::move(sent.front());
  sent.pop_front();
  return received;
}

void FakeFabric::CorruptNextTransfer() {
  MutexLock lock(&mutex_);
  corrupt_next_ = true;
}

void FakeFabric::HoldTransfers(bool hold) {
  MutexLock lock(&mutex_);
  hold_ = hold;
}

void FakeFabric::NoteIssue(int32_t rank, StreamLane lane) {
  MutexLock lock(&mutex_);
  order_by_rank_[rank] += lane == StreamLane::kCollectives ? 'c' : 't';
}

std::string FakeFabric::IssueOrder(int32_t rank) const {
  MutexLock lock(&mutex_);
  const auto order = order_by_rank_.find(rank);
  return order == order_by_rank_.end() ? "" : order->second;
}

FakeBus HostBus() {
  return {.on_device = [](const void*) { return false; }, .copy = &std::memcpy};
}

std::unique_ptr<StreamDevice> OpenFakeStreamDevice(FakeFabric& fabric,
                                                   FakeBus bus) {
  return std::make_unique<FakeStreamDevice>(fabric, std::move(bus));
}

}  // namespace balancemoe::worker
