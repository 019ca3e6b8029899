#ifndef BALANCEMOE_WORKER_TRAIN_GRADIENT_BUCKET_H_
#define BALANCEMOE_WORKER_TRAIN_GRADIENT_BUCKET_H_

#include <torch/types.h>

#include <vector>

#include "absl/status/statusor.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// The gradients of the replicated parameters, in one block of memory, so that
// one all-reduce serves them all. The loss rides along.
class GradientBucket {
 public:
  // Makes the bucket, on the parameters' device, their gradients: backward adds
  // to it in place.
  explicit GradientBucket(const std::vector<torch::Tensor>& parameters);

  // Adds up the gradients of all workers, in place, and returns the sum of
  // their losses. A collective.
  //
  // Errors: those of Transport::AllReduceSum.
  absl::StatusOr<float> Sum(float loss, Transport& transport);

  void Zero() { flat_.zero_(); }

 private:
  // All gradients, then the loss.
  torch::Tensor flat_;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_GRADIENT_BUCKET_H_
