#include "server/http_listener.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "server/errors.h"
#include "server/executor.h"
#include "spdlog/spdlog.h"

namespace poe::server {
namespace {

constexpr int kHttpThreads = 64;
constexpr std::size_t kMostWaitingConnections = 256;
// Of the system's own queue.
constexpr int kBacklog = 128;
constexpr int kMostRequestsOnConnection = 1000;
constexpr absl::Duration kKeepConnection = absl::Seconds(5);
constexpr absl::Duration kHttpPatience = absl::Seconds(10);
// After an error of the system, such as that there is no memory.
constexpr absl::Duration kListenAgain = absl::Seconds(1);

constexpr absl::string_view kTooManyConnections =
    "HTTP/1.1 503 Service Unavailable\r\n"
    "Content-Type: application/json\r\n"
    "Retry-After: 1\r\n"
    "Connection: close\r\n"
    "Content-Length: 163\r\n"
    "\r\n"
    R"({"error":{"code":503,"status":"UNAVAILABLE","message":"too many )"
    R"(connections; try again later","reason":"TOO_MANY_CONNECTIONS",)"
    R"("metadata":{},"field_violations":[]}})";

thread_local HttpConnection* current_connection = nullptr;
// Whether this is the thread that accepts, of whatever listener.
thread_local bool accepts_connections = false;

// Connections that wait for a thread. What finds no place is run at once in the
// thread that accepts, which turns it away.
class ConnectionQueue final : public httplib::TaskQueue {
 public:
  void enqueue(std::function<void()> serve) override {
    const auto shared =
        std::make_shared<std::function<void()>>(std::move(serve));
    const absl::Status submitted =
        executor_->Submit({[] { return absl::OkStatus(); },
                           [shared](absl::Status) { (*shared)(); }});
    if (!submitted.ok()) (*shared)();
  }
  void shutdown() override { executor_.reset(); }

 private:
  std::unique_ptr<Executor> executor_ =
      std::make_unique<Executor>(kHttpThreads, kMostWaitingConnections);
};

}  // namespace

HttpListener::HttpListener(TlsFiles tls, int connections_per_client,
                           std::shared_ptr<Refusals> refusals)
    : tls_(std::move(tls)),
      refusals_(std::move(refusals)),
      open_(connections_per_client) {
  new_task_queue = [] { return new ConnectionQueue; };
  // Two servers must not share a port.
  set_socket_options([](socket_t socket) {
    const int on = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  });
  set_keep_alive_max_count(kMostRequestsOnConnection);
  set_keep_alive_timeout(
      static_cast<time_t>(absl::ToInt64Seconds(kKeepConnection)));
}

HttpListener::~HttpListener() {
  StopAccepting();
  Close(SteadyNow());
}

absl::StatusOr<int> HttpListener::Listen(const ListenAddress& address) {
  const int port = [&] {
    absl::MutexLock lock(&mutex_);
    return Bind(address);
  }();
  if (port < 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", ToString(address)));
  }
  accepting_ =
      std::thread([this, bound = ListenAddress{
                             address.host, static_cast<std::uint16_t>(port)}] {
        RunAccepting(bound);
      });
  return port;
}

void HttpListener::StopAccepting() {
  absl::MutexLock lock(&mutex_);
  if (stopping_) return;
  stopping_ = true;
  for (const socket_t socket : idle_) shutdown(socket, SHUT_RD);
  // Not by stop(), which would end the streams that are being answered too.
  if (svr_sock_ != INVALID_SOCKET) shutdown(svr_sock_, SHUT_RDWR);
}

void HttpListener::Close(SteadyTime deadline) {
  {
    absl::MutexLock lock(&mutex_);
    all_closed_.AwaitUntil(mutex_, deadline,
                           [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
                             return open_.empty();
                           });
    for (const auto& [socket, connection] : open_.connections()) {
      shutdown(socket, SHUT_RDWR);
    }
  }
  absl::MutexLock lock(&join_mutex_);
  if (accepting_.joinable()) accepting_.join();
}

std::size_t HttpListener::connections() const {
  absl::MutexLock lock(&mutex_);
  return open_.size();
}

