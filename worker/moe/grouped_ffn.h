#ifndef BALANCEMOE_WORKER_MOE_GROUPED_FFN_H_
#define BALANCEMOE_WORKER_MOE_GROUPED_FFN_H_

#include <torch/custom_class.h>
#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "worker/expert/expert_slab.h"
#include "worker/moe/expert_ffn.h"
#include "worker/moe/layer_pass.h"

namespace balancemoe::worker {

// How a layer computes its experts.
enum class ExpertKernels {
  // One expert after the other: never slower on CPUs.
  kLoop,
  // Those of a slab at a time, for GPUs. Widths are multiples of 4.
  kGrouped,
  // The same, matrix products in bf16, all else in fp32. Multiples of 8.
  kGroupedBf16,
};

// Of matrix products.
inline torch::Dtype MatrixDtypeOf(ExpertKernels kernels) {
  return kernels == ExpertKernels::kGroupedBf16 ? torch::kBFloat16
                                                : torch::kFloat;
}

// Experts that one kernel computes at a time: slots of one slab.
struct ExpertGroup : public torch::CustomClassHolder {
  // Of all slots, as AllSlotsOf gives them.
  ExpertTensors slots;
  // [slots]: rows of each slot's expert; 0 where none is computed.
  std::vector<int64_t> rows_of_slot;
  // Of matrix products: kFloat or kBFloat16.
  torch::Dtype dtype = torch::kFloat;

  // Of SwiGLU experts.
  bool gated() const { return slots.w1().size(1) != slots.w2().size(2); }
};

// As FfnForward and FfnBackward for every expert of `group`; `x`, [n, H], has
// their batches in the slots' order. Gradients come as AllSlotsOf would give
// them; those of slots without rows mean nothing.
torch::Tensor GroupedForward(const torch::Tensor& x, const ExpertGroup& group,
                             FfnActivations& activations);
torch::Tensor GroupedBackward(const torch::Tensor& gradient_out,
                              const torch::Tensor& x,
                              const FfnActivations& activations,
                              const ExpertGroup& group,
                              ExpertTensors& gradient);

// One expert of a group, for autograd.
struct GroupMember {
  ExpertTensors parameters;
  // Index among the group's slots.
  size_t slot = 0;
  // Of the layer's.
  size_t batch = 0;
};

// Replaces the batches of `members`, which are in the order of their slots, by
// what their experts make of them, with autograd. The group's rows are counted
// here.
void ComputeGroup(const c10::intrusive_ptr<LayerPass>& pass,
                  const c10::intrusive_ptr<ExpertGroup>& group,
                  const std::vector<GroupMember>& members,
                  std::vector<torch::Tensor>& batches);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_GROUPED_FFN_H_
