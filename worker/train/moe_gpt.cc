#include "worker/train/moe_gpt.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/utils.h>

#include <string>
#include <unordered_set>

#include "absl/strings/str_cat.h"

namespace balancemoe::worker {
namespace {

constexpr int64_t kBytes = 256;
// As GPT-2.
constexpr double kInitialDeviation = 0.02;

}  // namespace

// Causal attention, then the MoE layer, each on normalised input and added to
// what came in.
class MoeGptImpl::BlockImpl : public torch::nn::Module {
 public:
  BlockImpl(const MoeGptOptions& options, MoeLayer moe)
      : heads_(options.heads), moe_(std::move(moe)) {
    const auto norm = torch::nn::LayerNormOptions({options.hidden});
    attention_norm_ =
        register_module("attention_norm", torch::nn::LayerNorm(norm));
    qkv_ = register_module(
        "qkv", torch::nn::Linear(options.hidden, 3 * options.hidden));
    projection_ = register_module(
        "projection", torch::nn::Linear(options.hidden, options.hidden));
    moe_norm_ = register_module("moe_norm", torch::nn::LayerNorm(norm));
    register_module("moe", moe_);
  }

  // [B, S, H] to the same.
  torch::Tensor forward(const torch::Tensor& hidden) {
    const torch::Tensor attended =
        hidden + Attention(attention_norm_->forward(hidden));
    const torch::Tensor rows =
        moe_norm_->forward(attended).flatten(/*start_dim=*/0, /*end_dim=*/1);
    return attended + moe_->forward(rows).view(attended.sizes());
  }

 private:
  torch::Tensor Attention(const torch::Tensor& hidden) {
    const int64_t batch = hidden.size(0);
    const int64_t seq = hidden.size(1);
    // [3, B, heads, S, H / heads]
    const torch::Tensor qkv = qkv_->forward(hidden)
                                  .view({batch, seq, 3, heads_, -1})
                                  .permute({2, 0, 3, 1, 4});
    const torch::Tensor mixed = at::scaled_dot_product_attention(
        qkv[0], qkv[1], qkv[2], /*attn_mask=*/{}, /*dropout_p=*/0,
        /*is_causal=*/true);
    return projection_->forward(
        mixed.transpose(1, 2).reshape({batch, seq, -1}));
  }

  const int64_t heads_;
  torch::nn::LayerNorm attention_norm_{nullptr};
  torch::nn::Linear qkv_{nullptr};
  torch::nn::Linear projection_{nullptr};
  torch::nn::LayerNorm moe_norm_{nullptr};
  MoeLayer moe_;
};

MoeGptImpl::MoeGptImpl(const MoeGptOptions& options, Agent& agent) {
  token_embedding_ = register_module(
      "token_embedding", torch::nn::Embedding(kBytes, options.hidden));
  position_embedding_ = register_module(
      "position_embedding", torch::nn::Embedding(options.seq, options.hidden));
  for (int32_t layer = 0; layer < options.layers; ++layer) {
    MoeLayerOptions moe;
    moe.layer = LayerId(layer);
    moe.hidden = options.hidden;
    moe.ffn = options.ffn;
    moe.gated = options.gated;
    moe.experts = options.experts;
    moe.top_k = options.top_k;
    moe.capacity_factor = options.capacity_factor;
    moe.seed = options.seed;
    moe.moments = options.moments;
    moe.pace = options.pace;
    // Emulated exchanges begin when all have come anyway.
    moe.split_peer_wait = options.split_peer_wait || options.pace.has_value();
    moe.device = options.device;
    moe.kernels = options.kernels;
    moe_layers_.push_back(MoeLayer(moe, agent));
    blocks_.push_back(register_module(absl::StrCat("block", layer),
                                      Block(options, moe_layers_.back())));
  }
  final_norm_ = register_module(
      "final_norm",
      torch::nn::LayerNorm(torch::nn::LayerNormOptions({options.hidden})));
  head_ = register_module("head", torch::nn::Linear(options.hidden, kBytes));
  InitialiseDense(options.seed, options.device);
}

torch::Tensor MoeGptImpl::forward(const torch::Tensor& bytes) {
  torch::Tensor hidden = token_embedding_->forward(bytes) +
                         position_embedding_->forward(
                             torch::arange(bytes.size(1), bytes.options()));
  for (Block& block : blocks_) hidden = block->forward(hidden);
  return head_->forward(final_norm_->forward(hidden)).flatten(0, 1);
}

GateLosses MoeGptImpl::gate_losses() const {
  const auto layers = static_cast<double>(moe_layers_.size());
  GateLosses mean;
  mean.balance = torch::zeros_like(moe_layers_.front()->gate_losses().balance);
  mean.z = torch::zeros_like(mean.balance);
  for (const MoeLayer& moe : moe_layers_) {
    mean.balance = mean.balance + moe->gate_losses().balance / layers;
    mean.z = mean.z + moe->gate_losses().z / layers;
  }
  return mean;
}

std::vector<std::pair<std::string, torch::Tensor>>
MoeGptImpl::ReplicatedParameters() const {
  std::unordered_set<const c10::TensorImpl*> of_experts;
  for (MoeLayer moe : moe_layers_) {
    for (const torch::Tensor& parameter : moe->experts().parameters()) {
      of_experts.insert(parameter.unsafeGetTensorImpl());
    }
  }
  std::vector<std::pair<std::string, torch::Tensor>> replicated;
  for (const auto& parameter : named_parameters()) {
    if (!of_experts.contains(parameter.value().unsafeGetTensorImpl())) {
      replicated.emplace_back(parameter.key(), parameter.value());
    }
  }
  return replicated;
}

std::string MoeGptImpl::ExpertName(LayerId layer, ExpertId expert,
                                   absl::string_view tensor) {
  return absl::StrCat("block", layer.value(), ".moe.experts.", expert.value(),
                      ".", tensor);
}

// From a generator of its own: workers that are threads of one process share
// the global one. The MoE layers have set theirs by the same seed, on their
// device; the rest is drawn on the CPU, so that it is the same everywhere.
void MoeGptImpl::InitialiseDense(uint64_t seed, const torch::Device& device) {
  const torch::NoGradGuard no_grad;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (auto& parameter : named_parameters()) {
    const std::string& name = parameter.key();
    torch::Tensor& value = parameter.value();
    if (name.find(".moe.") != std::string::npos) continue;
    if (value.dim() > 1) {
      value.normal_(0, kInitialDeviation, generator);
    } else if (name.ends_with("bias")) {
      value.zero_();
    } else {
      value.fill_(1);
    }
    value.set_data(value.to(device));
  }
}

}  // namespace balancemoe::worker
