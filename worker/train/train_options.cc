#include "worker/train/train_options.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/planning/policy.h"
#include "common/status_macros.h"
#include "worker/train/cost_model_file.h"
#include "worker/train/pacing.h"
#include "worker/train/quota_routing.h"

namespace balancemoe::worker {
namespace {

constexpr int64_t kMany = 1'000'000;

void AddDataFlags(CLI::App& app, TrainOptions& options) {
  app.add_option("--text", options.text,
                 "Files to learn from, byte by byte (default: the licence "
                 "texts in /usr/share/common-licenses)")
      ->check(CLI::ExistingFile)
      ->group("Data");
  app.add_option("--batch", options.batch, "Sequences per worker and step")
      ->check(CLI::Range(int64_t{1}, kMany))
      ->capture_default_str()
      ->group("Data");
  app.add_option("--seq", options.seq, "Tokens (bytes of text) per sequence")
      ->check(CLI::Range(int64_t{1}, kMany))
      ->capture_default_str()
      ->group("Data");
  app.add_option("--rotate-batch", options.rotate_batch,
                 "Begin each worker's batch with this sequence of it: the same "
                 "training in another order, to see how far rounding alone "
                 "takes it")
      ->check(CLI::Range(int64_t{0}, kMany))
      ->capture_default_str()
      ->group("Data");
  app.add_option("--seed", options.seed,
                 "Of parameters, batches and seeded routing")
      ->capture_default_str()
      ->group("Data");
}

void AddModelFlags(CLI::App& app, TrainOptions& options) {
  const auto add = [&app](const char* name, auto& value, const char* text) {
    app.add_option(name, value, text)
        ->check(CLI::Range(int64_t{1}, kMany))
        ->capture_default_str()
        ->group("Model");
  };
  add("--layers", options.layers, "Blocks, each with one MoE layer");
  add("--hidden", options.hidden, "Width of the model");
  add("--ffn", options.ffn, "Width inside an expert");
  app.add_flag("--swiglu", options.swiglu, "SwiGLU experts instead of GELU")
      ->group("Model");
  add("--heads", options.heads, "Attention heads; divides --hidden");
  add("--experts", options.experts, "Experts per layer");
  add("--top-k", options.top_k, "Experts per token");
  app.add_option("--capacity-factor", options.capacity_factor,
                 "Drop what an expert gets of a worker's tokens over this "
                 "multiple of an even share; 0: drop nothing")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str()
      ->group("Model");
  app.add_option("--aux-loss", options.aux_loss,
                 "Weight of the gate's load-balancing loss")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str()
      ->group("Model");
  app.add_option("--z-loss", options.z_loss,
                 "Weight of the gate's z-loss, which keeps its logits small; "
                 "1e-3 is usual")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str()
      ->group("Model");
  app.add_option("--lr", options.lr, "Adam's learning rate")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str()
      ->group("Model");
}

void AddRoutingFlags(CLI::App& app, TrainOptions& options) {
  app.add_option(
         "--imbalance", options.imbalance,
         "Route by quota so that worker 0 gets this many times the mean "
         "load, the same every step; 1: perfectly balanced, at most the "
         "smaller of workers and experts per worker (default: the "
         "gate's own choice)")
      ->check(CLI::Range(1.0, 1e6))
      ->group("Routing");
  app.add_option("--skew", options.skew,
                 "Add a seeded bias of this scale to the gate's logits: "
                 "realistic, but not reproducible across machines")
      ->check(CLI::Range(0.0, 1e6))
      ->excludes("--imbalance")
      ->group("Routing");
  app.add_option("--route-from", options.route_from,
                 "Route by the counts of this trace, one of its iterations "
                 "per step, scaled to the batch")
      ->excludes("--imbalance", "--skew")
      ->group("Routing");
  app.add_option("--route-iterations", options.route_iterations,
                 "A:B, the trace's iterations from A on and before B "
                 "(default: all)")
      ->needs("--route-from")
      ->group("Routing");
}

void AddPacingFlags(CLI::App& app, TrainOptions& options) {
  CLI::Option* const pace =
      app.add_option("--pace", options.pace,
                     "Emulate: train with the times of this profile's model "
                     "and machine, a shipped profile or a file, in slow "
                     "motion (docs/training.md)")
          ->group("Pacing");
  app.add_option("--pace-scale", options.pace_scale,
                 "How many times slower than there")
      ->check(CLI::Range(1e-3, 1e9))
      ->needs(pace)
      ->capture_default_str()
      ->group("Pacing");
  app.add_option("--pace-tokens", options.pace_tokens,
                 "How many tokens each token stands for")
      ->check(CLI::Range(1e-3, 1e9))
      ->needs(pace)
      ->capture_default_str()
      ->group("Pacing");
}

// Adds to the group of how a job runs.
auto RunningFlags(CLI::App& app) {
  return [&app](const char* name, auto& value, const char* text) {
    return app.add_option(name, value, text)
        ->capture_default_str()
        ->group("Running");
  };
}

void AddCommunicationFlags(CLI::App& app, TrainOptions& options) {
  const auto add = RunningFlags(app);
  add("--coordinator", options.coordinator,
      "host:port of balancemoe-coordinator; embedded (with local workers "
      "only): "
      "one of its own, on free ports");
  add("--job-id", options.job_id, "Name of the run, for the coordinator");
  app.add_option("--workers", options.workers,
                 "Start this many local workers (default: RANK and WORLD_SIZE "
                 "of the environment, as torchrun sets them; without them, 2)")
      ->check(CLI::Range(1, 1024))
      ->group("Running");
  add("--address", options.address,
      "Host name or address at which the other workers reach this one");
  add("--spare-slots", options.spare_slots,
      "Experts that a worker can borrow at a time, per layer")
      ->check(CLI::Range(0, 1024));
  add("--attach-timeout-s", options.attach_timeout_s,
      "How long to wait for the coordinator and the other workers, seconds")
      ->check(CLI::Range(int64_t{1}, kMany));
  add("--plan-deadline-ms", options.plan_deadline_ms,
      "How long a layer waits for the coordinator's plan, milliseconds")
      ->check(CLI::Range(int64_t{1}, kMany));
  add("--report-deadline-ms", options.report_deadline_ms,
      "How long an embedded coordinator waits for all workers' reports, "
      "milliseconds")
      ->check(CLI::Range(int64_t{1}, kMany));
}

void AddCostModelFlag(CLI::App& app, TrainOptions& options) {
  app.add_option("--cost-model", options.cost_model,
                 "Plan with the cost model in this YAML file instead of "
                 "measuring it at the start. Keys, times in microseconds: "
                 "expert_launch_us (0), us_per_token (required), "
                 "backward_factor (2), link_latency_us (0), link_us_per_byte "
                 "(0), overlap_slowdown (1), host_cpu_us_per_byte (0)")
      ->check([](const std::string& path) {
        return std::string(ReadCostModelFile(path).status().message());
      })
      ->group("Running");
}

// What a GPU needs.
absl::Status ValidateDevice(const TrainOptions& options) {
  const bool bf16 = options.dtype == "bf16";
  if (options.device != "cuda") {
    return bf16 ? absl::InvalidArgumentError(
                      "--dtype: bf16 goes with --device cuda only")
                : absl::OkStatus();
  }
  if (options.transport != "nccl") {
    return absl::InvalidArgumentError(
        absl::StrCat("--device: cuda goes with --transport nccl only; ",
                     options.transport, " moves memory of the host"));
  }
  if (!options.pace.empty()) {
    return absl::InvalidArgumentError(
        "--pace: emulates on processors; leave --device cuda away");
  }
  // Grouped kernels take rows of whole 16 bytes.
  const int64_t multiple = bf16 ? 8 : 4;
  if (options.hidden % multiple != 0 || options.ffn % multiple != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--device: cuda with --dtype ", options.dtype, " takes multiples of ",
        multiple, " for --hidden and --ffn, not ", options.hidden, " and ",
        options.ffn));
  }
  return absl::OkStatus();
}

