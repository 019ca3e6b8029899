#ifndef BALANCEMOE_COORDINATOR_PROCESS_METRICS_H_
#define BALANCEMOE_COORDINATOR_PROCESS_METRICS_H_

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <vector>

namespace balancemoe::coordinator {

// process_* as every Prometheus client library names them, which prometheus-cpp
// does not provide, and balancemoe_build_info. Thread-safe.
class ProcessMetrics final : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_PROCESS_METRICS_H_
