#ifndef BALANCEMOE_WORKER_TRAIN_TRAIN_INPUTS_H_
#define BALANCEMOE_WORKER_TRAIN_TRAIN_INPUTS_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "worker/train/pacing.h"
#include "worker/train/recorded_routes.h"
#include "worker/train/text_corpus.h"
#include "worker/train/train_options.h"

namespace balancemoe::worker {

// What the files that the options name hold.
struct TrainInputs {
  TextCorpus corpus;
  // None without --pace, without --route-from.
  std::optional<Pacing> pacing = {};
  std::optional<RecordedRoutes> routes = {};
};

// Reads it for a group of `workers`.
//
// Errors: those of TextCorpus::Load and PacingOf; InvalidArgument for a trace
// that cannot be read or does not fit.
absl::StatusOr<TrainInputs> LoadTrainInputs(const TrainOptions& options,
                                            int32_t workers);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_TRAIN_INPUTS_H_
