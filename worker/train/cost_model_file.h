#ifndef BALANCEMOE_WORKER_TRAIN_COST_MODEL_FILE_H_
#define BALANCEMOE_WORKER_TRAIN_COST_MODEL_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "common/planning/cost_model.h"

namespace balancemoe::worker {

// Reads a cost model from a YAML file of `key: number` lines, see
// docs/training.md. Keys that are not there keep the defaults of CostModel;
// us_per_token must be there. The sizes stay 0: the model that is trained has
// them.
//
// Errors: InvalidArgument as "FILE:LINE: what is wrong", with the key.
absl::StatusOr<CostModel> ReadCostModelFile(const std::string& path);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_COST_MODEL_FILE_H_
