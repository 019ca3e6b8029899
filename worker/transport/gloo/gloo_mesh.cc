#include "worker/transport/gloo/gloo_mesh.h"

#include <gloo/transport/address.h>
#include <gloo/transport/pair.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/clock.h"
#include "common/status_macros.h"

namespace balancemoe::worker {
namespace {

std::string KeyOf(int32_t rank) { return absl::StrCat("gloo/", rank); }

// Where rank `other` finds its pair in the addresses that `rank` put: a rank
// has none for itself.
size_t PlaceOf(int32_t rank, int32_t other) {
  return static_cast<size_t>(other < rank ? other : other - 1);
}

// The addresses at which this rank waits for each other rank, by purpose, then
// by rank, all equally long.
std::string ListenForAll(const GlooMesh& mesh, const GroupOptions& group) {
  std::string addresses;
  for (const auto& context : mesh) {
    for (int32_t peer = 0; peer < group.world_size; ++peer) {
      if (peer == group.rank.value()) continue;
      const std::vector<char> address =
          context->createPair(peer)->address().bytes();
      addresses.append(address.begin(), address.end());
    }
  }
  return addresses;
}

// Fetches what each rank put. A late rank is waited for, until the deadline.
class AddressBook {
 public:
  AddressBook(const GroupOptions& group, Generation generation,
              Rendezvous& rendezvous)
      : group_(group),
        generation_(generation),
        rendezvous_(rendezvous),
        deadline_(clock_.Now() + group.connect_timeout) {}

  absl::StatusOr<std::string> AddressesOf(int32_t rank) {
    auto addresses = rendezvous_.Get(generation_, KeyOf(rank), left());
    if (!absl::IsDeadlineExceeded(addresses.status())) return addresses;
    std::vector<int32_t> missing = {rank};
    for (int32_t other = rank + 1; other < group_.world_size; ++other) {
      if (other == group_.rank.value()) continue;
      if (!rendezvous_.Get(generation_, KeyOf(other), absl::ZeroDuration())
               .ok()) {
        missing.push_back(other);
      }
    }
    return absl::DeadlineExceededError(
        absl::StrCat("generation ", generation_.value(), ": workers ",
                     absl::StrJoin(missing, ", "), " did not come within ",
                     absl::FormatDuration(group_.connect_timeout)));
  }

  absl::Duration left() const {
    return std::max(deadline_ - clock_.Now(), absl::ZeroDuration());
  }

 private:
  const GroupOptions& group_;
  const Generation generation_;
  Rendezvous& rendezvous_;
  const SteadyClock clock_;
  const absl::Time deadline_;
};

absl::Status ConnectTo(int32_t peer, const std::string& addresses,
                       const GroupOptions& group, const AddressBook& book,
                       GlooMesh& mesh) {
  const size_t peers = static_cast<size_t>(group.world_size) - 1;
  const size_t address_bytes = addresses.size() / (peers * kGlooPurposes);
  for (size_t purpose = 0; purpose < mesh.size(); ++purpose) {
    const size_t place = purpose * peers + PlaceOf(peer, group.rank.value());
    const char* const address = addresses.data() + place * address_bytes;
    try {
      mesh[purpose]->getPair(peer)->connect(
          std::vector<char>(address, address + address_bytes));
    } catch (const std::exception& error) {
      const std::string message =
          absl::StrCat("worker ", peer,
                       " put its address but did not connect: ", error.what());
      if (book.left() > absl::ZeroDuration()) {
        return absl::UnavailableError(message);
      }
      return absl::DeadlineExceededError(message);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<GlooMesh> ConnectGlooMesh(
    const GroupOptions& group, Generation generation,
    const std::shared_ptr<gloo::transport::Device>& device,
    Rendezvous& rendezvous) {
  GlooMesh mesh;
  std::string addresses;
  try {
    for (auto& context : mesh) {
      context = device->createContext(group.rank.value(), group.world_size);
      // A pair waits five times its time-out for the other side to connect.
      context->setTimeout(
          std::max(std::chrono::milliseconds(1),
                   absl::ToChronoMilliseconds(group.connect_timeout / 5)));
    }
    addresses = ListenForAll(mesh, group);
  } catch (const std::exception& error) {
    return absl::UnavailableError(
        absl::StrCat("Gloo: cannot listen: ", error.what()));
  }
  if (group.world_size == 1) return mesh;
  BMOE_RETURN_IF_ERROR(rendezvous.Put(generation, KeyOf(group.rank.value()),
                                      std::move(addresses)));
  AddressBook book(group, generation, rendezvous);
  // All addresses first: a missing rank is then found before anybody waits for
  // a connection that cannot come.
  std::vector<std::string> addresses_of(static_cast<size_t>(group.world_size));
  for (int32_t peer = 0; peer < group.world_size; ++peer) {
    if (peer == group.rank.value()) continue;
    BMOE_ASSIGN_OR_RETURN(addresses_of[static_cast<size_t>(peer)],
                          book.AddressesOf(peer));
  }
  for (int32_t peer = 0; peer < group.world_size; ++peer) {
    if (peer == group.rank.value()) continue;
    BMOE_RETURN_IF_ERROR(ConnectTo(
        peer, addresses_of[static_cast<size_t>(peer)], group, book, mesh));
  }
  return mesh;
}

}  // namespace balancemoe::worker
