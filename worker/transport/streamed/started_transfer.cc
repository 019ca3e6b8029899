#include "worker/transport/streamed/started_transfer.h"

#include <utility>

namespace balancemoe::worker {

void StreamedProgress::Issued(size_t index,
                              std::shared_ptr<StreamEvent> event) {
  MutexLock lock(&mutex_);
  issued_[index].event = std::move(event);
  changed_.NotifyAll();
}

bool StreamedProgress::Finish(size_t index, absl::Status status) {
  finished_.Finish(index, std::move(status));
  MutexLock lock(&mutex_);
  issued_[index].finished = true;
  issued_[index].event = nullptr;
  changed_.NotifyAll();
  return issued_[index].let_go;
}

std::shared_ptr<StreamEvent> StreamedProgress::LetGo(size_t index) {
  MutexLock lock(&mutex_);
  Transfer& transfer = issued_[index];
  while (transfer.event == nullptr && !transfer.finished) {
    changed_.Wait(&mutex_);
  }
  if (!transfer.finished) transfer.let_go = true;
  return transfer.event;
}

}  // namespace balancemoe::worker
