#include "worker/transport/gloo/gloo_heart_loop.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <exception>
#include <utility>

#include "common/clock.h"
#include "worker/transport/gloo/gloo_tags.h"

namespace balancemoe::worker {
namespace {

// Gloo has no endless wait; this one outlasts every job.
constexpr std::chrono::hours kNoTimeout(24 * 365);

}  // namespace

GlooHeartLoop::GlooHeartLoop(gloo::transport::Context& context, WorkerRank peer,
                             Listener listener)
    : context_(context),
      peer_(peer),
      listener_(std::move(listener)),
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
  const auto number = static_cast<uint32_t>(told_.size());
  ToldNote& told = told_.emplace_back();
  Note& note = told.note;
  note.news = news;
  note.text_bytes =
      static_cast<uint32_t>(std::min(text.size(), note.text.size()));
  std::memcpy(note.text.data(), text.data(), note.text_bytes);
  told.buffer = context_.createUnboundBuffer(&note, sizeof(note));
  try {
    told.buffer->send(peer_.value(), NoteTag(number), 0,
                      offsetof(Note, text) + note.text_bytes);
  } catch (const std::exception&) {
    // Dead: it needs no news, neither this nor what may still be on its way.
    flushed_ = told_.size();
  }
}

void GlooHeartLoop::Flush(absl::Duration timeout) {
  const SteadyClock clock;
  const absl::Time deadline = clock.Now() + timeout;
  while (gloo::transport::UnboundBuffer* const told = NextToFlush()) {
    // Gloo takes less than none to mean its own time-out.
    const absl::Duration left =
        std::max(deadline - clock.Now(), absl::ZeroDuration());
    try {
      told->waitSend(absl::ToChronoMilliseconds(left));
    } catch (const std::exception&) {
      // Dead, or stopped so long that it cannot be told.
    }
  }
}

gloo::transport::UnboundBuffer* GlooHeartLoop::NextToFlush() {
  MutexLock lock(&mutex_);
  if (flushed_ == told_.size()) return nullptr;
  return told_[flushed_++].buffer.get();
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

void GlooHeartLoop::GiveUpTelling() {
  MutexLock lock(&mutex_);
  for (const ToldNote& told : told_) told.buffer->abortWaitSend();
}

void GlooHeartLoop::Run() {
  while (Listen()) {
    if (ended_) return;
    const size_t bytes =
        std::min<size_t>(heard_.text_bytes, heard_.text.size());
    listener_(peer_, heard_.news, absl::string_view(heard_.text.data(), bytes));
  }
  if (ended_) return;
  GiveUpTelling();
  listener_(peer_, GlooNews::kGone, "");
}

}  // namespace balancemoe::worker
