#include "worker/moe/gemm_self_test.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace balancemoe::worker {
namespace {

// Below 16 rows some libraries take another path.
constexpr int64_t kFewRows = 16;
constexpr int64_t kManyRows = 48;

// A copy of `tensor` that begins `offset` floats into its allocation.
torch::Tensor CopyAt(const torch::Tensor& tensor, int64_t offset) {
  torch::Tensor copy = torch::empty({tensor.numel() + offset})
                           .narrow(0, offset, tensor.numel())
                           .view(tensor.sizes());
  return copy.copy_(tensor);
}

absl::Status ExpectSameBits(const torch::Tensor& expected,
                            const torch::Tensor& actual,
                            absl::string_view what) {
  if (std::memcmp(expected.const_data_ptr(), actual.const_data_ptr(),
                  expected.nbytes()) == 0) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "GEMM self-test: results depend on ", what, ", by up to ",
      (expected - actual).abs().max().item<float>(),
      "; lends may change the last bits of training (MKL_CBWR=AVX512,STRICT "
      "may help)"));
}

}  // namespace

absl::Status TestGemm(const ExpertShape& shape) {
  const torch::NoGradGuard no_grad;
  const auto pattern = [](at::IntArrayRef sizes) {
    const int64_t numel = c10::multiply_integers(sizes);
    return torch::sin(torch::arange(numel, torch::kFloat)).view(sizes);
  };
  const torch::Tensor x = pattern({kManyRows, shape.hidden});
  const torch::Tensor w = pattern({shape.w1_rows(), shape.hidden});
  const torch::Tensor expected = torch::mm(x, w.t());

  const absl::Status offset =
      ExpectSameBits(expected, torch::mm(CopyAt(x, 1), CopyAt(w, 3).t()),
                     "where in memory a matrix begins");
  if (!offset.ok()) return offset;
  return ExpectSameBits(
      expected.narrow(0, 0, kFewRows),
      torch::mm(x.narrow(0, 0, kFewRows), w.t()),
      absl::StrCat("the number of rows (", kFewRows, " or ", kManyRows, ")"));
}

}  // namespace balancemoe::worker
