#ifndef BALANCEMOE_WORKER_EXPERT_EXPERT_SLAB_H_
#define BALANCEMOE_WORKER_EXPERT_EXPERT_SLAB_H_

#include <torch/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace balancemoe::worker {

// Shape of an expert, H -> F -> H, fp32:
//   GELU     w1 [F, H], b1 [F], w2 [H, F], b2 [H]
//   SwiGLU   w1 [2F, H] and b1 [2F], the gate's rows before the values', w2
//            [H, F], b2 [H]
struct ExpertShape {
  int64_t hidden = 0;
  int64_t ffn = 0;
  // SwiGLU instead of GELU.
  bool gated = false;

  int64_t w1_rows() const { return gated ? 2 * ffn : ffn; }
  int64_t parameters() const {
    return w1_rows() * (hidden + 1) + hidden * (ffn + 1);
  }
  int64_t bytes() const {
    return parameters() * static_cast<int64_t>(sizeof(float));
  }
};

// The parameters of one expert, or their gradients: w1, b1, w2, b2.
struct ExpertTensors {
  static constexpr std::array<const char*, 4> kNames = {"w1", "b1", "w2", "b2"};

  std::array<torch::Tensor, 4> all;

  const torch::Tensor& w1() const { return all[0]; }
  const torch::Tensor& b1() const { return all[1]; }
  const torch::Tensor& w2() const { return all[2]; }
  const torch::Tensor& b2() const { return all[3]; }
  // Of a SwiGLU expert.
  bool gated() const { return w1().size(0) != w2().size(1); }
};

// The place of one expert in a slab: the same memory as tensors and as bytes,
// which lie on the slab's device.
struct ExpertSlot {
  ExpertTensors tensors;
  absl::Span<std::byte> bytes;
  // The whole slab, as bytes, and which of its slots this is.
  torch::Tensor slab;
  size_t index = 0;
};

// One allocation for `count` experts, uninitialised, on `device`, which lives
// as long as any of the slots' tensors.
//
// A slot begins at a multiple of 64 bytes, so that an expert's matrices have
// the same alignment in every slot: a GEMM may choose its path by it. Each
// tensor is one of its own over the memory and no view: views of one tensor
// share a version counter, and a write to one slot would spoil a backward that
// waits for another.
std::vector<ExpertSlot> MakeExpertSlab(
    const ExpertShape& shape, size_t count,
    const torch::Device& device = torch::kCPU);

// All slots of a slab as one tensor per parameter: w1 [slots, F or 2F, H] and
// so on. Views, for kernels that take all experts at once; what autograd keeps
// must be the slots' own tensors.
ExpertTensors AllSlotsOf(const ExpertShape& shape, const torch::Tensor& slab);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_EXPERT_EXPERT_SLAB_H_
