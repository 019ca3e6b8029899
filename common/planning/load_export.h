#ifndef BALANCEMOE_COMMON_PLANNING_LOAD_EXPORT_H_
#define BALANCEMOE_COMMON_PLANNING_LOAD_EXPORT_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "common/planning/layer_loads.h"
#include "common/planning/plan.h"

namespace balancemoe {

// Proposes where to copy experts so that no worker computes much more than a
// threshold: the busiest export their largest experts to whoever has most room.
// Keeps scratch memory between calls: not thread-safe.
class LoadExporter {
 public:
  struct Start {
    // Copies that there are, rising, with the tokens that each computes.
    absl::Span<const Replica> replicas = {};
    absl::Span<const int64_t> tokens = {};
    // [W]: how many more experts each worker can borrow.
    absl::Span<const int32_t> free_slots = {};
  };

  // `loads` must outlive this.
  explicit LoadExporter(const LayerLoads& loads) : loads_(loads) {}

  // Fills `added`, rising, with new copies; those of `start` are left alone.
  // Receivers on the exporter's own node come first if `near_first`.
  void Export(const Start& start, int64_t threshold, bool near_first,
              std::vector<Replica>& added);

 private:
  struct Part {
    int64_t tokens = 0;
    ExpertId expert;
  };

  // One more worker with a copy of an expert.
  struct Held {
    WorkerRank worker;
    // Of the same expert, the one before.
    size_t next = 0;
  };

  void SortParts();
  void SumLoads(const Start& start);
  void Hold(ExpertId expert, WorkerRank worker);
  size_t FindReceiver(size_t exporter, ExpertId expert, int64_t threshold,
                      bool near_first);
  void ExportFrom(size_t worker, int64_t threshold, bool near_first,
                  std::vector<Replica>& added);
  bool Holds(size_t worker, ExpertId expert) const;

  const LayerLoads& loads_;
  // Experts by home, most tokens first; sorted when first asked for.
  std::vector<Part> parts_;
  std::vector<size_t> first_part_;
  std::vector<int64_t> load_;
  std::vector<int32_t> slots_;
  // [E]: tokens that home computes.
  std::vector<int64_t> at_home_;
  std::vector<Held> held_;
  // [E], into these.
  std::vector<size_t> last_held_;
  std::vector<size_t> order_;
  // Workers that may still take something, by rank. Their loads only rise.
  std::vector<size_t> receivers_;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_LOAD_EXPORT_H_
