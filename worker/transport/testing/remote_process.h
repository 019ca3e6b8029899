#ifndef BALANCEMOE_WORKER_TRANSPORT_TESTING_REMOTE_PROCESS_H_
#define BALANCEMOE_WORKER_TRANSPORT_TESTING_REMOTE_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "worker/transport/testing/remote_frame.h"

namespace balancemoe::worker {

// A process that serves remote transports. Thread-safe.
class RemoteProcess {
 public:
  // Starts this program anew, with `arguments` and, behind them, the number of
  // the descriptor at which it is to serve; `environment`, "NAME=value", is
  // added to that of this process. A call that is not answered within
  // `patience` is the end of it.
  RemoteProcess(const std::vector<std::string>& arguments,
                const std::vector<std::string>& environment,
                absl::Duration patience);
  // Kills it, and does not wait: a process that a driver holds may take long.
  ~RemoteProcess();

  // Sends a request and blocks until it is answered. Unavailable when the
  // process is dead; one that does not answer in time says on stderr where its
  // threads are, and is killed.
  RemoteFrame Call(RemoteFrame request) ABSL_LOCKS_EXCLUDED(mutex_);

  void Kill();
  bool alive() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void ReadAnswers() ABSL_LOCKS_EXCLUDED(mutex_);
  // False when the answer has not come by `deadline`.
  bool WaitForAnswer(uint64_t call, absl::Time deadline, RemoteFrame& answer)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void ReportAndKill(const RemoteFrame& request) ABSL_LOCKS_EXCLUDED(mutex_);

  const absl::Duration patience_;
  const SteadyClock clock_;
  pid_t process_ = 0;
  int descriptor_ = -1;

  // Held while sending, so that requests do not mix.
  Mutex send_mutex_;

  mutable Mutex mutex_;
  CondVar changed_;
  bool dead_ ABSL_GUARDED_BY(mutex_) = false;
  bool reported_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t calls_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, RemoteFrame> answers_ ABSL_GUARDED_BY(mutex_);

  std::thread reader_;
};

// Processes that are kept for the next test: starting one on a GPU takes
// seconds. Thread-safe.
class RemotePool {
 public:
  // As RemoteProcess; process number n has "NAME=n" in its environment too,
  // for the given `numbered` name.
  RemotePool(std::vector<std::string> arguments,
             std::vector<std::string> environment, std::string numbered,
             absl::Duration patience = absl::Seconds(90));

  // Comes back when nobody uses it any more. `pool` shares the ownership.
  static std::shared_ptr<RemoteProcess> Take(
      const std::shared_ptr<RemotePool>& pool);

 private:
  const std::vector<std::string> arguments_;
  const std::vector<std::string> environment_;
  const std::string numbered_;
  const absl::Duration patience_;

  Mutex mutex_;
  int started_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::unique_ptr<RemoteProcess>> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_TESTING_REMOTE_PROCESS_H_
