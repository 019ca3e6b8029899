#include "worker/transport/gloo/gloo_heart_loop.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <exception>
#include <utility>

#include "worker/transport/gloo/gloo_tags.h"

namespace balancemoe::worker {
namespace {

// Gloo has no endless wait; this one outlasts every job.
constexpr std::chrono::hours kNoTimeout(24 * 365);

}  // namespace

GlooHeartLoop::GlooHeartLoop(gloo::transport::Context& context, WorkerRank peer,
                             Listener listener)
    : peer_(peer),
      listener_(std::move(listener)),
      told_buffer_(context.createUnboundBuffer(&told_, sizeof(told_))),
      heard_buffer_(context.createUnboundBuffer(&heard_, sizeof(heard_))) {}

GlooHeartLoop::~GlooHeartLoop() { End(); }

void GlooHeartLoop::Start() {
  thread_ = std::thread(&GlooHeartLoop::Run, this);
  pthread_setname_np(thread_.native_handle(), "bm-gloo-heart");
}

void GlooHeartLoop::End() {
  if (!thread_.joinable()) return;
  ended_ = true;
  heard_buffer_->abortWaitRecv();
  thread_.join();
}

void GlooHeartLoop::Tell(GlooNews news, absl::string_view text) {
  MutexLock lock(&mutex_);
  // Gloo allows one operation at a time on a buffer.
  FlushLocked(absl::Milliseconds(100));
  told_.news = news;
  told_.text_bytes =
      static_cast<uint32_t>(std::min(text.size(), told_.text.size()));
  std::memcpy(told_.text.data(), text.data(), told_.text_bytes);
  try {
    told_buffer_->send(peer_.value(), NoteTag(notes_told_++), 0,
                       offsetof(Note, text) + told_.text_bytes);
    telling_ = true;
  } catch (const std::exception&) {
    // Dead: it needs no news.
  }
}

void GlooHeartLoop::Flush(absl::Duration timeout) {
  MutexLock lock(&mutex_);
  FlushLocked(timeout);
}

void GlooHeartLoop::FlushLocked(absl::Duration timeout) {
  if (!telling_) return;
  telling_ = false;
  try {
    told_buffer_->waitSend(absl::ToChronoMilliseconds(timeout));
  } catch (const std::exception&) {
    // Dead, or stopped so long that it cannot be told.
  }
}

bool GlooHeartLoop::Listen() {
  try {
    heard_buffer_->recv(peer_.value(), NoteTag(notes_heard_++), 0,
                        sizeof(Note));
    return heard_buffer_->waitRecv(kNoTimeout);
  } catch (const std::exception&) {
    return false;
  }
}

void GlooHeartLoop::Run() {
  GlooNews news = GlooNews::kConnected;
  while (news == GlooNews::kConnected) {
    const bool heard = Listen();
    if (ended_) return;
    news = heard ? heard_.news : GlooNews::kDead;
    const size_t bytes =
        heard ? std::min<size_t>(heard_.text_bytes, heard_.text.size()) : 0;
    listener_(peer_, news, absl::string_view(heard_.text.data(), bytes));
  }
}

}  // namespace balancemoe::worker
