// The whole server: repository, threads, services and the port they answer on.
#ifndef POE_SERVER_SERVER_H_
#define POE_SERVER_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/server_options.h"

namespace poe::server {

// Thread-safe.
class Server {
 public:
  // InvalidArgument naming the option at fault; Cancelled if it has been
  // stopped; Unavailable if the address cannot be listened on; what is said of
  // a file that cannot be read, and what the repository says if it cannot be
  // opened.
  static absl::StatusOr<std::unique_ptr<Server>> Start(
      const ServerOptions& options);

  // Drains without grace.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // The port that is listened on.
  int port() const;
  // The same of HTTP; 0 without it.
  int http_port() const;

  // What is measured, in Prometheus's text format.
  std::string MetricsText() const;

  // From now on health is NOT_SERVING, of everything and for ever, and by the
  // Open Inference Protocol nothing is ready. Calls are answered as before.
  void ReportNotServing();

  // Ends well: reports NOT_SERVING, asks trainings to keep what they need to go
  // on when the server is back, takes no new calls, lets running ones go on for
  // `grace` and cancels the rest. Returns when all have ended, and then the
  // training, however long it takes over its next check.
  void Drain(absl::Duration grace);

 private:
  class Parts;
  explicit Server(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace poe::server

#endif  // POE_SERVER_SERVER_H_
