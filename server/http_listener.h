// Accepts HTTP connections and has requests on them answered.
#ifndef POE_SERVER_HTTP_LISTENER_H_
#define POE_SERVER_HTTP_LISTENER_H_

#include <cstddef>
#include <memory>
#include <set>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "httplib.h"
#include "server/connection_counts.h"
#include "server/credentials.h"
#include "server/http_connection.h"
#include "server/listen_address.h"
#include "server/refusals.h"
#include "server/steady_time.h"

namespace poe::server {

// httplib's server on connections of ours, in a fixed number of threads. A
// connection has a thread as long as it lasts; those for which there is neither
// a thread nor a place in the queue are turned away with 503, and so are those
// of a client that has as many as one may have: see ConnectionCounts. Handlers
// are set before Listen. Thread-safe from then on.
class HttpListener final : public httplib::Server {
 public:
  // Plain text if `tls` names no files. `connections_per_client` >= 1.
  // Connections that are turned away are told to `refusals`.
  HttpListener(TlsFiles tls, int connections_per_client,
               std::shared_ptr<Refusals> refusals);
  // Closes without grace.
  ~HttpListener() override;

  // Begins to answer, and returns the port. Of a host with several addresses
  // the first one is listened on, an IPv4 one if there is any. Unavailable if
  // that cannot be done. Once.
  absl::StatusOr<int> Listen(const ListenAddress& address)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Takes no new connections, and closes those on which no request is being
  // answered; the others are closed with their answer.
  void StopAccepting() ABSL_LOCKS_EXCLUDED(mutex_);
  // After StopAccepting: returns when all connections are closed. Those still
  // open at `deadline` are cut.
  void Close(SteadyTime deadline) ABSL_LOCKS_EXCLUDED(mutex_);

  // Connections that have a thread now.
  std::size_t connections() const ABSL_LOCKS_EXCLUDED(mutex_);

  // The connection of the request that this thread answers.
  static HttpConnection& Connection();

 private:
  bool process_and_close_socket(socket_t socket) override;
  void AnswerRequests(HttpConnection& connection);
  void RunAccepting(const ListenAddress& address);
  // The port, or -1.
  int Bind(const ListenAddress& address) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // False if its client has as many connections as one may have.
  bool Open(socket_t socket) ABSL_LOCKS_EXCLUDED(mutex_);
  // Says that there are too many connections, as far as that can be said before
  // TLS is spoken, and closes.
  void TurnAway(socket_t socket) const;

  // Marks a connection as one without a request. False if it is to be closed.
  bool BeginIdle(socket_t socket) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndIdle(socket_t socket) ABSL_LOCKS_EXCLUDED(mutex_);

  const TlsFiles tls_;
  const std::shared_ptr<Refusals> refusals_;
  std::thread accepting_;
  absl::Mutex join_mutex_;
  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  ConnectionCounts open_ ABSL_GUARDED_BY(mutex_);
  SteadyCondition all_closed_;
  std::set<socket_t> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace poe::server

#endif  // POE_SERVER_HTTP_LISTENER_H_
