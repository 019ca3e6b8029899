#ifndef BALANCEMOE_WORKER_TRAIN_ADAM_H_
#define BALANCEMOE_WORKER_TRAIN_ADAM_H_

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace balancemoe::worker {

// A parameter and what Adam keeps of it, wherever that lies: an expert's state
// moves with the expert.
struct AdamParameter {
  // In checkpoints, the same wherever an expert lives: the model's own.
  std::string name;
  torch::Tensor parameter;
  torch::Tensor mean;
  torch::Tensor variance;
  // Steps taken, a float scalar.
  torch::Tensor steps;
};

// How many tensors of each parameter's shape Adam keeps.
inline constexpr int32_t kAdamMoments = 2;

// Bytes that Adam keeps of an expert of `parameter_bytes`, its steps included.
int64_t AdamBytes(int64_t parameter_bytes);

// With a state of its own, all zero.
AdamParameter FreshAdamParameter(std::string name,
                                 const torch::Tensor& parameter);

// One step of Adam with PyTorch's defaults, as one fused kernel over all
// parameters. Every parameter must have a gradient.
void AdamStep(const std::vector<AdamParameter>& parameters,
              double learning_rate);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_ADAM_H_
