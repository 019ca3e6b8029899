#ifndef BALANCEMOE_TESTS_INTEGRATION_COORDINATOR_METRICS_PAGE_H_
#define BALANCEMOE_TESTS_INTEGRATION_COORDINATOR_METRICS_PAGE_H_

#include <httplib.h>

#include <cstdlib>
#include <string>

namespace balancemoe {

// GETs `path` from a coordinator's HTTP address.
inline httplib::Result GetPage(const std::string& address,
                               const std::string& path) {
  return httplib::Client("http://" + address).Get(path.c_str());
}

// The value of `series`, spelled as /metrics spells it; 0 when it is not there.
inline double MetricValue(const std::string& address,
                          const std::string& series) {
  const httplib::Result page = GetPage(address, "/metrics");
  if (!page) return -1;
  const std::string line = "\n" + series + " ";
  const size_t at = page->body.find(line);
  if (at == std::string::npos) return 0;
  return std::strtod(page->body.c_str() + at + line.size(), nullptr);
}

}  // namespace balancemoe

#endif  // BALANCEMOE_TESTS_INTEGRATION_COORDINATOR_METRICS_PAGE_H_
