#include "client/cpp/credentials.h"

#include <arpa/inet.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "grpcpp/support/interceptor.h"

namespace poe::client {
namespace {

// The contents; nothing if `path` is empty.
absl::StatusOr<std::string> ReadPem(const std::string& path) {
  if (path.empty()) return "";
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  std::string text((std::istreambuf_iterator<char>(file)),
                   std::istreambuf_iterator<char>());
  if (!absl::StrContains(text, "-----BEGIN ")) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " holds no certificate or key in PEM"));
  }
  return text;
}

class TokenSender final : public grpc::experimental::Interceptor {
 public:
  explicit TokenSender(const std::string& header) : header_(header) {}

  void Intercept(
      grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            grpc::experimental::InterceptionHookPoints::
                PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->emplace("authorization", header_);
    }
    methods->Proceed();
  }

 private:
  const std::string& header_;
};

class TokenSenderFactory final
    : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit TokenSenderFactory(std::string header)
      : header_(std::move(header)) {}

  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo*) override {
    return new TokenSender(header_);
  }

 private:
  const std::string header_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> TlsCredentials(
    const TlsFiles& files) {
  if (files.certificate.empty() != files.key.empty()) {
    return absl::InvalidArgumentError(
        files.key.empty() ? absl::StrCat("the key of the certificate ",
                                         files.certificate, " is missing")
                          : absl::StrCat("the certificate of the key ",
                                         files.key, " is missing"));
  }
  grpc::SslCredentialsOptions options;
  for (const auto& [path, text] :
       {std::pair(&files.ca, &options.pem_root_certs),
        std::pair(&files.certificate, &options.pem_cert_chain),
        std::pair(&files.key, &options.pem_private_key)}) {
    absl::StatusOr<std::string> read = ReadPem(*path);
    if (!read.ok()) return read.status();
    *text = *std::move(read);
  }
  return grpc::SslCredentials(options);
}

bool IsThisMachine(absl::string_view target) {
  if (absl::StartsWith(target, "unix:")) return true;
  absl::ConsumePrefix(&target, "dns:///");
  const std::string host(target.substr(0, target.rfind(':')));
  in_addr ipv4;
  if (inet_pton(AF_INET, host.c_str(), &ipv4) == 1) {
    return ntohl(ipv4.s_addr) >> 24 == IN_LOOPBACKNET;
  }
  return host == "localhost" || host == "[::1]";
}

std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>
SendToken(const std::string& token) {
  return std::make_unique<TokenSenderFactory>(absl::StrCat("Bearer ", token));
}

}  // namespace poe::client
