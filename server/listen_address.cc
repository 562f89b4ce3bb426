#include "server/listen_address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace poe::server {
namespace {

absl::Status Malformed(absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat("cannot listen on \"", text,
                   "\": must be HOST:PORT with a port from 0 to 65535, as in "
                   "localhost:8500, 0.0.0.0:8500 or [::1]:8500"));
}

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

absl::StatusOr<Addresses> Resolve(const ListenAddress& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(
      address.host.c_str(), absl::StrCat(address.port).c_str(), &hints, &found);
  if (error != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cannot listen on ", ToString(address), ": ", gai_strerror(error)));
  }
  return Addresses(found, freeaddrinfo);
}

bool IsLoopbackAddress(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(address);
    return ntohl(ipv4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
  }
  if (address.sa_family == AF_INET6) {
    const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(address);
    return IN6_IS_ADDR_LOOPBACK(&ipv6.sin6_addr);
  }
  return false;
}

// 0, or the errno of the first call that failed.
int TryToBind(const addrinfo& address) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  // As gRPC does, so that connections that have just been closed do not count.
  const int reuse = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
  const int error =
      bind(fd, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
  close(fd);
  return error;
}

}  // namespace

absl::StatusOr<ListenAddress> ParseListenAddress(absl::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return Malformed(text);
  absl::string_view host = text.substr(0, colon);
  const absl::string_view digits = text.substr(colon + 1);
  if (absl::StartsWith(host, "[") && absl::EndsWith(host, "]")) {
    host = host.substr(1, host.size() - 2);
  } else if (absl::StrContains(host, ':')) {
    return Malformed(text);
  }
  std::uint32_t port = 0;
  if (host.empty() || !absl::SimpleAtoi(digits, &port) || port > 65535) {
    return Malformed(text);
  }
  return ListenAddress{std::string(host), static_cast<std::uint16_t>(port)};
}

std::string ToString(const ListenAddress& address) {
  const bool brackets = absl::StrContains(address.host, ':');
  return absl::StrCat(brackets ? "[" : "", address.host, brackets ? "]" : "",
                      ":", address.port);
}

absl::StatusOr<bool> IsLoopback(const ListenAddress& address) {
  const absl::StatusOr<Addresses> found = Resolve(address);
  if (!found.ok()) return found.status();
  for (const addrinfo* next = found->get(); next != nullptr;
       next = next->ai_next) {
    if (!IsLoopbackAddress(*next->ai_addr)) return false;
  }
  return true;
}

absl::Status CheckAvailable(const ListenAddress& address) {
  const absl::StatusOr<Addresses> found = Resolve(address);
  if (!found.ok()) return found.status();
  int missing_family = 0;
  bool available = false;
  for (const addrinfo* next = found->get(); next != nullptr;
       next = next->ai_next) {
    const int failure = TryToBind(*next);
    if (failure == 0) {
      available = true;
    } else if (failure == EAFNOSUPPORT || failure == EADDRNOTAVAIL) {
      missing_family = failure;
    } else {
      return absl::UnavailableError(absl::StrCat("cannot listen on ",
                                                 ToString(address), ": ",
                                                 std::strerror(failure)));
    }
  }
  if (!available) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ",
                                               ToString(address), ": ",
                                               std::strerror(missing_family)));
  }
  return absl::OkStatus();
}

}  // namespace poe::server
