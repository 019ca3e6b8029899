#ifndef BALANCEMOE_COORDINATOR_ADMIN_HTTP_SERVER_H_
#define BALANCEMOE_COORDINATOR_ADMIN_HTTP_SERVER_H_

#include <prometheus/collectable.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/listen_address.h"

namespace httplib {
class Server;
}

namespace balancemoe::coordinator {

// What operators and probes read over plain HTTP: /metrics, /livez, /readyz,
// /configz, and a status page at / and /statusz.
//
// Thread-safe. The destructor stops it and joins its threads.
class AdminHttpServer {
 public:
  // Called from the server's threads; must not block.
  struct Pages {
    // Why the coordinator is not ready; empty when it is.
    std::function<std::vector<std::string>()> not_ready;
    // YAML.
    std::string config;
    // Rows of the status page: name and value.
    std::function<std::vector<std::pair<std::string, std::string>>()> status;
  };

  // `metrics` must outlive the server.
  //
  // Errors: Unavailable when the port cannot be taken; names it and says why.
  static absl::StatusOr<std::unique_ptr<AdminHttpServer>> Start(
      const ListenAddress& address,
      std::vector<const prometheus::Collectable*> metrics, Pages pages);

  ~AdminHttpServer();

  // Where it listens, with the port that was taken.
  const ListenAddress& address() const { return address_; }

 private:
  AdminHttpServer(std::vector<const prometheus::Collectable*> metrics,
                  Pages pages);
  void AddPages();
  std::string MetricsPage() const;
  std::string StatusPage() const;

  const std::vector<const prometheus::Collectable*> metrics_;
  const Pages pages_;
  ListenAddress address_;
  const std::unique_ptr<httplib::Server> server_;
  std::thread thread_;
};

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_ADMIN_HTTP_SERVER_H_
