#include "worker/train/adam.h"

#include <torch/utils.h>

#include <utility>

namespace balancemoe::worker {

Adam::Adam(std::vector<torch::Tensor> parameters, double learning_rate)
    : parameters_(std::move(parameters)), learning_rate_(learning_rate) {
  const torch::NoGradGuard no_grad;
  for (const torch::Tensor& parameter : parameters_) {
    states_.push_back({torch::zeros_like(parameter),
                       torch::zeros_like(parameter), torch::zeros({})});
  }
}

void Adam::Step() {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> gradients;
  std::vector<torch::Tensor> means;
  std::vector<torch::Tensor> variances;
  std::vector<torch::Tensor> steps;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    gradients.push_back(parameters_[i].grad());
    means.push_back(states_[i].mean);
    variances.push_back(states_[i].variance);
    states_[i].steps += 1;
    steps.push_back(states_[i].steps);
  }
  at::_fused_adam_(parameters_, gradients, means, variances,
                   /*max_exp_avg_sqs=*/{}, steps, learning_rate_,
                   /*beta1=*/0.9, /*beta2=*/0.999, /*weight_decay=*/0,
                   /*eps=*/1e-8, /*amsgrad=*/false, /*maximize=*/false);
}

}  // namespace balancemoe::worker
