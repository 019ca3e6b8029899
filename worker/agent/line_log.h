#ifndef BALANCEMOE_WORKER_AGENT_LINE_LOG_H_
#define BALANCEMOE_WORKER_AGENT_LINE_LOG_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/mutex.h"

namespace balancemoe::worker {

// Lines for people, so few that a coordinator that is gone for a week fills no
// disk: of each topic one line per period, with the number of those left out.
// Thread-safe; the sink is called without a lock.
class LineLog {
 public:
  using Sink = std::function<void(absl::string_view line)>;
  static constexpr absl::Duration kPeriod = absl::Seconds(30);

  // Every line starts with `prefix`. Without a sink, lines go to standard
  // error. `clock` must outlive the log.
  LineLog(std::string prefix, Sink sink, const Clock& clock);

  void Write(absl::string_view topic, absl::string_view line)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Topic {
    absl::Time quiet_until = absl::InfinitePast();
    int64_t left_out = 0;
  };

  const std::string prefix_;
  const Sink sink_;
  const Clock& clock_;

  Mutex mutex_;
  std::map<std::string, Topic> topics_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_AGENT_LINE_LOG_H_
