// Certificates for tests, made on the spot.
#ifndef POE_TESTS_SERVER_CERTIFICATES_H_
#define POE_TESTS_SERVER_CERTIFICATES_H_

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <filesystem>
#include <memory>
#include <string>

namespace poe::server {

// A certificate and its key in PEM.
struct Identity {
  std::string certificate;
  std::string key;
};

// Signs certificates. Those of two authorities have nothing in common.
class CertificateAuthority {
 public:
  CertificateAuthority();

  // In PEM.
  std::string certificate() const;
  // For localhost and 127.0.0.1, as server or client.
  Identity Issue() const;

 private:
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

  Key key_;
  Certificate certificate_;
};

// Makes the file, or puts another in its place in one step.
void WriteTestFile(const std::filesystem::path& path, const std::string& text);

}  // namespace poe::server

#endif  // POE_TESTS_SERVER_CERTIFICATES_H_
