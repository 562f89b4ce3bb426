#include "server/connection_counts.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <utility>

namespace poe::server {
namespace {

// Empty if the client has gone.
std::string ClientOf(int socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (getpeername(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0)
    return "";
  if (address.ss_family == AF_INET) {
    const in_addr& v4 = reinterpret_cast<const sockaddr_in&>(address).sin_addr;
    return std::string(reinterpret_cast<const char*>(&v4), sizeof v4);
  }
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  return std::string(reinterpret_cast<const char*>(&v6),
                     IN6_IS_ADDR_V4MAPPED(&v6) ? sizeof v6 : sizeof v6 / 2);
}

// Whether the socket that was counted is open. Another thread may close it
// meanwhile, and the number be that of something else.
bool IsStillOpen(int socket, const ConnectionCounts::Connection& connection) {
  struct stat status {};
  return fstat(socket, &status) == 0 && status.st_dev == connection.device &&
         status.st_ino == connection.inode;
}

}  // namespace

std::string ClientAddress(int socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  auto* general = reinterpret_cast<sockaddr*>(&address);
  std::array<char, NI_MAXHOST> host{};
  if (getpeername(socket, general, &length) != 0 ||
      getnameinfo(general, length, host.data(), host.size(), nullptr, 0,
                  NI_NUMERICHOST) != 0) {
    return "";
  }
  return host.data();
}

bool ConnectionCounts::Add(int socket) {
  Remove(socket);
  struct stat status {};
  fstat(socket, &status);
  std::string client = ClientOf(socket);
  int& count = counts_[client];
  if (count >= per_client_) return false;
  ++count;
  connections_.emplace(
      socket, Connection{std::move(client), status.st_dev, status.st_ino});
  return true;
}

void ConnectionCounts::Remove(int socket) {
  const auto connection = connections_.find(socket);
  if (connection == connections_.end()) return;
  const auto count = counts_.find(connection->second.client);
  if (--count->second == 0) counts_.erase(count);
  connections_.erase(connection);
}

void ConnectionCounts::RemoveClosed() {
  for (auto next = connections_.begin(); next != connections_.end();) {
    const auto& [socket, connection] = *next++;
    if (!IsStillOpen(socket, connection)) Remove(socket);
  }
}

}  // namespace poe::server
