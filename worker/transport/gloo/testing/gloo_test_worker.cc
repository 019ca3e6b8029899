// A worker for tests that kill workers: does what standard input says, one
// command per line, and tells on standard output that it began and how it went.
//
//   gloo_test_worker FOLDER RANK WORLD_SIZE
//     form GENERATION     forms the group, or forms it anew in place
//     barrier
//     gather BYTES        an all-gather whose bytes are checked
//     send PEER BYTES     a transfer, waited for
//     receive PEER BYTES
//   -> "begin", then "OK" or the status

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "worker/transport/gloo/gloo_transport.h"
#include "worker/transport/testing/file_rendezvous.h"

namespace balancemoe::worker {
namespace {

class TestWorker {
 public:
  TestWorker(const std::string& folder, int32_t rank, int32_t world_size)
      : rendezvous_(folder),
        options_{.rank = WorkerRank(rank),
                 .world_size = world_size,
                 .connect_timeout = absl::Seconds(5)} {}

  absl::Status Do(std::istringstream& line) {
    std::string command;
    line >> command;
    if (command == "form") return Form(line);
    if (transport_ == nullptr) return absl::InternalError("no group");
    if (command == "barrier") return transport_->Barrier();
    if (command == "gather") return Gather(line);
    if (command == "send") return Move(Transfer::Direction::kSend, line);
    if (command == "receive") return Move(Transfer::Direction::kReceive, line);
    return absl::InvalidArgumentError(command);
  }

 private:
  absl::Status Form(std::istringstream& line) {
    uint64_t generation = 0;
    line >> generation;
    if (transport_ != nullptr)
      return transport_->Rebuild(Generation(generation));
    options_.generation = Generation(generation);
    auto formed = GlooFactory()(options_, rendezvous_);
    if (formed.ok()) transport_ = *std::move(formed);
    return formed.status();
  }

  absl::Status Gather(std::istringstream& line) {
    size_t bytes = 0;
    line >> bytes;
    const std::vector<std::byte> mine(
        bytes, static_cast<std::byte>(options_.rank.value() + 1));
    std::vector<std::byte> all(bytes * options_.world_size);
    const absl::Status status =
        transport_->AllGather(mine, absl::MakeSpan(all), {});
    for (size_t i = 0; status.ok() && i < all.size(); ++i) {
      if (all[i] != static_cast<std::byte>(i / bytes + 1)) {
        return absl::DataLossError("gathered other bytes than were sent");
      }
    }
    return status;
  }

  absl::Status Move(Transfer::Direction direction, std::istringstream& line) {
    int32_t peer = 0;
    size_t bytes = 0;
    line >> peer >> bytes;
    std::vector<std::byte> buffer(bytes);
    auto batch = transport_->StartTransfers(
        {{direction, WorkerRank(peer), absl::MakeSpan(buffer)}});
    return batch.ok() ? (*batch)->Wait(0, {}) : batch.status();
  }

  FileRendezvous rendezvous_;
  GroupOptions options_;
  std::unique_ptr<Transport> transport_;
};

}  // namespace
}  // namespace balancemoe::worker

int main(int argc, char** argv) {
  if (argc != 4) return EXIT_FAILURE;
  balancemoe::worker::TestWorker worker(argv[1], std::atoi(argv[2]),
                                        std::atoi(argv[3]));
  std::string line;
  while (std::getline(std::cin, line)) {
    std::cout << "begin" << std::endl;
    std::istringstream words(line);
    std::cout << worker.Do(words) << std::endl;
  }
  return EXIT_SUCCESS;
}
