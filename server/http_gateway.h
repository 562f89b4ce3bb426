// The services as JSON over HTTP. See docs/http.md.
#ifndef POE_SERVER_HTTP_GATEWAY_H_
#define POE_SERVER_HTTP_GATEWAY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "grpcpp/channel.h"
#include "server/access.h"
#include "server/credentials.h"
#include "server/listen_address.h"
#include "server/refusals.h"
#include "server/steady_time.h"

namespace poe::server {

struct HttpGatewayOptions {
  // To the services; asks for no tokens.
  std::shared_ptr<grpc::Channel> channel;
  // Asked about every request before anything else sees it. Null: none needs a
  // token.
  std::shared_ptr<Access> access;
  // Told of what is refused before a service sees it.
  std::shared_ptr<Refusals> refusals;
  // As TlsFiles says; plain text if no files are named.
  TlsFiles tls;
  // At a time, >= 1. See HttpListener.
  int connections_per_client = 32;
  // Of the body of one request, of one line of a training, and of the message
  // that either is.
  std::int64_t max_body_bytes = 0;
  // Of all bodies that are being read or answered, >= max_body_bytes.
  std::int64_t max_bytes_in_flight = 0;
};

// Answers HTTP by calling the services, so that limits, logs and errors are
// theirs. Thread-safe.
class HttpGateway {
 public:
  explicit HttpGateway(HttpGatewayOptions options);
  // Closes without grace.
  ~HttpGateway();
  HttpGateway(const HttpGateway&) = delete;
  HttpGateway& operator=(const HttpGateway&) = delete;

  // Answers GET of the path with what `text` returns, in any thread. Where
  // tokens are asked for, one that may list the models is needed. Before
  // Listen.
  void AddText(const std::string& path, const std::string& content_type,
               std::function<std::string()> text);

  // Begins to answer, and returns the port: that of `address`, or a free one if
  // that is 0. Unavailable if it cannot be listened on. Once.
  absl::StatusOr<int> Listen(const ListenAddress& address);

  // Connections that are open now, and bytes of the bodies that are being read
  // or answered.
  std::size_t connections() const;
  std::int64_t body_bytes() const;

  // Takes no new requests.
  void StopAccepting();
  // After StopAccepting: returns when all requests are answered, or cut at
  // `deadline`.
  void Close(SteadyTime deadline);

 private:
  class Parts;

  std::unique_ptr<Parts> parts_;
};

}  // namespace poe::server

#endif  // POE_SERVER_HTTP_GATEWAY_H_
