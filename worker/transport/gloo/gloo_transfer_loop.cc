#include "worker/transport/gloo/gloo_transfer_loop.h"

#include <pthread.h>

#include <utility>

namespace balancemoe::worker {

GlooTransferLoop::GlooTransferLoop(GlooChannel& channel,
                                   Transfer::Direction direction)
    : channel_(channel), direction_(direction) {
  thread_ = std::thread(&GlooTransferLoop::Run, this);
  pthread_setname_np(thread_.native_handle(),
                     direction == Transfer::Direction::kSend ? "bm-gloo-send"
                                                             : "bm-gloo-recv");
}

GlooTransferLoop::~GlooTransferLoop() {
  {
    MutexLock lock(&mutex_);
    ended_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void GlooTransferLoop::Add(const Transfer& transfer,
                           std::shared_ptr<TransferProgress> progress,
                           size_t index) {
  MutexLock lock(&mutex_);
  tasks_.push_back({transfer, std::move(progress), index});
  changed_.NotifyAll();
}

bool GlooTransferLoop::idle() const {
  MutexLock lock(&mutex_);
  return tasks_.empty();
}

void GlooTransferLoop::Run() {
  while (true) {
    Task task;
    {
      MutexLock lock(&mutex_);
      while (tasks_.empty() && !ended_) changed_.Wait(&mutex_);
      if (tasks_.empty()) return;
      task = tasks_.front();
    }
    absl::Status status = CarryOut(task.transfer);
    {
      MutexLock lock(&mutex_);
      tasks_.pop_front();
    }
    task.progress->Finish(task.index, std::move(status));
  }
}

absl::Status GlooTransferLoop::CarryOut(const Transfer& transfer) {
  const GlooMessageKind kind = GlooMessageKind::kTransfer;
  if (direction_ == Transfer::Direction::kReceive) {
    return channel_.ReceiveUnexpected(kind, transfer.buffer);
  }
  channel_.StartSend(kind, transfer.buffer);
  return channel_.FinishSend();
}

}  // namespace balancemoe::worker
