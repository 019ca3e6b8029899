#ifndef BALANCEMOE_TESTS_INTEGRATION_AGENT_JOB_H_
#define BALANCEMOE_TESTS_INTEGRATION_AGENT_JOB_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "worker/agent/agent.h"
#include "worker/transport/loopback/loopback_hub.h"

namespace balancemoe::worker {

// The workers of a job as threads of this process, each with a real agent and
// loopback between them.
class AgentJob {
 public:
  static constexpr int32_t kLayers = 2;
  static constexpr int32_t kExpertsPerWorker = 2;

  struct Options {
    int32_t world_size = 2;
    std::string coordinator;
    int64_t expert_bytes = 1024;
    int32_t spare_slots = 4;
    absl::Duration plan_deadline = absl::Seconds(10);
    std::string policy;
    // Ends the step after each last layer, and commits what plans move as soon
    // as all workers know it.
    bool ends_steps = false;
    // Without one, loopback.
    TransportFactory transport;
  };

  explicit AgentJob(Options options);

  // What each worker attaches with.
  AgentOptions OptionsOf(int32_t rank);
  // Attaches all workers at once; the worst status.
  absl::Status Attach();

  // What one layer came to, on all workers alike.
  struct Round {
    absl::Status status;
    std::vector<LayerRouting> routings;
    // All workers use the same plan with transfers.
    bool used = false;
    // No worker does anything.
    bool idle = false;
  };
  // Plans the next layer on all workers at once; reports its outcome.
  Round PlanNextLayer();
  // Plans layers until one comes out as `wanted`, for at most 30 s.
  bool PlanUntil(const std::function<bool(const Round& round)>& wanted);

  Agent& agent(int32_t rank) { return *agents_[static_cast<size_t>(rank)]; }
  int32_t world_size() const { return options_.world_size; }
  // Layers planned so far.
  int64_t rounds() const { return rounds_; }
  // Of all workers together.
  int64_t Count(int64_t AgentCounters::*counter);
  int64_t CountDropped(int64_t DroppedPlans::*counter);

 private:
  absl::Status EndStep();

  const Options options_;
  LoopbackHub hub_;
  std::vector<std::unique_ptr<Agent>> agents_;
  int64_t rounds_ = 0;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_TESTS_INTEGRATION_AGENT_JOB_H_