absl::Status ValidatePolicy(const std::string& policy) {
  const absl::Status status = ParsePolicyChoice(policy).status();
  if (status.ok()) return status;
  return absl::InvalidArgumentError(
      absl::StrCat("--policy: ", status.message()));
}

}  // namespace

void AddDeviceFlags(CLI::App& app, TrainOptions& options) {
  const auto add = RunningFlags(app);
  add("--transport", options.transport,
      "gloo: a process per worker; nccl: the same, each with a GPU; loopback: "
      "threads of one process")
      ->check(CLI::IsMember({"loopback", "gloo", "nccl"}));
  add("--device", options.device,
      "Where to compute; cuda: on a GPU per worker, or on fewer that they "
      "share")
      ->check(CLI::IsMember({"cpu", "cuda"}));
  add("--dtype", options.dtype,
      "Of the experts' matrix products, all else is fp32; bf16 goes with "
      "--device cuda: on processors without AMX it is 4 to 5 times slower")
      ->check(CLI::IsMember({"fp32", "bf16"}));
}

void AddTrainFlags(CLI::App& app, TrainOptions& options) {
  AddDataFlags(app, options);
  AddModelFlags(app, options);
  AddRoutingFlags(app, options);
  AddPacingFlags(app, options);
  AddCommunicationFlags(app, options);
  AddDeviceFlags(app, options);
  AddCostModelFlag(app, options);
}

