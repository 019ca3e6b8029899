#include "worker/transport/streamed/control_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/status_macros.h"

namespace balancemoe::worker {
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

absl::StatusOr<Addresses> Resolve(const std::string& host,
                                  const std::string& port) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (error == 0) return Addresses(found, &freeaddrinfo);
  return absl::InvalidArgumentError(
      absl::StrCat(host, ": ", gai_strerror(error)));
}

absl::Status SystemError(absl::string_view what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", strerror(errno)));
}

void SetOption(int descriptor, int level, int name, int value) {
  setsockopt(descriptor, level, name, &value, sizeof(value));
}

// Nobody waits for long for a peer that is stopped and does not read.
void LimitSending(int descriptor) {
  const timeval send_timeout = {.tv_sec = 1, .tv_usec = 0};
  setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &send_timeout,
             sizeof(send_timeout));
}

// A dead process closes its connections; a machine that loses its power does
// not, and is found by asking it when it has been silent.
void Configure(int descriptor) {
  SetOption(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, 5);
  SetOption(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, 2);
  SetOption(descriptor, IPPROTO_TCP, TCP_KEEPCNT, 3);
  LimitSending(descriptor);
}

// Waits until `descriptor` can be read; false after `timeout`.
bool WaitReadable(int descriptor, absl::Duration timeout) {
  const SteadyClock clock;
  const absl::Time deadline = clock.Now() + timeout;
  while (true) {
    const absl::Duration left = deadline - clock.Now();
    const int ms = static_cast<int>(absl::ToInt64Milliseconds(
        std::clamp(absl::Ceil(left, absl::Milliseconds(1)),
                   absl::ZeroDuration(), absl::Hours(1))));
    pollfd waiting = {.fd = descriptor, .events = POLLIN, .revents = 0};
    const int ready = poll(&waiting, 1, ms);
    if (ready > 0) return true;
    if (left <= absl::ZeroDuration()) return false;
  }
}

uint16_t PortOf(int descriptor) {
  sockaddr_storage bound = {};
  socklen_t bytes = sizeof(bound);
  getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound), &bytes);
  return ntohs(bound.ss_family == AF_INET6
                   ? reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port
                   : reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
}

}  // namespace

ControlSocket& ControlSocket::operator=(ControlSocket&& other) noexcept {
  Close();
  descriptor_ = std::exchange(other.descriptor_, -1);
  reader_ = std::move(other.reader_);
  return *this;
}

absl::StatusOr<std::pair<ControlSocket, ControlSocket>> ControlSocket::Pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return SystemError("socketpair");
  }
  LimitSending(ends[0]);
  LimitSending(ends[1]);
  return std::pair(ControlSocket(ends[0]), ControlSocket(ends[1]));
}

absl::StatusOr<ControlSocket> ControlSocket::Connect(
    const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat(address, ": wanted HOST:PORT"));
  }
  BMOE_ASSIGN_OR_RETURN(
      const Addresses addresses,
      Resolve(address.substr(0, colon), address.substr(colon + 1)));
  absl::Status why;
  for (const addrinfo* to = addresses.get(); to != nullptr; to = to->ai_next) {
    ControlSocket socket(
        ::socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(socket.descriptor_, to->ai_addr, to->ai_addrlen) == 0) {
      Configure(socket.descriptor_);
      return socket;
    }
    why = SystemError(absl::StrCat("conductor at ", address));
  }
  return why;
}

absl::Status ControlSocket::Send(const ControlMessage& message) {
  const std::string bytes = Encode(message);
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t some = send(descriptor_, bytes.data() + sent,
                              bytes.size() - sent, MSG_NOSIGNAL);
    if (some < 0 && errno == EINTR) continue;
    if (some <= 0) return SystemError("control connection");
    sent += static_cast<size_t>(some);
  }
  return absl::OkStatus();
}

absl::StatusOr<ControlMessage> ControlSocket::Receive(absl::Duration timeout) {
  const SteadyClock clock;
  const absl::Time deadline = clock.Now() + timeout;
  BMOE_ASSIGN_OR_RETURN(auto message, NextRead());
  while (!message.has_value()) {
    if (!WaitReadable(descriptor_, deadline - clock.Now())) {
      return absl::DeadlineExceededError("control connection: nothing came");
    }
    BMOE_ASSIGN_OR_RETURN(message, ReceiveSome());
  }
  return *std::move(message);
}

absl::StatusOr<std::optional<ControlMessage>> ControlSocket::ReceiveSome() {
  char bytes[4096];
  const ssize_t some = recv(descriptor_, bytes, sizeof(bytes), 0);
  if (some < 0 && errno == EINTR) return std::nullopt;
  if (some < 0) return SystemError("control connection");
  if (some == 0) return absl::UnavailableError("control connection: closed");
  reader_.Add(absl::string_view(bytes, static_cast<size_t>(some)));
  return reader_.Next();
}

void ControlSocket::EndSending() { shutdown(descriptor_, SHUT_WR); }

void ControlSocket::Shutdown() { shutdown(descriptor_, SHUT_RDWR); }

void ControlSocket::Close() {
  if (descriptor_ >= 0) close(descriptor_);
  descriptor_ = -1;
}

absl::StatusOr<ControlListener> ControlListener::Listen(
    const std::string& host) {
  BMOE_ASSIGN_OR_RETURN(const Addresses addresses, Resolve(host, "0"));
  for (const addrinfo* at = addresses.get(); at != nullptr; at = at->ai_next) {
    ControlListener listener;
    listener.socket_ =
        ControlSocket(::socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int descriptor = listener.socket_.descriptor();
    if (bind(descriptor, at->ai_addr, at->ai_addrlen) != 0 ||
        listen(descriptor, SOMAXCONN) != 0) {
      continue;
    }
    listener.address_ = absl::StrCat(host, ":", PortOf(descriptor));
    return listener;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      host, ": this machine cannot listen there: ", strerror(errno)));
}

absl::StatusOr<ControlSocket> ControlListener::Accept(absl::Duration timeout) {
  if (!WaitReadable(socket_.descriptor(), timeout)) {
    return absl::DeadlineExceededError(
        absl::StrCat(address_, ": nobody connected"));
  }
  const int descriptor =
      accept4(socket_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC);
  if (descriptor < 0) return SystemError(address_);
  Configure(descriptor);
  return ControlSocket(descriptor);
}

}  // namespace balancemoe::worker
