#include "server/credentials.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_credentials_options.h"
#include "server/errors.h"
#include "server/files.h"

namespace poe::server {
namespace {

constexpr std::int64_t kMostPemBytes = 1 << 20;
constexpr unsigned kRefreshSeconds = 1;

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

Bio Reader(absl::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())),
             BIO_free);
}

// Never asks at the terminal.
int NoPassword(char*, int, int, void*) { return 0; }

absl::StatusOr<std::string> ReadOption(absl::string_view option,
                                       const std::string& path) {
  absl::StatusOr<std::string> text = ReadNamedFile(path, kMostPemBytes);
  if (!text.ok()) return WithPrefix(option, text.status());
  return text;
}

// The first certificate in the file.
absl::StatusOr<Certificate> ReadCertificate(absl::string_view option,
                                            const std::string& path) {
  const absl::StatusOr<std::string> text = ReadOption(option, path);
  if (!text.ok()) return text.status();
  Certificate certificate(
      PEM_read_bio_X509(Reader(*text).get(), nullptr, NoPassword, nullptr),
      X509_free);
  // gRPC's TLS must not find errors of ours in the thread's list.
  ERR_clear_error();
  if (certificate == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(option, ": ", path, " holds no certificate in PEM"));
  }
  return certificate;
}

absl::StatusOr<Key> ReadKey(absl::string_view option, const std::string& path) {
  const absl::StatusOr<std::string> text = ReadOption(option, path);
  if (!text.ok()) return text.status();
  Key key(PEM_read_bio_PrivateKey(Reader(*text).get(), nullptr, NoPassword,
                                  nullptr),
          EVP_PKEY_free);
  ERR_clear_error();
  if (key == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        option, ": ", path, " holds no private key in PEM without a password"));
  }
  return key;
}

absl::Status CheckFiles(const TlsFiles& files) {
  if (absl::Status s = CheckNamed(files); !s.ok()) return s;
  const absl::StatusOr<Certificate> certificate =
      ReadCertificate("tls_certificate", files.certificate);
  if (!certificate.ok()) return certificate.status();
  const absl::StatusOr<Key> key = ReadKey("tls_key", files.key);
  if (!key.ok()) return key.status();
  const bool fits = X509_check_private_key(certificate->get(), key->get()) == 1;
  ERR_clear_error();
  if (!fits) {
    return absl::InvalidArgumentError(absl::StrCat(
        "tls_key: ", files.key, " is not the key of the first certificate in ",
        files.certificate));
  }
  if (files.client_ca.empty()) return absl::OkStatus();
  return ReadCertificate("tls_client_ca", files.client_ca).status();
}

}  // namespace

bool UsesTls(const TlsFiles& files) {
  return !files.certificate.empty() || !files.key.empty() ||
         !files.client_ca.empty();
}

absl::Status CheckNamed(const TlsFiles& files) {
  if (!files.certificate.empty() && !files.key.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "TLS needs both tls_certificate and tls_key");
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> TlsCredentials(
    const TlsFiles& files) {
  if (absl::Status status = CheckFiles(files); !status.ok()) return status;
  grpc::experimental::TlsServerCredentialsOptions options(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          files.key, files.certificate, files.client_ca, kRefreshSeconds));
  options.watch_identity_key_cert_pairs();
  if (files.client_ca.empty()) {
    options.set_cert_request_type(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  } else {
    options.watch_root_certs();
    options.set_cert_request_type(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc::experimental::TlsServerCredentials(options);
}

}  // namespace poe::server
