#ifndef BALANCEMOE_COMMON_PLANNING_QUOTA_SPLIT_H_
#define BALANCEMOE_COMMON_PLANNING_QUOTA_SPLIT_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "common/planning/layer_loads.h"
#include "common/planning/plan.h"

namespace balancemoe {

// Divides the tokens of experts that several workers hold, so that the busiest
// worker has as few as can be (within 0.1 % or one token), and under that peak
// as many tokens as possible are computed where, or on the node where, they
// come from. Equal input gives equal quotas on every worker.
//
// Keeps scratch memory between calls: not thread-safe.
class QuotaSplitter {
 public:
  // `replicas` must be rising and hold no home. Fills `tokens`, one per
  // replica: how many of the expert's tokens it computes; home computes the
  // rest.
  void Split(const LayerLoads& loads, absl::Span<const Replica> replicas,
             std::vector<int64_t>& tokens);

  // The busiest worker's tokens under the last split.
  int64_t peak() const;

 private:
  // An expert with replicas. Its holders, home first, stand together.
  struct Group {
    ExpertId expert;
    size_t begin = 0;
    size_t end = 0;
    int64_t tokens = 0;
  };
  struct Holder {
    size_t worker = 0;
    size_t group = 0;
    int64_t quota = 0;
    // Tokens that come from this worker itself.
    int64_t own = 0;
  };

  // The holders of a group on one node.
  struct NodePart {
    int32_t node = 0;
    // Tokens that come from the holders themselves.
    int64_t own = 0;
    size_t least_loaded = 0;
  };

  void Collect(const LayerLoads& loads, absl::Span<const Replica> replicas);
  void IndexHolders();
  void BalanceGroup(const Group& group);
  void Balance();
  bool Improve(size_t from, int64_t limit, bool evenly);
  void LowerPeak();
  void PreferOwn(const LayerLoads& loads);
  void FillWithin(const LayerLoads& loads, const Group& group);
  void ShedExcess(int64_t limit);
  void ShedDirectly(size_t worker, int64_t limit, bool own);
  void DropCrumbs(int64_t limit);
  size_t MostRounds() const;
  size_t LessLoaded(size_t a, size_t b) const;
  void Give(size_t holder, int64_t tokens);

  std::vector<Group> groups_;
  std::vector<Holder> holders_;
  // [W]
  std::vector<int64_t> load_;
  std::vector<int64_t> base_;
  // Holders by worker: those of worker w at first_of_worker_[w] and on.
  std::vector<size_t> by_worker_;
  std::vector<size_t> first_of_worker_;
  // Breadth-first search: the holder that gives, and the one that takes, by
  // which a worker was reached, in the search of that number.
  struct Reached {
    size_t giver = 0;
    size_t taker = 0;
    int64_t search = 0;
  };
  std::vector<Reached> reached_by_;
  int64_t search_ = 0;
  std::vector<size_t> queue_;
  // [groups]: the search that last reached all holders.
  std::vector<int64_t> expanded_;
  // The holders of a group by load, which stands first.
  std::vector<std::pair<int64_t, size_t>> order_;
  std::vector<NodePart> parts_;
  // [N], into the parts.
  std::vector<size_t> part_of_node_;
  std::vector<int64_t> balanced_;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_QUOTA_SPLIT_H_
