#ifndef BALANCEMOE_WORKER_TRAIN_TRAIN_OPTIONS_H_
#define BALANCEMOE_WORKER_TRAIN_TRAIN_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace balancemoe::worker {

// What one training run is asked to do: the flags of balancemoe-train, see
// docs/training.md. All workers of a run have the same.
struct TrainOptions {
  // Empty: the licence texts that every Debian system has.
  std::vector<std::string> text;
  int64_t steps = 100;
  // Sequences per worker and step, and tokens per sequence.
  int64_t batch = 16;
  int64_t seq = 128;
  // The sequence of a batch that comes first; those before it come last.
  int64_t rotate_batch = 0;

  int32_t layers = 2;
  int64_t hidden = 256;
  int64_t ffn = 1024;
  // Experts are SwiGLU instead of GELU.
  bool swiglu = false;
  int64_t heads = 4;
  // Per layer.
  int32_t experts = 8;
  int32_t top_k = 2;
  // Of each expert for a worker's tokens; 0: none is dropped.
  double capacity_factor = 0;
  // Weight of the load-balancing loss.
  double aux_loss = 0;
  // Weight of the gate's z-loss.
  double z_loss = 0;
  double lr = 3e-4;
  uint64_t seed = 1;

  // At most one of the three.
  std::optional<double> imbalance;
  std::optional<double> skew;
  // Trace to route by; empty: none. "A:B" of its iterations; empty: all.
  std::string route_from;
  std::string route_iterations;

  // "policy" or "policy@mode".
  std::string policy = "adaptive";
  // "host:port", or "embedded".
  std::string coordinator = "embedded";
  std::string job_id = "train";
  // Local workers to start; none: this process is one worker of a launcher's.
  std::optional<int32_t> workers;
  std::string transport = "gloo";
  // At which the other workers reach this one.
  std::string address = "127.0.0.1";
  std::string device = "cpu";
  std::string dtype = "fp32";
  int64_t attach_timeout_s = 60;
  int64_t plan_deadline_ms = 50;
  int64_t report_deadline_ms = 50;
  // Experts that a worker can borrow at a time, per layer.
  int32_t spare_slots = 4;
  // YAML file of the cost model to plan with; empty: it is measured.
  std::string cost_model;
  // Profile whose times to emulate, by name or file; empty: none.
  std::string pace;
  double pace_scale = 1;
  double pace_tokens = 1;
  // As in MoeLayerOptions; no flag: benches set it.
  bool split_peer_wait = false;
  // Where checkpoints go; empty: nowhere.
  std::string checkpoint_dir;
  int64_t checkpoint_every = 100;
  // Go on from the checkpoint there, if there is one.
  bool resume = false;
  // Where the train report goes; empty: nowhere.
  std::string report;
};

// Adds the flags of model, data, routing and communication to `app`, bound to
// `options`, which must outlive it. Programs add those of their own.
void AddTrainFlags(CLI::App& app, TrainOptions& options);

// Adds --transport, --device and --dtype, which AddTrainFlags has.
void AddDeviceFlags(CLI::App& app, TrainOptions& options);

// Adds --checkpoint-dir and what goes with it.
void AddCheckpointFlags(CLI::App& app, TrainOptions& options);

// Checks what no single flag can know, for a group of `workers`.
//
// Errors: InvalidArgument, naming the flag and what would be right.
absl::Status ValidateTrainOptions(const TrainOptions& options, int32_t workers);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_TRAIN_OPTIONS_H_
