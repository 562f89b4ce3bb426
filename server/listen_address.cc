#include "server/listen_address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

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

// How many are tried.
constexpr int kMostFreePorts = 16;

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

absl::Status CannotListen(const ListenAddress& address, int failure) {
  return absl::UnavailableError(absl::StrCat(
      "cannot listen on ", ToString(address), ": ", std::strerror(failure)));
}

// 0, or the errno of the first call that failed.
int BindSocket(const sockaddr& address, socklen_t length,
               FileDescriptor& bound) {
  FileDescriptor fd(
      socket(address.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.is_open()) return errno;
  // Connections that have just been closed do not count.
  const int reuse = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
  if (address.sa_family == AF_INET6) {
    // [::] takes connections of IPv4 too, whatever the system's default.
    const int ipv6_only = 0;
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &ipv6_only,
               sizeof ipv6_only);
  }
  if (bind(fd.get(), &address, length) != 0) return errno;
  bound = std::move(fd);
  return 0;
}

// Whether a bind failed because this machine does not have such addresses.
bool IsOfMissingFamily(int failure) {
  return failure == EAFNOSUPPORT || failure == EADDRNOTAVAIL;
}

// Where the port is in an address of either family.
in_port_t& PortIn(sockaddr_storage& address) {
  return address.ss_family == AF_INET
             ? reinterpret_cast<sockaddr_in&>(address).sin_port
             : reinterpret_cast<sockaddr_in6&>(address).sin6_port;
}

// Some hosts files make a name have an address twice.
bool IsRepeated(const addrinfo& one, const addrinfo* first) {
  for (; first != &one; first = first->ai_next) {
    if (first->ai_addrlen == one.ai_addrlen &&
        std::memcmp(first->ai_addr, one.ai_addr, one.ai_addrlen) == 0) {
      return true;
    }
  }
  return false;
}

// 0, or why one of the addresses cannot be listened on. The first takes the
// port of `listening`, the others that of the first.
int ListenOnAll(const addrinfo* addresses, ListeningSockets& listening) {
  int missing_family = 0;
  for (const addrinfo* next = addresses; next != nullptr;
       next = next->ai_next) {
    if (IsRepeated(*next, addresses)) continue;
    sockaddr_storage address{};
    std::memcpy(&address, next->ai_addr, next->ai_addrlen);
    PortIn(address) = htons(listening.port);
    socklen_t length = next->ai_addrlen;
    FileDescriptor bound;
    auto& generic = reinterpret_cast<sockaddr&>(address);
    const int failure = BindSocket(generic, length, bound);
    if (IsOfMissingFamily(failure)) {
      missing_family = failure;
      continue;
    }
    if (failure != 0) return failure;
    if (listen(bound.get(), SOMAXCONN) != 0 ||
        getsockname(bound.get(), &generic, &length) != 0) {
      return errno;
    }
    listening.port = ntohs(PortIn(address));
    listening.sockets.push_back(std::move(bound));
  }
  return listening.sockets.empty() ? missing_family : 0;
}

bool IsAnyIpv4(const sockaddr& address) {
  return address.sa_family == AF_INET &&
         reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr ==
             htonl(INADDR_ANY);
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
    FileDescriptor bound;
    const int failure = BindSocket(*next->ai_addr, next->ai_addrlen, bound);
    if (failure == 0) {
      available = true;
    } else if (IsOfMissingFamily(failure)) {
      missing_family = failure;
    } else {
      return CannotListen(address, failure);
    }
  }
  return available ? absl::OkStatus() : CannotListen(address, missing_family);
}

absl::StatusOr<ListeningSockets> ListenOn(const ListenAddress& address) {
  const absl::StatusOr<Addresses> found = Resolve(address);
  if (!found.ok()) return found.status();
  if (IsAnyIpv4(*(*found)->ai_addr)) {
    absl::StatusOr<ListeningSockets> both = ListenOn({"::", address.port});
    if (both.ok()) return both;
  }
  for (int attempt = 1;; ++attempt) {
    ListeningSockets listening{.sockets = {}, .port = address.port};
    const int failure = ListenOnAll(found->get(), listening);
    if (failure == 0) return listening;
    // A port that is free on one address may be taken on another.
    const bool goes_on =
        address.port == 0 && failure == EADDRINUSE && attempt < kMostFreePorts;
    if (!goes_on) return CannotListen(address, failure);
  }
}

}  // namespace poe::server
