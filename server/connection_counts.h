// How many connections each client has.
#ifndef POE_SERVER_CONNECTION_COUNTS_H_
#define POE_SERVER_CONNECTION_COUNTS_H_

#include <sys/types.h>

#include <cstddef>
#include <map>
#include <string>

namespace poe::server {

// The address of a socket's client, as people write it; empty if it has gone.
std::string ClientAddress(int socket);

// Counts connections by client: an IPv4 address, or an IPv6 network of 64 bits.
// A connection is known by its socket, from Add until Remove or, where somebody
// else closes it, until RemoveClosed. Thread-compatible.
class ConnectionCounts {
 public:
  struct Connection {
    std::string client;  // as many bytes of the address as one client has
    // What tells the socket from later ones of the same number.
    dev_t device;
    ino_t inode;
  };

  // `per_client` >= 1.
  explicit ConnectionCounts(int per_client) : per_client_(per_client) {}

  // Counts a connection that has just been accepted. False if its client has as
  // many as one may have: then it does not count.
  bool Add(int socket);
  // Nothing if the socket does not count.
  void Remove(int socket);
  // Looks at each whether it is still open, a system call for each.
  void RemoveClosed();

  // By socket.
  const std::map<int, Connection>& connections() const { return connections_; }
  bool empty() const { return connections_.empty(); }
  std::size_t size() const { return connections_.size(); }

 private:
  const int per_client_;
  std::map<int, Connection> connections_;
  // Of clients that have any.
  std::map<std::string, int> counts_;
};

}  // namespace poe::server

#endif  // POE_SERVER_CONNECTION_COUNTS_H_
