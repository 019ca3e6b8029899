#include "coordinator/listen_address.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace balancemoe::coordinator {

std::string ListenAddress::ToString() const {
  const bool is_ipv6 = absl::StrContains(host, ':');
  return absl::StrCat(is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", ":", port);
}

bool ListenAddress::is_loopback() const {
  return host == "localhost" || host == "::1" || absl::StartsWith(host, "127.");
}

absl::StatusOr<ListenAddress> ParseListenAddress(absl::string_view text) {
  ListenAddress address;
  const size_t colon = text.rfind(':');
  if (colon != absl::string_view::npos) {
    absl::string_view host = text.substr(0, colon);
    const bool bracketed =
        absl::ConsumePrefix(&host, "[") && absl::ConsumeSuffix(&host, "]");
    address.host = std::string(host);
    const bool plain = !absl::StrContains(host, ':');
    if (!host.empty() && (bracketed || plain) &&
        absl::SimpleAtoi(text.substr(colon + 1), &address.port) &&
        address.port >= 0 && address.port <= 65535) {
      return address;
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "'", text,
      "' is no address; write HOST:PORT, such as 127.0.0.1:7070, "
      "[::1]:7070 or 0.0.0.0:7070; port 0 takes any that is free"));
}

absl::Status ProbeListen(const ListenAddress& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int resolved = getaddrinfo(
      address.host.c_str(), absl::StrCat(address.port).c_str(), &hints, &found);
  if (resolved != 0) return absl::NotFoundError(gai_strerror(resolved));
  const int fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  const bool bound = fd >= 0 &&
                     bind(fd, found->ai_addr, found->ai_addrlen) == 0 &&
                     listen(fd, 1) == 0;
  const int error = errno;
  freeaddrinfo(found);
  if (fd >= 0) close(fd);
  if (bound) return absl::OkStatus();
  return absl::UnavailableError(
      std::error_code(error, std::generic_category()).message());
}

}  // namespace balancemoe::coordinator
