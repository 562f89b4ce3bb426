#ifndef POE_CLIENT_CPP_CREDENTIALS_H_
#define POE_CLIENT_CPP_CREDENTIALS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/client_interceptor.h"

namespace poe::client {

// Paths of PEM files.
struct TlsFiles {
  // Certificates, one of which must have signed the server's. Empty: those
  // that the system trusts.
  std::string ca = {};
  // What is shown to a server that asks for it; both or neither.
  std::string certificate = {};
  std::string key = {};
};

// Credentials for ClientOptions that speak TLS. INVALID_ARGUMENT naming the
// file if it holds nothing in PEM, or if one of certificate and key is missing;
// the error of the operating system if a file cannot be read.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> TlsCredentials(
    const TlsFiles& files);

// Whether a target of gRPC names this machine: localhost, 127.0.0.0/8, [::1] or
// a Unix socket. Other names are not looked up.
bool IsThisMachine(absl::string_view target);

// Adds "authorization: Bearer <token>" to every call of a channel.
std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>
SendToken(const std::string& token);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_CREDENTIALS_H_
