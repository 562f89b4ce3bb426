#include "server/listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/files.h"
#include "tests/server/raw_connection.h"

namespace poe::server {
namespace {

using ::testing::HasSubstr;

int Ipv4PortOf(const FileDescriptor& socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  EXPECT_EQ(
      getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length),
      0);
  // Addresses of both families have their port in the same place.
  static_assert(offsetof(sockaddr_in, sin_port) ==
                offsetof(sockaddr_in6, sin6_port));
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

bool TakesIpv6(int port) {
  const FileDescriptor client(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(static_cast<std::uint16_t>(port));
  address.sin6_addr = in6addr_loopback;
  return connect(client.get(), reinterpret_cast<const sockaddr*>(&address),
                 sizeof address) == 0;
}

TEST(ListenOnTest, AllAddressesOfAHostHaveOnePort) {
  for (int i = 0; i < 20; ++i) {
    const auto listening = ListenOn({"localhost", 0});
    ASSERT_TRUE(listening.ok()) << listening.status();
    EXPECT_GT(listening->port, 0);
    std::set<int> ports;
    for (const FileDescriptor& socket : listening->sockets) {
      ports.insert(Ipv4PortOf(socket));
    }
    EXPECT_EQ(ports, std::set<int>{listening->port});
  }
}

TEST(ListenOnTest, AllAddressesAreThoseOfBothFamilies) {
  const auto ipv6 = ListenOn({"::1", 0});
  const auto listening = ListenOn({"0.0.0.0", 0});
  ASSERT_TRUE(listening.ok()) << listening.status();
  // Fails where nothing listens.
  const RawConnection ipv4(listening->port);
  EXPECT_EQ(TakesIpv6(listening->port), ipv6.ok());
}

TEST(ListenOnTest, APortInUseIsRefused) {
  for (const char* host : {"127.0.0.1", "0.0.0.0"}) {
    const auto first = ListenOn({host, 0});
    ASSERT_TRUE(first.ok()) << first.status();
    const ListenAddress taken{"127.0.0.1", first->port};
    const absl::Status second = ListenOn(taken).status();
    EXPECT_EQ(second.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(
        std::string(second.message()),
        HasSubstr(absl::StrCat(ToString(taken), ": Address already in use")));
  }
}

TEST(ListenOnTest, AHostWithoutAddressIsRefused) {
  EXPECT_EQ(ListenOn({"no such host", 0}).status().code(),
            absl::StatusCode::kInvalidArgument);
  // Of a network for documentation, which no machine has.
  EXPECT_EQ(ListenOn({"192.0.2.1", 0}).status().code(),
            absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace poe::server
