#include "worker/train/adam.h"

#include <torch/utils.h>

#include <utility>

namespace balancemoe::worker {

int64_t AdamBytes(int64_t parameter_bytes) {
  return kAdamMoments * parameter_bytes + static_cast<int64_t>(sizeof(float));
}

AdamParameter FreshAdamParameter(std::string name,
                                 const torch::Tensor& parameter) {
  const torch::NoGradGuard no_grad;
  return {.name = std::move(name),
          .parameter = parameter,
          .mean = torch::zeros_like(parameter),
          .variance = torch::zeros_like(parameter),
          .steps = torch::zeros({}, parameter.options())};
}

void AdamStep(const std::vector<AdamParameter>& parameters,
              double learning_rate) {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> values;
  std::vector<torch::Tensor> gradients;
  std::vector<torch::Tensor> means;
  std::vector<torch::Tensor> variances;
  std::vector<torch::Tensor> steps;
  for (const AdamParameter& of : parameters) {
    values.push_back(of.parameter);
    gradients.push_back(of.parameter.grad());
    means.push_back(of.mean);
    variances.push_back(of.variance);
    of.steps.add_(1);
    steps.push_back(of.steps);
  }
  at::_fused_adam_(values, gradients, means, variances,
                   /*max_exp_avg_sqs=*/{}, steps, learning_rate,
                   /*beta1=*/0.9, /*beta2=*/0.999, /*weight_decay=*/0,
                   /*eps=*/1e-8, /*amsgrad=*/false, /*maximize=*/false);
}

}  // namespace balancemoe::worker
