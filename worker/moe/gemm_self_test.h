#ifndef BALANCEMOE_WORKER_MOE_GEMM_SELF_TEST_H_
#define BALANCEMOE_WORKER_MOE_GEMM_SELF_TEST_H_

#include "absl/status/status.h"
#include "worker/expert/expert_slab.h"

namespace balancemoe::worker {

// Checks what bit-identical training stands on: that a GEMM of an expert gives
// a row the same bits wherever in memory it lies, and however many rows lie
// beside it. Takes milliseconds.
//
// Errors: FailedPrecondition, saying which of the two does not hold and by how
// much; training works, but lends may change its last bits.
absl::Status TestGemm(const ExpertShape& shape);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_MOE_GEMM_SELF_TEST_H_
