#include "server/grpc_listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/files.h"
#include "spdlog/spdlog.h"

namespace poe::server {
namespace {

// As gRPC has it: what was sent and is not acknowledged so long ends a
// connection.
constexpr absl::Duration kMostUnacknowledged = absl::Seconds(20);
// After an error of the system, such as that there are no file descriptors.
constexpr absl::Duration kAcceptAgain = absl::Milliseconds(100);
// So that clients who keep trying do not make the server look all the time.
constexpr absl::Duration kLookAgain = absl::Milliseconds(50);
constexpr absl::Duration kWarnAgain = absl::Seconds(10);

int MostConnections(int asked) {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return asked;
  const rlim_t most = std::max<rlim_t>(files.rlim_cur / 4 * 3, 1);
  if (static_cast<rlim_t>(asked) <= most) return asked;
  spdlog::info(
      "max_connections is {}, and taken as {}: {} files may be open at a time",
      asked, most, files.rlim_cur);
  return static_cast<int>(most);
}

// Closed with an RST, which leaves nothing behind here.
void ResetOnClose(const FileDescriptor& socket) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

}  // namespace

GrpcListener::GrpcListener(const Limits& limits,
                           std::shared_ptr<Refusals> refusals)
    : limits_{.per_client = limits.per_client,
              .all = MostConnections(limits.all)},
      refusals_(std::move(refusals)),
      counts_(limits.per_client) {}

GrpcListener::~GrpcListener() { Stop(); }

absl::StatusOr<int> GrpcListener::Listen(const ListenAddress& address) {
  absl::StatusOr<ListeningSockets> listening = ListenOn(address);
  if (!listening.ok()) return listening.status();
  listening_ = *std::move(listening);
  // What is accepted inherits these.
  const int no_delay = 1;
  const auto unacknowledged =
      static_cast<unsigned>(absl::ToInt64Milliseconds(kMostUnacknowledged));
  for (const FileDescriptor& socket : listening_.sockets) {
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &no_delay,
               sizeof no_delay);
    setsockopt(socket.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged,
               sizeof unacknowledged);
  }
  return listening_.port;
}

void GrpcListener::Start(
    std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor) {
  acceptor_ = std::move(acceptor);
  absl::MutexLock lock(&join_mutex_);
  accepting_ = std::thread([this] { Run(); });
}

void GrpcListener::Stop() {
  absl::MutexLock join_lock(&join_mutex_);
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    stop_.NotifyAll();
  }
  // Wakes the thread that accepts.
  for (const FileDescriptor& socket : listening_.sockets) {
    shutdown(socket.get(), SHUT_RDWR);
  }
  if (accepting_.joinable()) accepting_.join();
  listening_.sockets.clear();
  acceptor_.reset();
}

std::size_t GrpcListener::open() {
  absl::MutexLock lock(&mutex_);
  counts_.RemoveClosed();
  return counts_.size();
}

void GrpcListener::Run() {
  std::vector<pollfd> sockets;
  for (const FileDescriptor& socket : listening_.sockets) {
    sockets.push_back({.fd = socket.get(), .events = POLLIN, .revents = 0});
  }
  while (true) {
    poll(sockets.data(), sockets.size(), -1);
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
    }
    for (const pollfd& one : sockets) {
      if (one.revents != 0) AcceptOne(one.fd);
    }
  }
}

void GrpcListener::AcceptOne(int listening) {
  FileDescriptor socket(
      accept4(listening, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket.is_open()) {
    const int failure = errno;
    if (failure == EAGAIN || failure == EINTR || failure == ECONNABORTED) {
      return;
    }
    if (StopsWithin(kAcceptAgain)) return;
    Warn(absl::StrCat("cannot take connections of gRPC: ",
                      std::strerror(failure), "; trying again"));
    return;
  }
  if (!Count(socket.get())) {
    refusals_->Add(Refusals::Port::kGrpc, "TOO_MANY_CONNECTIONS",
                   ClientAddress(socket.get()));
    ResetOnClose(socket);
    return;
  }
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters
      connection;
  connection.fd = socket.Release();
  acceptor_->HandleNewConnection(&connection);
}

bool GrpcListener::Count(int socket) {
  absl::MutexLock lock(&mutex_);
  if (TryToCount(socket)) return true;
  if (SteadyNow() < next_look_) return false;
  counts_.RemoveClosed();
  next_look_ = SteadyTimeAfter(kLookAgain);
  return TryToCount(socket);
}

bool GrpcListener::TryToCount(int socket) {
  return counts_.size() < static_cast<std::size_t>(limits_.all) &&
         counts_.Add(socket);
}

void GrpcListener::Warn(const std::string& message) {
  if (SteadyNow() < next_warning_) return;
  next_warning_ = SteadyTimeAfter(kWarnAgain);
  spdlog::warn("{}", message);
}

bool GrpcListener::StopsWithin(absl::Duration patience) {
  absl::MutexLock lock(&mutex_);
  return stop_.AwaitUntil(
      mutex_, SteadyTimeAfter(patience),
      [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_; });
}

}  // namespace poe::server
