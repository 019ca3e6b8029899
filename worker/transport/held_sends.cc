#include "worker/transport/held_sends.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace balancemoe::worker {

absl::Status HeldSend::Wait() {
  std::shared_ptr<TransferBatch> batch;
  size_t index = 0;
  {
    MutexLock lock(&mutex_);
    while (!ended_ && batch_ == nullptr) changed_.Wait(&mutex_);
    if (ended_) return status_;
    batch = batch_;
    index = index_;
  }
  return batch->Wait(index, ComputeStream{});
}

void HeldSend::Started(std::shared_ptr<TransferBatch> batch, size_t index) {
  MutexLock lock(&mutex_);
  batch_ = std::move(batch);
  index_ = index;
  changed_.NotifyAll();
}

void HeldSend::Failed(absl::Status status) {
  MutexLock lock(&mutex_);
  ended_ = true;
  status_ = std::move(status);
  changed_.NotifyAll();
}

HeldSends::HeldSends(Transport& transport) : transport_(transport) {
  for (int32_t peer = 0; peer < transport.world_size(); ++peer) {
    lines_.push_back(std::make_unique<Line>());
  }
}

std::shared_ptr<HeldSend> HeldSends::Hold(WorkerRank peer,
                                          absl::Span<std::byte> bytes) {
  Line& line = *lines_[peer.index()];
  auto send = std::make_shared<HeldSend>();
  MutexLock lock(&line.mutex);
  line.places.push_back({send, bytes});
  return send;
}

void HeldSends::Release(WorkerRank peer, const HeldSend& send) {
  Line& line = *lines_[peer.index()];
  MutexLock lock(&line.mutex);
  for (Place& place : line.places) {
    if (place.send.get() == &send) place.released = true;
  }
  StartReleased(peer, line);
}

void HeldSends::GiveUp(WorkerRank peer, const HeldSend& send,
                       const absl::Status& why) {
  Line& line = *lines_[peer.index()];
  MutexLock lock(&line.mutex);
  const auto place = std::find_if(
      line.places.begin(), line.places.end(),
      [&](const Place& other) { return other.send.get() == &send; });
  if (place == line.places.end()) return;
  place->send->Failed(why);
  line.places.erase(place);
  StartReleased(peer, line);
}

// Within the line's mutex, so that two threads cannot start them in another
// order.
void HeldSends::StartReleased(WorkerRank peer, Line& line) {
  const auto end =
      std::find_if(line.places.begin(), line.places.end(),
                   [](const Place& place) { return !place.released; });
  if (end == line.places.begin()) return;
  std::vector<Transfer> transfers;
  for (auto place = line.places.begin(); place != end; ++place) {
    transfers.push_back({Transfer::Direction::kSend, peer, place->bytes});
  }
  auto started = transport_.StartTransfers(transfers);
  const std::shared_ptr<TransferBatch> batch =
      started.ok() ? *std::move(started) : nullptr;
  for (size_t i = 0; i < transfers.size(); ++i) {
    HeldSend& send = *line.places.front().send;
    batch == nullptr ? send.Failed(started.status()) : send.Started(batch, i);
    line.places.pop_front();
  }
}

}  // namespace balancemoe::worker
