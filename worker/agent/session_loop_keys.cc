// SessionLoop's part in the rendezvous of a group.
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/agent/session_loop.h"

namespace balancemoe::worker {
namespace {

// A key is small; a coordinator that takes longer has stopped.
constexpr absl::Duration kRepeatedPutTimeout = absl::Milliseconds(300);

}  // namespace

absl::StatusOr<std::shared_ptr<SessionLoop::Connection>>
SessionLoop::AttachedTo(Generation generation) const {
  std::shared_ptr<Connection> connection = Attached();
  if (connection == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("coordinator ", options_.coordinator, ": not attached"));
  }
  const Generation present = connection->admission.session.fencing.generation;
  if (present != generation) {
    return absl::AbortedError(
        absl::StrCat("generation ", generation.value(),
                     " is over; the job is in generation ", present.value()));
  }
  return connection;
}

absl::Status SessionLoop::PutKey(Generation generation, absl::string_view key,
                                 const std::string& value,
                                 absl::Duration timeout) {
  {
    MutexLock lock(&mutex_);
    if (keys_generation_ != generation) keys_.clear();
    keys_generation_ = generation;
    keys_[std::string(key)] = value;
  }
  BMOE_ASSIGN_OR_RETURN(const auto connection, AttachedTo(generation));
  return PutOn(*connection, std::string(key), value, timeout);
}

absl::Status SessionLoop::PutOn(Connection& connection, const std::string& key,
                                const std::string& value,
                                absl::Duration timeout) {
  v1::PutKeyRequest request;
  *request.mutable_fencing() = connection.fencing;
  request.set_key(key);
  request.set_value(value);
  v1::PutKeyResponse response;
  return calls_.Run(timeout, [&](grpc::ClientContext* context) {
    return connection.stub->PutKey(context, request, &response);
  });
}

void SessionLoop::PutKeysAgain(Connection& connection) {
  Keys keys;
  {
    MutexLock lock(&mutex_);
    if (keys_generation_ != connection.admission.session.fencing.generation) {
      return;
    }
    keys = keys_;
  }
  for (const auto& [key, value] : keys) {
    // A coordinator that does not take it will end the session as well.
    if (!PutOn(connection, key, value, kRepeatedPutTimeout).ok()) return;
  }
}

absl::StatusOr<std::string> SessionLoop::GetKey(Generation generation,
                                                absl::string_view key,
                                                absl::Duration timeout) {
  BMOE_ASSIGN_OR_RETURN(const auto connection, AttachedTo(generation));
  v1::GetKeyRequest request;
  *request.mutable_fencing() = connection->fencing;
  request.set_key(std::string(key));
  v1::GetKeyResponse response;
  BMOE_RETURN_IF_ERROR(calls_.Run(timeout, [&](grpc::ClientContext* context) {
    return connection->stub->GetKey(context, request, &response);
  }));
  return std::move(*response.mutable_value());
}

}  // namespace balancemoe::worker
