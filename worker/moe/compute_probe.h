#ifndef BALANCEMOE_WORKER_MOE_COMPUTE_PROBE_H_
#define BALANCEMOE_WORKER_MOE_COMPUTE_PROBE_H_

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/clock.h"
#include "worker/expert/expert_slab.h"
#include "worker/moe/calibration_fit.h"
#include "worker/moe/expert_ffn.h"
#include "worker/moe/grouped_ffn.h"

namespace balancemoe::worker {

// A layer's experts to time, computed by the kernels that it has. For one
// thread.
class ComputeProbe {
 public:
  ComputeProbe(const ExpertShape& shape, ExpertKernels kernels,
               const torch::Device& device);

  // As many rows of each expert as a timed computation should have, or a
  // quarter, and those of all experts, [experts * rows, H].
  int64_t many_rows() const { return rows_; }
  torch::Tensor ManyRows() const { return Rows(many_rows()); }
  int64_t few_rows() const { return rows_ / 4; }
  torch::Tensor FewRows() const { return Rows(few_rows()); }

  // What a processor's caches hold when a pass begins: what the last one left,
  // or what other layers did, as in a step.
  enum class Caches { kWarm, kCold };

  // Forward and backward, with the way of the rows through the layer.
  ComputeTimes Time(const torch::Tensor& rows, Caches caches) const;
  // One expert's share of what Time gives.
  static ComputeTimes PerExpert(const ComputeTimes& times);

  // Microseconds from `start` to the end of the device's work.
  double Since(absl::Time start) const;
  absl::Time Now() const { return clock_.Now(); }

  // One expert's parameters.
  const ExpertSlot& parameters() const { return parameters_.front(); }

 private:
  torch::Tensor Rows(int64_t per_expert) const;
  void PrepareCaches(Caches caches) const;
  // `activations` has one element per expert.
  torch::Tensor Forward(const torch::Tensor& x,
                        absl::Span<FfnActivations> activations) const;
  torch::Tensor Backward(const torch::Tensor& gradient_out,
                         const torch::Tensor& x,
                         absl::Span<const FfnActivations> activations) const;
  // The experts with their shares of `x`.
  ExpertGroup GroupOf(const torch::Tensor& x) const;

  // Constant after construction.
  const ExpertShape shape_;
  const ExpertKernels kernels_;
  const torch::TensorOptions options_;
  const SteadyClock clock_;
  // Of all experts, and the gradient of whichever was computed last.
  const std::vector<ExpertSlot> parameters_;
  const ExpertSlot gradient_;
  const int64_t rows_;
  // What other layers leave in the caches; empty on a GPU, whose caches hold
  // little of so many rows.
  const torch::Tensor others_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_COMPUTE_PROBE_H_
