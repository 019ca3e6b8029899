#include "worker/train/train_inputs.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/io/trace_reader.h"
#include "common/status_macros.h"

namespace balancemoe::worker {
namespace {

absl::StatusOr<RecordedRoutes> LoadRoutes(const TrainOptions& options,
                                          int32_t workers) {
  absl::StatusOr<Trace> trace = ReadTrace(options.route_from);
  if (!trace.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--route-from: ", trace.status().message()));
  }
  return RecordedRoutes::Create(*std::move(trace), options.route_iterations,
                                {.workers = workers,
                                 .layers = options.layers,
                                 .experts = options.experts,
                                 .top_k = options.top_k});
}

}  // namespace

absl::StatusOr<TrainInputs> LoadTrainInputs(const TrainOptions& options,
                                            int32_t workers) {
  BMOE_ASSIGN_OR_RETURN(TextCorpus corpus,
                        TextCorpus::Load(options.text, options.seq));
  TrainInputs inputs = {.corpus = std::move(corpus)};
  BMOE_ASSIGN_OR_RETURN(inputs.pacing, PacingOf(options));
  if (!options.route_from.empty()) {
    BMOE_ASSIGN_OR_RETURN(inputs.routes, LoadRoutes(options, workers));
  }
  return inputs;
}

}  // namespace balancemoe::worker
