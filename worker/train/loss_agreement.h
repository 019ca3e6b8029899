#ifndef BALANCEMOE_WORKER_TRAIN_LOSS_AGREEMENT_H_
#define BALANCEMOE_WORKER_TRAIN_LOSS_AGREEMENT_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace balancemoe::worker {

// How far two runs of one seed agree.
enum class LossAgreement {
  kSameBits,
  // As two runs do that differ only in the order of rows in a batch.
  kUpToRounding,
  kDifferent,
};

// Compares losses step by step. Runs of some hundred steps.
LossAgreement CompareLosses(absl::Span<const float> one,
                            absl::Span<const float> other);

// The largest difference of a step, relative to the loss of `one`; 0 for equal
// runs, infinite for runs of other lengths.
double LargestDifference(absl::Span<const float> one,
                         absl::Span<const float> other);

// What transfers by `policy`, "name" or "name@mode", promise in comparison with
// none: the same bits where only whole experts are lent.
LossAgreement PromisedAgreement(absl::string_view policy);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_LOSS_AGREEMENT_H_
