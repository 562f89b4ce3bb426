#include "server/http_connection.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "server/errors.h"

namespace poe::server {
namespace {

constexpr double kLeastBytesPerSecond = 1024;
constexpr std::size_t kMostHeaders = 16 << 10;
constexpr absl::Duration kMostHeaderTime = absl::Seconds(10);
constexpr absl::Duration kMostHandshakeTime = absl::Seconds(10);
// How long a client whose request was not read may go on sending it before it
// reads the answer.
constexpr absl::Duration kMostLinger = absl::Seconds(2);

void NumericAddress(const sockaddr_storage& address, socklen_t length,
                    std::string& ip, int& port) {
  std::array<char, NI_MAXHOST> host;
  std::array<char, NI_MAXSERV> service;
  if (getnameinfo(reinterpret_cast<const sockaddr*>(&address), length,
                  host.data(), host.size(), service.data(), service.size(),
                  NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
    ip = host.data();
    port = std::atoi(service.data());
  }
}

// Never asks at the terminal.
int NoTlsPassword(char*, int, int, void*) { return 0; }

int ToInt(std::size_t size) {
  return static_cast<int>(
      std::min<std::size_t>(size, std::numeric_limits<int>::max()));
}

}  // namespace

absl::StatusOr<TlsContext> ReadTlsContext(const TlsFiles& files) {
  TlsContext context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (context == nullptr) {
    return Error(absl::StatusCode::kInternal, "NO_TLS",
                 "OpenSSL makes no context");
  }
  SSL_CTX_set_default_passwd_cb(context.get(), NoTlsPassword);
  // The context is for one connection: there is nothing to resume.
  SSL_CTX_set_num_tickets(context.get(), 0);
  bool good =
      SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) == 1 &&
      SSL_CTX_use_certificate_chain_file(context.get(),
                                         files.certificate.c_str()) == 1 &&
      SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(),
                                  SSL_FILETYPE_PEM) == 1 &&
      SSL_CTX_check_private_key(context.get()) == 1;
  if (good && !files.client_ca.empty()) {
    good = SSL_CTX_load_verify_locations(context.get(), files.client_ca.c_str(),
                                         nullptr) == 1;
    SSL_CTX_set_client_CA_list(
        context.get(), SSL_load_client_CA_file(files.client_ca.c_str()));
    SSL_CTX_set_verify(context.get(),
                       SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       nullptr);
  }
  ERR_clear_error();
  if (good) return context;
  return Error(absl::StatusCode::kInvalidArgument, "BAD_TLS_FILES",
               "certificate, key and certificates of clients do not fit "
               "together or are no PEM");
}

HttpConnection::HttpConnection(socket_t socket, SSL_CTX* context,
                               absl::Duration patience)
    : socket_(socket),
      tls_(context == nullptr ? nullptr : SSL_new(context), SSL_free),
      patience_(patience),
      patience_left_(patience) {
  fcntl(socket_, F_SETFL, fcntl(socket_, F_GETFL, 0) | O_NONBLOCK);
  // Headers and body of an answer are written one after the other.
  const int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (tls_ != nullptr) SSL_set_fd(tls_.get(), socket_);
}

HttpConnection::~HttpConnection() {
  if (tls_ != nullptr && SSL_is_init_finished(tls_.get()) == 1) {
    SSL_shutdown(tls_.get());
    ERR_clear_error();
  }
  shutdown(socket_, SHUT_WR);
  if (body_unread_) {
    // Closed with bytes unread, the socket would take the answer back.
    const SteadyTime deadline = SteadyTimeAfter(kMostLinger);
    while (AwaitEvents(POLLIN, deadline) &&
           recv(socket_, buffer_.data(), buffer_.size(), 0) > 0) {
    }
  }
  close(socket_);
}

bool HttpConnection::Handshake() {
  if (tls_ == nullptr) return true;
  const SteadyTime deadline = SteadyTimeAfter(kMostHandshakeTime);
  for (;;) {
    const int result = SSL_accept(tls_.get());
    if (result == 1) return true;
    if (Await(result, POLLIN, deadline) != Progress::kMade) return false;
  }
}

bool HttpConnection::AwaitRequest(absl::Duration patience) {
  if (begin_ < end_) return true;
  if (tls_ != nullptr && SSL_pending(tls_.get()) > 0) return true;
  return AwaitEvents(POLLIN, SteadyTimeAfter(patience));
}

void HttpConnection::BeginHeaders() {
  patience_left_ = patience_;
  in_headers_ = true;
  header_bytes_ = 0;
  headers_deadline_ = SteadyTimeAfter(kMostHeaderTime);
  headers_too_large_ = false;
  headers_too_slow_ = false;
  body_unread_ = true;
}

void HttpConnection::EndHeaders() {
  in_headers_ = false;
  headers_deadline_ = SteadyTime::max();
}

