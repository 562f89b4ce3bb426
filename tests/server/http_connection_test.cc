#include "server/http_connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <optional>
#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace poe::server {
namespace {

// A connection in the body of a request, and the socket of its client.
class HttpConnectionTest : public testing::Test {
 protected:
  static constexpr absl::Duration kPatience = absl::Milliseconds(100);

  HttpConnectionTest() {
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends_.data()), 0);
    connection_.emplace(ends_[0], nullptr, kPatience);
    connection_->BeginHeaders();
    connection_->EndHeaders();
    connection_->set_body_unread(false);
  }
  ~HttpConnectionTest() override { close(ends_[1]); }

  HttpConnection& connection() { return *connection_; }
  void Send(const std::string& bytes) {
    EXPECT_EQ(send(ends_[1], bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // Whether a byte came.
  bool Read() {
    char byte;
    return connection_->read(&byte, 1) == 1;
  }
  // That who sends a byte now and then is given up before long.
  void ExpectTricklesEnd() {
    constexpr int kMost = 1000;
    std::atomic<bool> over = false;
    std::thread client([&] {
      while (!over) {
        Send("x");
        absl::SleepFor(kPatience / 5);
      }
    });
    int received = 0;
    while (received < kMost && Read()) ++received;
    over = true;
    client.join();
    EXPECT_LT(received, kMost);
  }

 private:
  std::array<int, 2> ends_;
  std::optional<HttpConnection> connection_;
};

TEST_F(HttpConnectionTest, GivesUpWhoTrickles) { ExpectTricklesEnd(); }

// A second for each KiB, were it kept, would be a minute.
TEST_F(HttpConnectionTest, GivesUpWhoTricklesAfterMuch) {
  constexpr int kBytes = 64 << 10;
  Send(std::string(kBytes, 'x'));
  for (int n = 0; n < kBytes; ++n) ASSERT_TRUE(Read());
  ExpectTricklesEnd();
}

TEST_F(HttpConnectionTest, WaitsAgainForWhoHasSentMore) {
  constexpr int kBytes = 1 << 10;
  for (int n = 0; n < 5; ++n) {
    const absl::Time start = absl::Now();
    EXPECT_FALSE(Read());
    EXPECT_GE(absl::Now() - start, 0.9 * kPatience);
    Send(std::string(kBytes, 'x'));
    for (int i = 0; i < kBytes; ++i) ASSERT_TRUE(Read());
  }
}

TEST_F(HttpConnectionTest, EachRequestHasPatienceOfItsOwn) {
  EXPECT_FALSE(Read());
  connection().BeginHeaders();
  const absl::Time start = absl::Now();
  EXPECT_FALSE(Read());
  EXPECT_GE(absl::Now() - start, 0.9 * kPatience);
  connection().set_body_unread(false);
}

constexpr int kMostHeaderBytes = 16 << 10;

TEST_F(HttpConnectionTest, TakesNoMoreHeadersThanTheBound) {
  connection().BeginHeaders();
  Send(std::string(kMostHeaderBytes + 1, 'x'));
  for (int n = 0; n < kMostHeaderBytes; ++n) ASSERT_TRUE(Read());
  EXPECT_FALSE(connection().headers_too_large());
  EXPECT_FALSE(Read());
  EXPECT_TRUE(connection().headers_too_large());
  connection().set_body_unread(false);
}

TEST_F(HttpConnectionTest, BytesOfABodyAreNoHeaders) {
  connection().BeginHeaders();
  Send(std::string(2 * kMostHeaderBytes, 'x'));
  for (int n = 0; n < kMostHeaderBytes; ++n) ASSERT_TRUE(Read());
  connection().EndHeaders();
  for (int n = 0; n < kMostHeaderBytes; ++n) ASSERT_TRUE(Read());
  EXPECT_FALSE(connection().headers_too_large());
  connection().set_body_unread(false);
}

}  // namespace
}  // namespace poe::server
