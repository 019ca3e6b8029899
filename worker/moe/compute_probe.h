#ifndef BALANCEMOE_WORKER_MOE_COMPUTE_PROBE_H_
#define BALANCEMOE_WORKER_MOE_COMPUTE_PROBE_H_

#include <torch/types.h>

#include <cstdint>

#include "absl/time/time.h"
#include "common/clock.h"
#include "worker/expert/expert_slab.h"
#include "worker/moe/calibration_fit.h"
#include "worker/moe/grouped_ffn.h"

namespace balancemoe::worker {

// One expert to time, computed by the kernels that a layer has. For one thread.
class ComputeProbe {
 public:
  ComputeProbe(const ExpertShape& shape, ExpertKernels kernels,
               const torch::Device& device);

  // As many rows, [count, H], as a timed computation should have, or a quarter.
  torch::Tensor ManyRows() const { return Rows(rows_); }
  torch::Tensor FewRows() const { return Rows(rows_ / 4); }

  // Forward and backward, with the way of the rows through the layer.
  ComputeTimes Time(const torch::Tensor& rows) const;

  // Microseconds from `start` to the end of the device's work.
  double Since(absl::Time start) const;
  absl::Time Now() const { return clock_.Now(); }

  // The expert's parameters.
  const ExpertSlot& parameters() const { return parameters_; }

 private:
  torch::Tensor Rows(int64_t count) const;
  torch::Tensor Forward(const torch::Tensor& x,
                        FfnActivations& activations) const;
  torch::Tensor Backward(const torch::Tensor& gradient_out,
                         const torch::Tensor& x,
                         const FfnActivations& activations) const;
  // The expert alone with `rows` rows.
  ExpertGroup GroupOf(int64_t rows) const;

  // Constant after construction.
  const ExpertShape shape_;
  const ExpertKernels kernels_;
  const torch::TensorOptions options_;
  const SteadyClock clock_;
  const ExpertSlot parameters_;
  const ExpertSlot gradients_;
  const int64_t rows_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_COMPUTE_PROBE_H_
