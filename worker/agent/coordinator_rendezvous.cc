#include "worker/agent/coordinator_rendezvous.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace balancemoe::worker {
namespace {

// A coordinator may be stopped in the middle of a call, and restarted: ask anew
// now and then.
constexpr absl::Duration kLongestAttempt = absl::Seconds(5);

bool MayPass(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable ||
         status.code() == absl::StatusCode::kDeadlineExceeded ||
         status.code() == absl::StatusCode::kAborted;
}

}  // namespace

CoordinatorRendezvous::CoordinatorRendezvous(SessionClient& client,
                                             const Clock& clock,
                                             absl::Duration put_timeout)
    : client_(client), clock_(clock), put_timeout_(put_timeout) {}

absl::Status CoordinatorRendezvous::Retry(
    Generation generation, absl::Duration timeout,
    absl::FunctionRef<absl::Status(absl::Duration timeout)> attempt) {
  const absl::Time end = clock_.Now() + timeout;
  int64_t failed_session = 0;
  while (true) {
    const absl::Duration left = end - clock_.Now();
    const auto session = client_.AwaitAttached(failed_session, left);
    if (!session.ok()) return session.status();
    if (session->fencing.generation != generation) {
      return absl::AbortedError(absl::StrCat(
          "generation ", generation.value(), " is over; the job is in ",
          session->fencing.generation.value()));
    }
    const absl::Status status = attempt(std::min(left, kLongestAttempt));
    if (!MayPass(status) || clock_.Now() >= end) return status;
    // Only time ran out: the session may be as good as before.
    if (!absl::IsDeadlineExceeded(status)) failed_session = session->number;
  }
}

absl::Status CoordinatorRendezvous::Put(Generation generation,
                                        absl::string_view key,
                                        std::string value) {
  return Retry(generation, put_timeout_, [&](absl::Duration timeout) {
    return client_.PutKey(generation, key, value, timeout);
  });
}

absl::StatusOr<std::string> CoordinatorRendezvous::Get(Generation generation,
                                                       absl::string_view key,
                                                       absl::Duration timeout) {
  std::string value;
  const absl::Status status =
      Retry(generation, timeout, [&](absl::Duration left) {
        auto found = client_.GetKey(generation, key, left);
        if (found.ok()) value = *std::move(found);
        return found.status();
      });
  if (absl::IsDeadlineExceeded(status)) {
    return absl::DeadlineExceededError(
        absl::StrCat("key ", key, " of generation ", generation.value(),
                     " did not come within ", absl::FormatDuration(timeout)));
  }
  if (!status.ok()) return status;
  return value;
}

}  // namespace balancemoe::worker
