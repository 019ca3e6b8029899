#include "worker/train/energy_meter.h"

#include <filesystem>
#include <fstream>
#include <system_error>

namespace balancemoe::worker {
namespace {

// Negative where there is no number to read.
int64_t ReadNumber(const std::string& path) {
  std::ifstream file(path);
  int64_t number = -1;
  return file >> number ? number : -1;
}

}  // namespace

EnergyMeter::EnergyMeter(const std::string& powercap) {
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(powercap, error)) {
    const std::string name = entry.path().filename().string();
    // Packages are "intel-rapl:0"; their parts, counted in them, have one colon
    // more.
    if (name.rfind("intel-rapl:", 0) != 0 ||
        name.find(':') != name.rfind(':')) {
      continue;
    }
    Package package;
    package.counter_path = (entry.path() / "energy_uj").string();
    package.last_uj = ReadNumber(package.counter_path);
    package.range_uj =
        ReadNumber((entry.path() / "max_energy_range_uj").string());
    if (package.last_uj >= 0) packages_.push_back(package);
  }
}

std::optional<double> EnergyMeter::Joules() {
  if (packages_.empty()) return std::nullopt;
  for (Package& package : packages_) {
    const int64_t now_uj = ReadNumber(package.counter_path);
    if (now_uj < 0) return std::nullopt;
    used_uj_ += now_uj - package.last_uj;
    if (now_uj < package.last_uj) used_uj_ += package.range_uj;
    package.last_uj = now_uj;
  }
  return static_cast<double>(used_uj_) / 1e6;
}

}  // namespace balancemoe::worker
