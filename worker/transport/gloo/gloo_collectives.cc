#include "worker/transport/gloo/gloo_collectives.h"

#include <algorithm>
#include <cstring>

#include "common/status_macros.h"
#include "worker/transport/rank_order_sum.h"

namespace balancemoe::worker {
namespace {

absl::Span<const std::byte> AsBytes(absl::Span<const float> values) {
  return {reinterpret_cast<const std::byte*>(values.data()),
          values.size() * sizeof(float)};
}

absl::Span<std::byte> AsWritableBytes(absl::Span<float> values) {
  return {reinterpret_cast<std::byte*>(values.data()),
          values.size() * sizeof(float)};
}

void CopyBytes(absl::Span<std::byte> to, absl::Span<const std::byte> from) {
  if (!from.empty()) std::memcpy(to.data(), from.data(), from.size());
}

// Where the block of each rank begins, and where the last ends.
std::vector<size_t> Offsets(absl::Span<const size_t> bytes) {
  std::vector<size_t> offsets = {0};
  for (const size_t block : bytes) offsets.push_back(offsets.back() + block);
  return offsets;
}

}  // namespace

GlooCollectives::GlooCollectives(GlooGroup& group)
    : group_(group),
      channels_(static_cast<size_t>(group.options().world_size)) {
  for (size_t peer = 0; peer < ranks(); ++peer) {
    if (peer == self()) continue;
    channels_[peer] =
        std::make_unique<GlooChannel>(group_, GlooPurpose::kCollectives,
                                      WorkerRank(static_cast<int32_t>(peer)));
  }
}

void GlooCollectives::Open() {
  for (const auto& channel : channels_) {
    if (channel != nullptr) channel->Open();
  }
}

absl::Status GlooCollectives::Exchange(
    GlooMessageKind kind, SendBlock send, ReceiveBlock receive,
    absl::FunctionRef<void(size_t rank)> arrived) {
  BMOE_RETURN_IF_ERROR(group_.status());
  return Settle(TryExchange(kind, send, receive, arrived));
}

absl::Status GlooCollectives::TryExchange(
    GlooMessageKind kind, SendBlock send, ReceiveBlock receive,
    absl::FunctionRef<void(size_t rank)> arrived) {
  for (size_t peer = 0; peer < ranks(); ++peer) {
    if (peer == self()) continue;
    channels_[peer]->ExpectBody(receive(peer));
  }
  // Each rank begins with another peer, so that not all send to the same one.
  for (size_t step = 1; step < ranks(); ++step) {
    const size_t peer = (self() + step) % ranks();
    channels_[peer]->StartSend(kind, send(peer));
  }
  for (size_t peer = 0; peer < ranks(); ++peer) {
    if (peer != self()) {
      BMOE_RETURN_IF_ERROR(channels_[peer]->Receive(kind, receive(peer)));
    }
    arrived(peer);
  }
  for (const auto& channel : channels_) {
    if (channel != nullptr) BMOE_RETURN_IF_ERROR(channel->FinishSend());
  }
  return absl::OkStatus();
}

absl::Status GlooCollectives::Settle(const absl::Status& status) {
  if (!status.ok()) group_.Abort(status.message());
  return status;
}

absl::Status GlooCollectives::AllGather(absl::Span<const std::byte> mine,
                                        absl::Span<std::byte> all) {
  const auto block = [&](size_t rank) {
    return all.subspan(rank * mine.size(), mine.size());
  };
  CopyBytes(block(self()), mine);
  return Exchange(
      GlooMessageKind::kAllGather, [&](size_t) { return mine; }, block);
}

absl::Status GlooCollectives::AllToAllV(
    absl::Span<const std::byte> send, absl::Span<const size_t> send_bytes,
    absl::Span<std::byte> receive, absl::Span<const size_t> receive_bytes) {
  const std::vector<size_t> from = Offsets(send_bytes);
  const std::vector<size_t> to = Offsets(receive_bytes);
  const auto out = [&](size_t rank) {
    return send.subspan(from[rank], send_bytes[rank]);
  };
  const auto in = [&](size_t rank) {
    return receive.subspan(to[rank], receive_bytes[rank]);
  };
  CopyBytes(in(self()), out(self()));
  return Exchange(GlooMessageKind::kAllToAll, out, in);
}

absl::Status GlooCollectives::AllReduceSum(absl::Span<float> values) {
  // Few values: latency counts, so one step, in which everybody adds
  // everything.
  const bool small = values.size() * sizeof(float) <= GlooChannel::kInlineBytes;
  return small ? SumSmall(values) : SumLarge(values);
}

absl::Status GlooCollectives::SumSmall(absl::Span<float> values) {
  const size_t count = values.size();
  received_.resize(ranks() * count);
  sum_.assign(values.begin(), values.end());
  const auto block = [&](size_t rank) {
    return absl::MakeSpan(received_).subspan(rank * count, count);
  };
  std::copy(values.begin(), values.end(), block(self()).begin());
  return Exchange(
      GlooMessageKind::kReduceScatter, [&](size_t) { return AsBytes(sum_); },
      [&](size_t rank) { return AsWritableBytes(block(rank)); },
      [&](size_t rank) {
        if (rank == 0) std::copy_n(block(0).begin(), count, values.begin());
        if (rank != 0) AddInto(values, block(rank));
      });
}

absl::Status GlooCollectives::SumLarge(absl::Span<float> values) {
  const auto share = [&](size_t rank) {
    const size_t begin = rank * values.size() / ranks();
    const size_t end = (rank + 1) * values.size() / ranks();
    return values.subspan(begin, end - begin);
  };
  const absl::Span<float> mine = share(self());
  // Everybody's part of this rank's share comes here and is added...
  received_.resize(ranks() * mine.size());
  sum_.resize(mine.size());
  const auto part = [&](size_t rank) {
    return absl::MakeSpan(received_).subspan(rank * mine.size(), mine.size());
  };
  std::copy(mine.begin(), mine.end(), part(self()).begin());
  BMOE_RETURN_IF_ERROR(Exchange(
      GlooMessageKind::kReduceScatter,
      [&](size_t rank) { return AsBytes(share(rank)); },
      [&](size_t rank) { return AsWritableBytes(part(rank)); },
      [&](size_t rank) {
        if (rank == 0) std::copy_n(part(0).begin(), sum_.size(), sum_.begin());
        if (rank != 0) AddInto(absl::MakeSpan(sum_), part(rank));
      }));
  std::copy(sum_.begin(), sum_.end(), mine.begin());
  // ...and the sums go to everybody.
  return Exchange(
      GlooMessageKind::kAllGather, [&](size_t) { return AsBytes(mine); },
      [&](size_t rank) { return AsWritableBytes(share(rank)); });
}

absl::Status GlooCollectives::Broadcast(absl::Span<std::byte> bytes,
                                        WorkerRank root) {
  BMOE_RETURN_IF_ERROR(group_.status());
  const auto kind = GlooMessageKind::kBroadcast;
  if (root.index() != self()) {
    GlooChannel& channel = *channels_[root.index()];
    channel.ExpectBody(bytes);
    return Settle(channel.Receive(kind, bytes));
  }
  for (const auto& channel : channels_) {
    if (channel != nullptr) channel->StartSend(kind, bytes);
  }
  for (const auto& channel : channels_) {
    if (channel != nullptr) BMOE_RETURN_IF_ERROR(Settle(channel->FinishSend()));
  }
  return absl::OkStatus();
}

absl::Status GlooCollectives::Barrier() {
  return Exchange(
      GlooMessageKind::kBarrier,
      [](size_t) { return absl::Span<const std::byte>(); },
      [](size_t) { return absl::Span<std::byte>(); });
}

}  // namespace balancemoe::worker
