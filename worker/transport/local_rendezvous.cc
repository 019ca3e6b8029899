#include "worker/transport/local_rendezvous.h"

#include "absl/strings/str_cat.h"

namespace balancemoe::worker {

absl::Status LocalRendezvous::Put(Generation generation, absl::string_view key,
                                  std::string value) {
  MutexLock lock(&mutex_);
  values_[Key(generation, std::string(key))] = std::move(value);
  changed_.NotifyAll();
  return absl::OkStatus();
}

absl::StatusOr<std::string> LocalRendezvous::Get(Generation generation,
                                                 absl::string_view key,
                                                 absl::Duration timeout) {
  const absl::Time deadline = clock_.Now() + timeout;
  const Key wanted(generation, std::string(key));
  MutexLock lock(&mutex_);
  while (true) {
    const auto found = values_.find(wanted);
    if (found != values_.end()) return found->second;
    const absl::Duration left = deadline - clock_.Now();
    if (left <= absl::ZeroDuration()) {
      return absl::DeadlineExceededError(absl::StrCat(
          "key ", key, " of generation ", generation.value(),
          ": nobody put it within ", absl::FormatDuration(timeout)));
    }
    changed_.WaitFor(&mutex_, left);
  }
}

}  // namespace balancemoe::worker
