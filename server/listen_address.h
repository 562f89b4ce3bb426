// HOST:PORT, checked before a server listens there, and listened on.
#ifndef POE_SERVER_LISTEN_ADDRESS_H_
#define POE_SERVER_LISTEN_ADDRESS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/files.h"

namespace poe::server {

struct ListenAddress {
  std::string host;  // without the brackets of an IPv6 address
  std::uint16_t port = 0;
};

// InvalidArgument unless `text` is HOST:PORT, with an IPv6 HOST in brackets.
absl::StatusOr<ListenAddress> ParseListenAddress(absl::string_view text);

// HOST:PORT again.
std::string ToString(const ListenAddress& address);

// Whether only this machine reaches the address: all addresses of the host are
// in 127.0.0.0/8 or ::1. InvalidArgument if the host has no address.
absl::StatusOr<bool> IsLoopback(const ListenAddress& address);

// InvalidArgument if the host has no address, Unavailable with the system's
// reason if any of its addresses cannot be listened on. An address of a family
// that this machine does not have is passed over if the host has another.
absl::Status CheckAvailable(const ListenAddress& address);

// Sockets that listen and do not block, and their port.
struct ListeningSockets {
  std::vector<FileDescriptor> sockets;
  std::uint16_t port = 0;
};

// Listens on all addresses of the host, on one port, a free one if `address`
// has port 0. 0.0.0.0 stands for all addresses of IPv6 too. Errors are those of
// CheckAvailable.
absl::StatusOr<ListeningSockets> ListenOn(const ListenAddress& address);

}  // namespace poe::server

#endif  // POE_SERVER_LISTEN_ADDRESS_H_
