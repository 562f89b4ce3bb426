// How a port is secured: TLS from files, or plain text; and tokens on either.
#ifndef POE_SERVER_CREDENTIALS_H_
#define POE_SERVER_CREDENTIALS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "grpcpp/security/server_credentials.h"
#include "server/access.h"
#include "server/refusals.h"

namespace poe::server {

// Paths of PEM files.
struct TlsFiles {
  // The server's certificate, with those between it and the root after it, and
  // its key, without a password.
  std::string certificate = {};
  std::string key = {};
  // Certificates, one of which must have signed a client's. Empty: clients
  // show none.
  std::string client_ca = {};
};

// Whether any file is named.
bool UsesTls(const TlsFiles& files);

// InvalidArgument unless those are named that TLS needs, whatever is in them.
absl::Status CheckNamed(const TlsFiles& files);

// Credentials that speak TLS. gRPC looks every second whether the files have
// changed; connections made from then on use what they hold. InvalidArgument
// naming the option and the file if they are not what TlsFiles says or the key
// is that of another certificate; what ReadNamedFile says if one cannot be
// read.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> TlsCredentials(
    const TlsFiles& files);

// Credentials that speak plain text. Those of gRPC cannot require tokens.
std::shared_ptr<grpc::ServerCredentials> PlainTextCredentials();

// Makes a port ask `access` about every call, whatever its service, before the
// call reaches that service. Calls that may not pass end with the status of
// Access::Check; as gRPC sends no details from here, its text ends with the
// reason in brackets. They are told to `refusals`. Before the server starts.
void RequireTokens(std::shared_ptr<Access> access,
                   std::shared_ptr<Refusals> refusals,
                   grpc::ServerCredentials& credentials);

}  // namespace poe::server

#endif  // POE_SERVER_CREDENTIALS_H_
