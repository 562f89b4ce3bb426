// A connection with an HTTP client, in plain text or by TLS.
#ifndef POE_SERVER_HTTP_CONNECTION_H_
#define POE_SERVER_HTTP_CONNECTION_H_

#include <openssl/ssl.h>
#include <sys/types.h>

#include <array>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "httplib.h"
#include "server/credentials.h"
#include "server/steady_time.h"

namespace poe::server {

using TlsContext = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

// What a port needs to speak TLS, with the files as they are now. They are as
// TlsFiles says. InvalidArgument if they are not, or do not fit together.
absl::StatusOr<TlsContext> ReadTlsContext(const TlsFiles& files);

// What httplib reads requests from and writes answers to. Unlike its own
// streams, this one bounds the headers of a request, to 16 KiB with the line
// before them, and the time they take, and knows whether the client has gone. A
// client is given up that keeps the server waiting, over any part of a request,
// for `patience` longer than a second for each KiB that it takes or sends: what
// it was quick with before does not let it trickle later. Used by one thread.
class HttpConnection final : public httplib::Stream {
 public:
  // Takes the socket. `context` is null for plain text.
  HttpConnection(socket_t socket, SSL_CTX* context, absl::Duration patience);
  // Lets the client read what was sent, then closes.
  ~HttpConnection() override;
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // Agrees with the client on TLS, where it is spoken. False if that fails.
  bool Handshake();
  // Waits for a request to begin. False if none does in that time.
  bool AwaitRequest(absl::Duration patience);

  // Bounds hold from BeginHeaders on, until EndHeaders.
  void BeginHeaders();
  void EndHeaders();
  // What kept the last headers from being read.
  bool headers_too_large() const { return headers_too_large_; }
  bool headers_too_slow() const { return headers_too_slow_; }

  // Whether something of the request is still to be read: while its headers are
  // not, and where it has a body. What is left of it must not be taken for
  // another request.
  bool body_unread() const { return body_unread_; }
  void set_body_unread(bool unread) { body_unread_ = unread; }

  // Whether the client has closed its end.
  bool IsGone() const;

  bool is_readable() const override;
  bool is_writable() const override { return !IsGone(); }
  ssize_t read(char* to, std::size_t size) override;
  ssize_t write(const char* from, std::size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return socket_; }

 private:
  enum class Progress { kMade, kNone, kEnded };

  // Waits until the socket is ready for what `result` of OpenSSL or, in plain
  // text, of the system lacked. kNone if it is in vain.
  Progress Await(int result, int plain_events, SteadyTime deadline) const;
  bool AwaitEvents(int events, SteadyTime deadline) const;
  ssize_t Receive(SteadyTime deadline);
  // The client has kept the server waiting since `start`, and then moved so
  // many bytes.
  void Count(SteadyTime start, std::size_t moved_bytes);

  const socket_t socket_;
  const std::unique_ptr<SSL, decltype(&SSL_free)> tls_;
  const absl::Duration patience_;
  std::array<char, 4096> buffer_;
  std::size_t begin_ = 0, end_ = 0;  // of what is read and not yet taken
  // How long to wait for the client now.
  absl::Duration patience_left_;
  bool in_headers_ = false;
  std::size_t header_bytes_ = 0;  // taken of them
  SteadyTime headers_deadline_ = SteadyTime::max();
  bool headers_too_large_ = false;
  bool headers_too_slow_ = false;
  bool body_unread_ = false;
};

}  // namespace poe::server

#endif  // POE_SERVER_HTTP_CONNECTION_H_
