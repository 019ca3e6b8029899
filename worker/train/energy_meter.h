#ifndef BALANCEMOE_WORKER_TRAIN_ENERGY_METER_H_
#define BALANCEMOE_WORKER_TRAIN_ENERGY_METER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace balancemoe::worker {

// The energy that this machine's processors take, by Intel's RAPL counters
// where the kernel shows them and lets this process read them.
class EnergyMeter {
 public:
  // `powercap` is the kernel's directory of the counters.
  explicit EnergyMeter(const std::string& powercap = "/sys/class/powercap");

  // Joules of all packages since construction; none without a meter. A counter
  // that wraps is followed as long as calls come more often than it wraps,
  // which takes minutes at full load.
  std::optional<double> Joules();

 private:
  struct Package {
    std::string counter_path;
    int64_t last_uj = 0;
    int64_t range_uj = 0;
  };

  std::vector<Package> packages_;
  int64_t used_uj_ = 0;
};

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRAIN_ENERGY_METER_H_