void AddCheckpointFlags(CLI::App& app, TrainOptions& options) {
  CLI::Option* const directory =
      app.add_option("--checkpoint-dir", options.checkpoint_dir,
                     "Save checkpoints in this directory, which all workers "
                     "share; the newest two are kept (default: none)")
          ->group("Checkpoints");
  app.add_option("--checkpoint-every", options.checkpoint_every,
                 "Steps between checkpoints; there is one at the end too")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000'000}))
      ->needs(directory)
      ->capture_default_str()
      ->group("Checkpoints");
  app.add_flag("--resume", options.resume,
               "Go on from the newest checkpoint there, with any number of "
               "workers; from the beginning if there is none")
      ->needs(directory)
      ->group("Checkpoints");
}

absl::Status ValidateTrainOptions(const TrainOptions& options,
                                  int32_t workers) {
  if (options.hidden % options.heads != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--heads: ", options.heads, " does not divide --hidden ",
                     options.hidden, "; name a divisor"));
  }
  if (options.top_k > options.experts) {
    return absl::InvalidArgumentError(
        absl::StrCat("--top-k: ", options.top_k, " is more than --experts ",
                     options.experts, "; at most that many"));
  }
  if (workers > options.experts) {
    return absl::InvalidArgumentError(
        absl::StrCat("--experts: ", options.experts, " experts do not reach ",
                     workers, " workers; at least one expert per worker"));
  }
  if (options.imbalance.has_value()) {
    BMOE_RETURN_IF_ERROR(QuotaCounts(QuotaSpec{.imbalance = *options.imbalance,
                                               .workers = workers,
                                               .experts = options.experts,
                                               .top_k = options.top_k,
                                               .tokens = 1})
                             .status());
  }
  BMOE_RETURN_IF_ERROR(ValidatePolicy(options.policy));
  BMOE_RETURN_IF_ERROR(ValidateDevice(options));
  BMOE_RETURN_IF_ERROR(PacingOf(options).status());
  if (options.coordinator == "embedded" && !options.workers.has_value()) {
    return absl::InvalidArgumentError(
        "--coordinator: embedded goes with --workers only; name the host:port "
        "that all workers reach");
  }
  if (options.transport == "loopback" && !options.workers.has_value()) {
    return absl::InvalidArgumentError(
        "--transport: loopback goes with --workers only; use gloo between "
        "processes");
  }
  return absl::OkStatus();
}

}  // namespace balancemoe::worker
