#include "server/connection_counts.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <list>
#include <string>

#include "gtest/gtest.h"
#include "server/files.h"
#include "server/listen_address.h"
#include "tests/server/raw_connection.h"

namespace poe::server {
namespace {

class ConnectionCountsTest : public ::testing::Test {
 protected:
  void Listen(const std::string& host) {
    auto listening = ListenOn({host, 0});
    ASSERT_TRUE(listening.ok()) << listening.status();
    listening_ = *std::move(listening);
  }

  // The server's end of a connection from that address.
  FileDescriptor Accept(const std::string& from) {
    clients_.emplace_back(listening_.port, from);
    const int socket = listening_.sockets.front().get();
    pollfd ready{.fd = socket, .events = POLLIN, .revents = 0};
    EXPECT_EQ(poll(&ready, 1, 30'000), 1);
    FileDescriptor accepted(accept(socket, nullptr, nullptr));
    EXPECT_TRUE(accepted.is_open());
    return accepted;
  }

 private:
  ListeningSockets listening_;
  std::list<RawConnection> clients_;
};

TEST_F(ConnectionCountsTest, AClientHasAnAddressForPeople) {
  Listen("127.0.0.1");
  const FileDescriptor accepted = Accept("127.0.0.2");
  EXPECT_EQ(ClientAddress(accepted.get()), "127.0.0.2");
  EXPECT_EQ(ClientAddress(-1), "");
}

TEST_F(ConnectionCountsTest, EachAddressMayHaveSoMany) {
  // Where there are such sockets, they see addresses of IPv4 as ones of IPv6.
  for (const char* host : {"127.0.0.1", "0.0.0.0"}) {
    Listen(host);
    const FileDescriptor first = Accept("127.0.0.1"),
                         second = Accept("127.0.0.1"),
                         third = Accept("127.0.0.1"),
                         other = Accept("127.0.0.2");
    ConnectionCounts counts(2);
    EXPECT_TRUE(counts.empty());
    EXPECT_TRUE(counts.Add(first.get()));
    EXPECT_TRUE(counts.Add(second.get()));
    EXPECT_FALSE(counts.Add(third.get()));
    EXPECT_TRUE(counts.Add(other.get()));
    EXPECT_EQ(counts.size(), 3);
    EXPECT_EQ(counts.connections().count(third.get()), 0);
    counts.Remove(third.get());
    EXPECT_EQ(counts.size(), 3);
    counts.Remove(first.get());
    EXPECT_TRUE(counts.Add(third.get()));
    EXPECT_FALSE(counts.Add(first.get()));
  }
}

TEST_F(ConnectionCountsTest, ThoseThatOthersHaveClosedAreForgotten) {
  Listen("127.0.0.1");
  FileDescriptor open = Accept("127.0.0.1");
  FileDescriptor closed = Accept("127.0.0.1"), reused = Accept("127.0.0.1");
  ConnectionCounts counts(3);
  for (const FileDescriptor* socket : {&open, &closed, &reused}) {
    EXPECT_TRUE(counts.Add(socket->get()));
  }
  counts.RemoveClosed();
  EXPECT_EQ(counts.size(), 3);
  close(closed.Release());
  const FileDescriptor null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(dup2(null.get(), reused.get()), reused.get());
  counts.RemoveClosed();
  EXPECT_EQ(counts.size(), 1);
  EXPECT_EQ(counts.connections().count(open.get()), 1);
}

TEST_F(ConnectionCountsTest, AConnectionWithTheNumberOfAClosedOneCountsOnce) {
  Listen("127.0.0.1");
  const FileDescriptor first = Accept("127.0.0.1"), next = Accept("127.0.0.1");
  ConnectionCounts counts(1);
  EXPECT_TRUE(counts.Add(first.get()));
  EXPECT_FALSE(counts.Add(next.get()));
  ASSERT_EQ(dup2(next.get(), first.get()), first.get());
  EXPECT_TRUE(counts.Add(first.get()));
  EXPECT_EQ(counts.size(), 1);
  counts.RemoveClosed();
  EXPECT_EQ(counts.size(), 1);
}

}  // namespace
}  // namespace poe::server
