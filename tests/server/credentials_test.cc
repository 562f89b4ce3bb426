// What is said of files that TLS cannot use.

#include "server/credentials.h"

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/certificates.h"

namespace poe::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class CredentialsTest : public ::testing::Test {
 protected:
  CredentialsTest() {
    std::string path = ::testing::TempDir() + "/poe_credentials_XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path;
    const Identity server = authority_.Issue();
    files_ = {.certificate = Write("server.pem", server.certificate),
              .key = Write("server.key", server.key),
              .client_ca = Write("ca.pem", authority_.certificate())};
  }
  ~CredentialsTest() override { std::filesystem::remove_all(folder_); }

  // The path of a new file.
  std::string Write(const std::string& name, const std::string& text) const {
    WriteTestFile(folder_ / name, text);
    return (folder_ / name).string();
  }

  // The text of the error.
  static std::string Refusal(const TlsFiles& files) {
    const auto credentials = TlsCredentials(files);
    EXPECT_FALSE(credentials.ok());
    return std::string(credentials.status().message());
  }

  const CertificateAuthority authority_;
  std::filesystem::path folder_;
  TlsFiles files_;
};

TEST_F(CredentialsTest, GoodFilesAreTaken) {
  EXPECT_TRUE(TlsCredentials(files_).ok());
  files_.client_ca.clear();
  EXPECT_TRUE(TlsCredentials(files_).ok());
}

TEST_F(CredentialsTest, CertificateAndKeyComeTogether) {
  TlsFiles files = files_;
  files.key.clear();
  EXPECT_THAT(Refusal(files), HasSubstr("both tls_certificate and tls_key"));
  files = files_;
  files.certificate.clear();
  EXPECT_THAT(Refusal(files), HasSubstr("both tls_certificate and tls_key"));
  EXPECT_THAT(Refusal({.client_ca = files_.client_ca}),
              HasSubstr("both tls_certificate and tls_key"));
}

TEST_F(CredentialsTest, AMissingFileIsNamed) {
  TlsFiles files = files_;
  files.certificate = "/nowhere/server.pem";
  EXPECT_THAT(Refusal(files),
              AllOf(HasSubstr("tls_certificate: "),
                    HasSubstr("/nowhere/server.pem: No such file")));
  files = files_;
  files.key = "/nowhere/server.key";
  EXPECT_THAT(Refusal(files),
              AllOf(HasSubstr("tls_key: "), HasSubstr("/nowhere/server.key")));
  files = files_;
  files.client_ca = "/nowhere/ca.pem";
  EXPECT_THAT(Refusal(files), AllOf(HasSubstr("tls_client_ca: "),
                                    HasSubstr("/nowhere/ca.pem")));
}

TEST_F(CredentialsTest, WhatIsNotPemIsNamed) {
  const std::string text = Write("text", "certificate");
  TlsFiles files = files_;
  files.certificate = text;
  EXPECT_THAT(Refusal(files), AllOf(HasSubstr("tls_certificate: " + text),
                                    HasSubstr("no certificate in PEM")));
  files = files_;
  files.key = text;
  EXPECT_THAT(Refusal(files), AllOf(HasSubstr("tls_key: " + text),
                                    HasSubstr("no private key in PEM")));
  files = files_;
  files.client_ca = text;
  EXPECT_THAT(Refusal(files), AllOf(HasSubstr("tls_client_ca: " + text),
                                    HasSubstr("no certificate in PEM")));
  files = files_;
  files.key = files_.certificate;
  EXPECT_THAT(Refusal(files), HasSubstr("no private key in PEM"));
}

TEST_F(CredentialsTest, AKeyOfAnotherCertificateIsRefused) {
  files_.key = Write("other.key", authority_.Issue().key);
  EXPECT_EQ(TlsCredentials(files_).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Refusal(files_),
              AllOf(HasSubstr(files_.key), HasSubstr(files_.certificate),
                    HasSubstr("is not the key of")));
}

}  // namespace
}  // namespace poe::server
