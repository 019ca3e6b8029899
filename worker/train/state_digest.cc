#include "worker/train/state_digest.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "common/status_macros.h"

namespace balancemoe::worker {
namespace {

absl::Span<const std::byte> BytesOf(const std::vector<Sha256Digest>& digests) {
  return {reinterpret_cast<const std::byte*>(digests.data()),
          digests.size() * sizeof(Sha256Digest)};
}

Sha256Digest DigestOf(const std::vector<torch::Tensor>& tensors) {
  std::vector<Sha256Digest> digests;
  for (const torch::Tensor& tensor : tensors) {
    const torch::Tensor plain = tensor.detach().cpu().contiguous();
    digests.push_back(
        Sha256({static_cast<const std::byte*>(plain.const_data_ptr()),
                plain.nbytes()}));
  }
  return Sha256(BytesOf(digests));
}

}  // namespace

absl::StatusOr<Sha256Digest> GatherStateDigest(const StateTensors& tensors,
                                               size_t num_experts,
                                               Transport& transport) {
  // Experts of other workers keep a digest of zeros, which no SHA-256 is.
  const Sha256Digest nothing{};
  std::vector<Sha256Digest> mine(1 + num_experts, nothing);
  mine[0] = DigestOf(tensors.replicated);
  for (const auto& [expert, of_expert] : tensors.experts) {
    mine[1 + expert] = DigestOf(of_expert);
  }
  const auto workers = static_cast<size_t>(transport.world_size());
  std::vector<Sha256Digest> all(workers * mine.size());
  BMOE_RETURN_IF_ERROR(transport.AllGather(
      BytesOf(mine),
      absl::MakeSpan(reinterpret_cast<std::byte*>(all.data()),
                     all.size() * sizeof(Sha256Digest)),
      ComputeStream()));

  std::vector<Sha256Digest> joined(mine.size(), nothing);
  joined[0] = all[0];
  for (size_t worker = 0; worker < workers; ++worker) {
    const Sha256Digest* const table = &all[worker * mine.size()];
    if (table[0] != all[0]) {
      return absl::InternalError(absl::StrCat(
          "workers 0 and ", worker, " differ in what all workers have alike"));
    }
    for (size_t i = 1; i < mine.size(); ++i) {
      if (table[i] != nothing) joined[i] = table[i];
    }
  }
  for (size_t i = 1; i < joined.size(); ++i) {
    if (joined[i] == nothing) {
      return absl::InternalError(
          absl::StrCat("expert ", i - 1, " of all layers lives nowhere"));
    }
  }
  return Sha256(BytesOf(joined));
}

}  // namespace balancemoe::worker