bool HttpConnection::IsGone() const {
  char byte;
  if (tls_ != nullptr) {
    ERR_clear_error();
    const int result = SSL_peek(tls_.get(), &byte, 1);
    if (result > 0) return false;
    const int error = SSL_get_error(tls_.get(), result);
    return error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE;
  }
  const ssize_t received = recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return received == 0 || (received < 0 && errno != EAGAIN &&
                           errno != EWOULDBLOCK && errno != EINTR);
}

bool HttpConnection::is_readable() const {
  return begin_ < end_ || AwaitEvents(POLLIN, SteadyTimeAfter(patience_left_));
}

ssize_t HttpConnection::read(char* to, std::size_t size) {
  if (in_headers_ && header_bytes_ == kMostHeaders) {
    headers_too_large_ = true;
    return -1;
  }
  if (begin_ == end_) {
    const SteadyTime start = SteadyNow();
    const ssize_t received =
        Receive(std::min(SteadyTimeAfter(patience_left_), headers_deadline_));
    Count(start, received > 0 ? static_cast<std::size_t>(received) : 0);
    if (received < 0 && in_headers_) headers_too_slow_ = true;
    if (received <= 0) return received;
    begin_ = 0;
    end_ = static_cast<std::size_t>(received);
  }
  std::size_t taken = std::min(size, end_ - begin_);
  if (in_headers_) {
    taken = std::min(taken, kMostHeaders - header_bytes_);
    header_bytes_ += taken;
  }
  std::memcpy(to, buffer_.data() + begin_, taken);
  begin_ += taken;
  return static_cast<ssize_t>(taken);
}

ssize_t HttpConnection::write(const char* from, std::size_t size) {
  for (;;) {
    const SteadyTime start = SteadyNow();
    const SteadyTime deadline = SteadyTimeAfter(patience_left_);
    ssize_t sent;
    if (tls_ != nullptr) {
      ERR_clear_error();
      sent = SSL_write(tls_.get(), from, ToInt(size));
    } else {
      sent = send(socket_, from, size, MSG_NOSIGNAL);
    }
    if (sent > 0) {
      Count(start, static_cast<std::size_t>(sent));
      return sent;
    }
    const Progress progress = Await(static_cast<int>(sent), POLLOUT, deadline);
    Count(start, 0);
    if (progress != Progress::kMade) return -1;
  }
}

void HttpConnection::get_remote_ip_and_port(std::string& ip, int& port) const {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (getpeername(socket_, reinterpret_cast<sockaddr*>(&address), &length) == 0)
    NumericAddress(address, length, ip, port);
}

void HttpConnection::get_local_ip_and_port(std::string& ip, int& port) const {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length) == 0)
    NumericAddress(address, length, ip, port);
}

HttpConnection::Progress HttpConnection::Await(int result, int plain_events,
                                               SteadyTime deadline) const {
  int events = plain_events;
  if (tls_ != nullptr) {
    switch (SSL_get_error(tls_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        events = POLLIN;
        break;
      case SSL_ERROR_WANT_WRITE:
        events = POLLOUT;
        break;
      case SSL_ERROR_ZERO_RETURN:
        return Progress::kEnded;
      default:
        ERR_clear_error();
        return Progress::kNone;
    }
  } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
    return Progress::kNone;
  }
  return AwaitEvents(events, deadline) ? Progress::kMade : Progress::kNone;
}

bool HttpConnection::AwaitEvents(int events, SteadyTime deadline) const {
  pollfd waited = {.fd = socket_,
                   .events = static_cast<decltype(pollfd::events)>(events),
                   .revents = 0};
  for (;;) {
    const std::int64_t left =
        std::clamp<std::int64_t>(absl::ToInt64Milliseconds(TimeUntil(deadline)),
                                 0, std::numeric_limits<int>::max());
    const int ready = poll(&waited, 1, static_cast<int>(left));
    if (ready >= 0) return ready > 0;
    if (errno != EINTR) return false;
  }
}

void HttpConnection::Count(SteadyTime start, std::size_t moved_bytes) {
  patience_left_ +=
      absl::Seconds(static_cast<double>(moved_bytes) / kLeastBytesPerSecond) -
      absl::FromChrono(SteadyNow() - start);
  patience_left_ = std::min(patience_left_, patience_);
}

ssize_t HttpConnection::Receive(SteadyTime deadline) {
  for (;;) {
    ssize_t received;
    if (tls_ != nullptr) {
      ERR_clear_error();
      received = SSL_read(tls_.get(), buffer_.data(), ToInt(buffer_.size()));
      if (received > 0) return received;
    } else {
      received = recv(socket_, buffer_.data(), buffer_.size(), 0);
      if (received >= 0) return received;
    }
    switch (Await(static_cast<int>(received), POLLIN, deadline)) {
      case Progress::kMade:
        break;
      case Progress::kNone:
        return -1;
      case Progress::kEnded:
        return 0;
    }
  }
}

}  // namespace poe::server