HttpConnection& HttpListener::Connection() { return *current_connection; }

bool HttpListener::process_and_close_socket(socket_t socket) {
  if (accepts_connections || !Open(socket)) {
    TurnAway(socket);
    return false;
  }
  TlsContext context(nullptr, SSL_CTX_free);
  std::unique_ptr<HttpConnection> connection;
  const absl::Status status = CatchExceptions([&] {
    if (!tls_.certificate.empty()) {
      absl::StatusOr<TlsContext> read = ReadTlsContext(tls_);
      if (!read.ok()) return read.status();
      context = *std::move(read);
    }
    connection =
        std::make_unique<HttpConnection>(socket, context.get(), kHttpPatience);
    AnswerRequests(*connection);
    return absl::OkStatus();
  });
  if (!status.ok()) {
    spdlog::error("an HTTP connection has ended: {}",
                  std::string(status.message()));
  }
  {
    // Before the number can be another connection's.
    absl::MutexLock lock(&mutex_);
    open_.Remove(socket);
    if (open_.empty()) all_closed_.NotifyAll();
  }
  if (connection == nullptr) close(socket);
  return status.ok();
}

void HttpListener::AnswerRequests(HttpConnection& connection) {
  if (!connection.Handshake()) return;
  current_connection = &connection;
  for (int n = 1; n <= kMostRequestsOnConnection; ++n) {
    if (!BeginIdle(connection.socket())) break;
    const bool asked = connection.AwaitRequest(kKeepConnection);
    EndIdle(connection.socket());
    if (!asked) break;
    connection.BeginHeaders();
    bool closes = false;
    const bool goes_on = process_request(
        connection, n == kMostRequestsOnConnection, closes,
        [&connection](httplib::Request& request) {
          connection.EndHeaders();
          // Answers are computed for their request: none is sent in parts, and
          // none is worth the time that httplib takes to compress it.
          request.ranges.clear();
          request.headers.erase("Accept-Encoding");
          connection.set_body_unread(
              request.has_header("Transfer-Encoding") ||
              (request.has_header("Content-Length") &&
               request.get_header_value("Content-Length") != "0"));
        });
    connection.EndHeaders();
    if (!goes_on || closes || connection.body_unread()) break;
  }
  current_connection = nullptr;
}

void HttpListener::RunAccepting(const ListenAddress& address) {
  accepts_connections = true;
  for (;;) {
    // Returns when it is stopped, or after an error of the system.
    listen_after_bind();
    for (bool bound = false; !bound;) {
      {
        absl::MutexLock lock(&mutex_);
        if (stopping_) return;
        bound = Bind(address) > 0;
      }
      if (bound) continue;
      spdlog::error("cannot take HTTP connections on {}; trying again",
                    ToString(address));
      absl::SleepFor(kListenAgain);
    }
  }
}

int HttpListener::Bind(const ListenAddress& address) {
  for (const int family : {AF_INET, AF_UNSPEC}) {
    set_address_family(family);
    int port = address.port;
    if (port == 0) {
      port = bind_to_any_port(address.host, AI_PASSIVE);
    } else if (!bind_to_port(address.host, port, AI_PASSIVE)) {
      port = -1;
    }
    if (port > 0 && ::listen(svr_sock_, kBacklog) == 0) return port;
  }
  return -1;
}

bool HttpListener::Open(socket_t socket) {
  absl::MutexLock lock(&mutex_);
  return open_.Add(socket);
}

void HttpListener::TurnAway(socket_t socket) const {
  refusals_->Add(Refusals::Port::kHttp, "TOO_MANY_CONNECTIONS",
                 ClientAddress(socket));
  if (tls_.certificate.empty()) {
    send(socket, kTooManyConnections.data(), kTooManyConnections.size(),
         MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  close(socket);
}

bool HttpListener::BeginIdle(socket_t socket) {
  absl::MutexLock lock(&mutex_);
  if (stopping_) return false;
  idle_.insert(socket);
  return true;
}

void HttpListener::EndIdle(socket_t socket) {
  absl::MutexLock lock(&mutex_);
  idle_.erase(socket);
}

}  // namespace poe::server
