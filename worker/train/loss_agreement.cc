#include "worker/train/loss_agreement.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "common/planning/policy.h"

namespace balancemoe::worker {
namespace {

// Rounding errors grow from step to step, and a token that is routed another
// way for it shows in the loss; wrong gradients show much more.
constexpr double kRounding = 1e-3;

}  // namespace

LossAgreement CompareLosses(absl::Span<const float> one,
                            absl::Span<const float> other) {
  if (one.size() == other.size() &&
      std::memcmp(one.data(), other.data(), one.size() * sizeof(float)) == 0) {
    return LossAgreement::kSameBits;
  }
  return LargestDifference(one, other) <= kRounding
             ? LossAgreement::kUpToRounding
             : LossAgreement::kDifferent;
}

double LargestDifference(absl::Span<const float> one,
                         absl::Span<const float> other) {
  if (one.size() != other.size()) {
    return std::numeric_limits<double>::infinity();
  }
  double largest = 0;
  for (size_t i = 0; i < one.size(); ++i) {
    if (one[i] == other[i]) continue;
    const double relative =
        std::abs((static_cast<double>(one[i]) - static_cast<double>(other[i])) /
                 static_cast<double>(one[i]));
    // What is not a number is as far off as can be.
    if (std::isnan(relative)) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, relative);
  }
  return largest;
}

LossAgreement PromisedAgreement(absl::string_view policy) {
  const auto choice = ParsePolicyChoice(policy);
  return choice.ok() && !TraitsOf(choice->name).whole_experts
             ? LossAgreement::kUpToRounding
             : LossAgreement::kSameBits;
}

}  // namespace balancemoe::worker
