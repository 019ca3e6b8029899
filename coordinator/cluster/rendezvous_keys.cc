#include "coordinator/cluster/rendezvous_keys.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace balancemoe::coordinator {

absl::StatusOr<std::vector<WaiterId>> RendezvousKeys::Put(absl::string_view key,
                                                          std::string value) {
  std::string name(key);
  const auto known = keys_.find(name);
  BMOE_RETURN_IF_ERROR(CheckName(key, known == keys_.end()));
  if (value.size() > limits_.value_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("key ", key, ": ", value.size(),
                     " bytes are over the limit of ", limits_.value_bytes));
  }
  size_t replaced_bytes = 0;
  if (known != keys_.end() && known->second.value.has_value()) {
    replaced_bytes = known->second.value->size();
  }
  const size_t total_bytes = value_bytes_ - replaced_bytes + value.size();
  if (total_bytes > limits_.total_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("key ", key, ": all values together, ", total_bytes,
                     " bytes, are over the limit of ", limits_.total_bytes));
  }
  value_bytes_ = total_bytes;
  Key& entry = keys_[std::move(name)];
  entry.value = std::move(value);
  std::vector<WaiterId> woken(entry.waiters.begin(), entry.waiters.end());
  entry.waiters.clear();
  for (const WaiterId waiter : woken) key_by_waiter_.erase(waiter);
  return woken;
}

absl::StatusOr<std::optional<std::string>> RendezvousKeys::Get(
    absl::string_view key, WaiterId waiter) {
  std::string name(key);
  const auto known = keys_.find(name);
  BMOE_RETURN_IF_ERROR(CheckName(key, known == keys_.end()));
  if (known != keys_.end() && known->second.value.has_value()) {
    return known->second.value;
  }
  BMOE_RETURN_IF_ERROR(CheckWaiters());
  keys_[name].waiters.insert(waiter);
  key_by_waiter_.emplace(waiter, std::move(name));
  return std::optional<std::string>();
}

absl::StatusOr<std::vector<WaiterId>> RendezvousKeys::Barrier(
    absl::string_view barrier, WorkerRank rank, WaiterId waiter) {
  std::string name(barrier);
  BMOE_RETURN_IF_ERROR(CheckName(barrier, !gates_.contains(name)));
  BMOE_RETURN_IF_ERROR(CheckWaiters());
  Gate& gate = gates_[name];
  gate.arrived.insert(rank);
  gate.waiters.insert(waiter);
  gate_by_waiter_.emplace(waiter, std::move(name));
  if (gate.arrived.size() < static_cast<size_t>(world_size_)) {
    return std::vector<WaiterId>();
  }
  std::vector<WaiterId> released(gate.waiters.begin(), gate.waiters.end());
  gate.waiters.clear();
  for (const WaiterId each : released) gate_by_waiter_.erase(each);
  return released;
}

void RendezvousKeys::Forget(WaiterId waiter) {
  if (const auto key = key_by_waiter_.find(waiter);
      key != key_by_waiter_.end()) {
    const auto entry = keys_.find(key->second);
    entry->second.waiters.erase(waiter);
    if (entry->second.waiters.empty()) keys_.erase(entry);
    key_by_waiter_.erase(key);
  }
  if (const auto gate = gate_by_waiter_.find(waiter);
      gate != gate_by_waiter_.end()) {
    gates_[gate->second].waiters.erase(waiter);
    gate_by_waiter_.erase(gate);
  }
}

std::vector<WaiterId> RendezvousKeys::Clear() {
  std::vector<WaiterId> waiters;
  for (const auto& [waiter, key] : key_by_waiter_) waiters.push_back(waiter);
  for (const auto& [waiter, gate] : gate_by_waiter_) waiters.push_back(waiter);
  keys_.clear();
  gates_.clear();
  key_by_waiter_.clear();
  gate_by_waiter_.clear();
  value_bytes_ = 0;
  return waiters;
}

absl::Status RendezvousKeys::CheckName(absl::string_view name,
                                       bool is_new) const {
  if (name.empty() || name.size() > limits_.name_bytes) {
    return absl::InvalidArgumentError(absl::StrCat("a name of ", name.size(),
                                                   " bytes; it must have 1 to ",
                                                   limits_.name_bytes));
  }
  if (is_new && keys_.size() + gates_.size() >= limits_.names) {
    return absl::ResourceExhaustedError(
        absl::StrCat(name, ": the job has ", limits_.names,
                     " keys and barriers already, which is the limit"));
  }
  return absl::OkStatus();
}

absl::Status RendezvousKeys::CheckWaiters() const {
  if (key_by_waiter_.size() + gate_by_waiter_.size() < limits_.waiters) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(absl::StrCat(
      limits_.waiters, " calls of the job wait already, which is the limit"));
}

}  // namespace balancemoe::coordinator
