#ifndef BALANCEMOE_WORKER_TRANSPORT_TESTING_REMOTE_WORKER_H_
#define BALANCEMOE_WORKER_TRANSPORT_TESTING_REMOTE_WORKER_H_

#include <cstddef>
#include <memory>

#include "absl/types/span.h"
#include "worker/transport/transport.h"

namespace balancemoe::worker {

// Where a remote worker keeps the bytes that it hands to its transport.
// Thread-safe.
class RemoteMemory {
 public:
  virtual ~RemoteMemory() = default;

  // Memory with room for `bytes`, filled with `content` as far as that goes.
  virtual std::byte* Take(size_t bytes,
                          absl::Span<const std::byte> content) = 0;
  virtual void Give(std::byte* memory) = 0;
  // Blocks until they are there.
  virtual void Read(absl::Span<std::byte> to, const std::byte* memory) = 0;

  // What collectives and waits are ordered on. Take and Read are, too.
  virtual ComputeStream stream() const = 0;
};

// The host's memory, without a stream.
std::unique_ptr<RemoteMemory> HostRemoteMemory();

// Serves the RemoteTransport at the other end of `descriptor`, one after the
// other, until it is closed.
void ServeRemoteTransport(int descriptor, TransportFactory factory,
                          RemoteMemory& memory);

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_TESTING_REMOTE_WORKER_H_
