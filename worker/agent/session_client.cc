#include "worker/agent/session_client.h"

#include <utility>

#include "worker/agent/session_loop.h"

namespace balancemoe::worker {

SessionClient::SessionClient(const AgentOptions& options,
                             JobPlacement placement, SessionListener& listener,
                             const Clock& clock, LineLog& log)
    : loop_(std::make_unique<SessionLoop>(options, std::move(placement),
                                          listener, clock, log)) {}

SessionClient::~SessionClient() = default;

absl::StatusOr<SessionInfo> SessionClient::AwaitAttached(
    int64_t after, absl::Duration timeout) {
  return loop_->AwaitAttached(after, timeout);
}

void SessionClient::GroupFormed(Generation generation) {
  loop_->GroupFormed(generation);
}

void SessionClient::SendLoads(const LayerReport& report) {
  loop_->Send([&](const v1::Fencing& fencing) {
    return MakeLoadReport(fencing, report);
  });
}

void SessionClient::SendOutcome(const LayerOutcome& outcome) {
  loop_->Send([&](const v1::Fencing& fencing) {
    return MakePlanResult(fencing, outcome);
  });
}

void SessionClient::SetCostModel(const CostModel& model) {
  loop_->SetCostModel(model);
}

void SessionClient::SetPlacement(const JobPlacement& placement) {
  loop_->SetPlacement(placement);
}

void SessionClient::SetIteration(Iteration iteration) {
  loop_->SetIteration(iteration);
}

uint64_t SessionClient::next_heartbeat() const {
  return loop_->next_heartbeat();
}

void SessionClient::SendHeartbeat() { loop_->SendHeartbeat(); }

absl::Status SessionClient::PutKey(Generation generation, absl::string_view key,
                                   const std::string& value,
                                   absl::Duration timeout) {
  return loop_->PutKey(generation, key, value, timeout);
}

absl::StatusOr<std::string> SessionClient::GetKey(Generation generation,
                                                  absl::string_view key,
                                                  absl::Duration timeout) {
  return loop_->GetKey(generation, key, timeout);
}

int64_t SessionClient::sessions() const { return loop_->sessions(); }

void SessionClient::Stop() { loop_->Stop(); }

}  // namespace balancemoe::worker
