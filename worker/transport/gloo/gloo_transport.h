#ifndef BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_TRANSPORT_H_
#define BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_TRANSPORT_H_

#include <string>

#include "worker/transport/transport.h"

namespace balancemoe::worker {

// Where a worker listens. Always named: without either, Gloo takes the address
// of the own host name, which is often one that no other machine reaches.
struct GlooOptions {
  // Host name or address of this machine. The default serves jobs whose workers
  // are all on one machine.
  std::string address = "127.0.0.1";
  // Network interface, such as "eth0"; takes the place of `address` when given.
  std::string interface = "";
};

// Workers that are processes, connected by TCP with Gloo.
//
// The process ignores SIGPIPE from then on, because Gloo writes to sockets
// whose peer may be dead.
//
// Errors of the factory: FailedPrecondition, another library's Gloo is linked
// in front of libgloo; InvalidArgument, no such address or interface, or a
// group that makes no sense; DeadlineExceeded, naming the workers that did not
// come.
TransportFactory GlooFactory(const GlooOptions& options = {});

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_GLOO_GLOO_TRANSPORT_H_
