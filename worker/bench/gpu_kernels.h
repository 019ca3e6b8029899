#ifndef BALANCEMOE_WORKER_BENCH_GPU_KERNELS_H_
#define BALANCEMOE_WORKER_BENCH_GPU_KERNELS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace balancemoe::worker {

struct GpuBenchOptions {
  std::string device = "cuda";
  int64_t hidden = 4096;
  int64_t ffn = 14336;
  // Of one worker, and rows of all their batches, in proportion 1, 1/2, 1/3...
  int64_t experts = 8;
  int64_t tokens = 16384;
  int64_t rounds = 20;
  std::string output = "text";
};

// One way to compute all experts, forward and backward.
struct KernelFigures {
  // "loop", "grouped", "grouped-bf16"
  std::string name;
  // Median.
  double ms = 0;
  double tflops = 0;
  // Median over rounds of the loop's time divided by this one's of that round.
  double speedup_over_loop = 0;
  // From the loop's results, at most, relative to the largest of them.
  double difference = 0;
};

// Checks that all ways give the same, then times them, one after the other in
// each round, in rotating order.
//
// Errors: those of OpenComputeDevice; Internal when results differ by more than
// rounding explains; ResourceExhausted, with Torch's words.
absl::StatusOr<std::vector<KernelFigures>> MeasureKernels(
    const GpuBenchOptions& options);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_BENCH_GPU_KERNELS_H_
