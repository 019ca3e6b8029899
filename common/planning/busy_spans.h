#ifndef BALANCEMOE_COMMON_PLANNING_BUSY_SPANS_H_
#define BALANCEMOE_COMMON_PLANNING_BUSY_SPANS_H_

#include <vector>

namespace balancemoe {

// When any transfer of one worker is under way, in microseconds.
class BusySpans {
 public:
  void Clear() { spans_.clear(); }
  bool empty() const { return spans_.empty(); }

  // Cheap when spans come roughly in the order of time.
  void Add(double begin_us, double end_us);

  // When `work_us` of compute ends that begins at `begin_us` and advances at
  // 1 / `slowdown` of its pace within the spans.
  double Advance(double begin_us, double work_us, double slowdown) const;

  // Busy time before `end_us`.
  double BusyBefore(double end_us) const;

 private:
  struct Span {
    double begin_us = 0;
    double end_us = 0;
  };

  // Apart from each other, rising.
  std::vector<Span> spans_;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_PLANNING_BUSY_SPANS_H_
