#ifndef BALANCEMOE_WORKER_TRAIN_STATE_DIGEST_H_
#define BALANCEMOE_WORKER_TRAIN_STATE_DIGEST_H_

#include <torch/types.h>

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/train/sha256.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// Tensors of one worker, as GatherStateDigest takes them.
struct StateTensors {
  // Of what every worker has.
  std::vector<torch::Tensor> replicated;
  // (layer * experts per layer + expert, its tensors) of the experts that live
  // here.
  std::vector<std::pair<size_t, std::vector<torch::Tensor>>> experts;
};

// One digest for the state of all workers, by expert id, wherever the experts
// live: SHA-256 over the digest of the replicated tensors and those of experts
// 0 .. num_experts - 1 of all layers. A tensor list's digest is the SHA-256
// over the SHA-256 of each tensor's bytes. A collective.
//
// Errors: Internal when workers differ in replicated tensors, or an expert
// lives nowhere; those of the transport.
absl::StatusOr<Sha256Digest> GatherStateDigest(const StateTensors& tensors,
                                               size_t num_experts,
                                               Transport& transport);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_STATE_DIGEST_H_
