#include "tests/server/raw_connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstdint>

#include "gtest/gtest.h"

namespace poe::server {
namespace {

// And a SETTINGS frame without settings.
constexpr absl::string_view kHttp2Preface(
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    "\0\0\0\4\0\0\0\0\0",
    24 + 9);

sockaddr_in Ipv4Address(const std::string& host, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  EXPECT_EQ(inet_pton(AF_INET, host.c_str(), &address.sin_addr), 1);
  return address;
}

}  // namespace

RawConnection::RawConnection(int port, const std::string& from)
    : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval patience{.tv_sec = 30, .tv_usec = 0};
  setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience,
             sizeof patience);
  setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience,
             sizeof patience);
  const sockaddr_in own = Ipv4Address(from, 0);
  EXPECT_EQ(
      bind(socket_.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own),
      0);
  const sockaddr_in server = Ipv4Address("127.0.0.1", port);
  EXPECT_EQ(connect(socket_.get(), reinterpret_cast<const sockaddr*>(&server),
                    sizeof server),
            0);
}

void RawConnection::Send(absl::string_view bytes) {
  if (send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0 &&
      failure_ == 0) {
    failure_ = errno;
  }
}

long RawConnection::Receive() {
  char bytes[1024];
  const ssize_t size = recv(socket_.get(), bytes, sizeof bytes, 0);
  if (size < 0 && failure_ == 0) failure_ = errno;
  return size;
}

bool RawConnection::IsAnswered() {
  Send(kHttp2Preface);
  return Receive() > 0;
}

bool RawConnection::IsReset() {
  return !IsAnswered() && (failure_ == ECONNRESET || failure_ == EPIPE);
}

bool RawConnection::IsClosed() {
  while (Receive() > 0) {
  }
  return failure_ != EAGAIN;
}

}  // namespace poe::server
