#ifndef BALANCEMOE_WORKER_TRAIN_ADAM_H_
#define BALANCEMOE_WORKER_TRAIN_ADAM_H_

#include <torch/types.h>

#include <cstddef>
#include <vector>

namespace balancemoe::worker {

// Adam with PyTorch's defaults, as one fused kernel over all parameters. Keeps
// the state of each parameter in plain sight, because an expert's state is told
// by the expert, not by where it stands in a list.
class Adam {
 public:
  // What Adam keeps of one parameter.
  struct State {
    torch::Tensor mean;
    torch::Tensor variance;
    // Steps taken, a float scalar.
    torch::Tensor steps;
  };

  Adam(std::vector<torch::Tensor> parameters, double learning_rate);

  // Every parameter must have a gradient.
  void Step();

  // In the order of the parameters.
  const std::vector<State>& states() const { return states_; }
  const std::vector<torch::Tensor>& parameters() const { return parameters_; }

 private:
  const std::vector<torch::Tensor> parameters_;
  const double learning_rate_;
  std::vector<State> states_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_ADAM_H_
