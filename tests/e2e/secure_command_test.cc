// poe and poe-server with TLS and tokens.
#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/program.h"
#include "tests/server/certificates.h"

namespace poe::server {
namespace {

using ::testing::HasSubstr;

// As "printf %s letmein | sha256sum" prints it.
constexpr char kToken[] = "letmein";
constexpr char kTokens[] =
    "score alice sha256:"
    "1c8bfe8f801d79745c4631d09fff36c82aa37fc4cce4fc946683d7b336b63032\n";

struct Outcome {
  std::string output;
  int status;
};

class SecureCommandTest : public ::testing::Test {
 protected:
  SecureCommandTest() {
    std::string path = ::testing::TempDir() + "/poe_e2e_XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path;
    const CertificateAuthority authority;
    const Identity server = authority.Issue();
    const Identity client = authority.Issue();
    WriteTestFile(folder_ / "ca.pem", authority.certificate());
    WriteTestFile(folder_ / "server.pem", server.certificate);
    WriteTestFile(folder_ / "server.key", server.key);
    WriteTestFile(folder_ / "client.pem", client.certificate);
    WriteTestFile(folder_ / "client.key", client.key);
    WriteTestFile(folder_ / "tokens", kTokens);
    WriteTestFile(folder_ / "token", absl::StrCat(kToken, "\n"));
  }
  ~SecureCommandTest() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string File(const std::string& name) const {
    return (folder_ / name).string();
  }

  void StartServer(std::vector<std::string> flags) {
    flags.push_back("--repository=" + File("models"));
    flags.push_back("--listen=localhost:0");
    server_ = std::make_unique<Program>(flags);
    const std::string line = server_->ReadLineWith("listening on ");
    address_ = std::string(absl::StripPrefix(line, "listening on "));
  }

  Outcome Poe(std::vector<std::string> arguments) const {
    arguments.push_back(absl::StrCat("--server=", address_));
    Program program(arguments, POE_COMMAND_BINARY);
    Outcome outcome;
    outcome.output = program.ReadAll();
    outcome.status = program.Wait();
    return outcome;
  }

  std::filesystem::path folder_;
  std::unique_ptr<Program> server_;
  std::string address_;
};

TEST_F(SecureCommandTest, CertificatesAndATokenOpenTheServer) {
  StartServer({"--tls_certificate=" + File("server.pem"),
               "--tls_key=" + File("server.key"),
               "--tls_client_ca=" + File("ca.pem"),
               "--tokens=" + File("tokens")});
  const std::string ca = "--tls-ca=" + File("ca.pem");
  const std::string certificate = "--tls-certificate=" + File("client.pem");
  const std::string key = "--tls-key=" + File("client.key");
  const std::string token = "--token-file=" + File("token");

  const Outcome good = Poe({"models", ca, certificate, key, token});
  EXPECT_EQ(good.status, 0) << good.output;
  const Outcome low =
      Poe({"models", "delete", "digits", ca, certificate, key, token});
  EXPECT_NE(low.status, 0);
  EXPECT_THAT(low.output, HasSubstr("needs the role admin"));
  const Outcome without_token = Poe({"models", ca, certificate, key});
  EXPECT_EQ(without_token.status, 1);
  EXPECT_THAT(without_token.output, HasSubstr("TOKEN_MISSING"));
  EXPECT_EQ(Poe({"health", ca, certificate, key}).status, 0);
  EXPECT_EQ(Poe({"health", ca}).status, 1);
  EXPECT_EQ(Poe({"health"}).status, 1);
}

TEST_F(SecureCommandTest, ATokenGoesInPlainTextToThisMachineOnly) {
  StartServer({"--tokens=" + File("tokens")});
  const std::string token = "--token-file=" + File("token");
  const Outcome here = Poe({"models", token});
  EXPECT_EQ(here.status, 0) << here.output;
  address_ = "192.0.2.1:8500";
  const Outcome elsewhere = Poe({"models", token});
  EXPECT_EQ(elsewhere.status, 2);
  EXPECT_THAT(elsewhere.output, HasSubstr("in plain text"));
}

TEST_F(SecureCommandTest, FilesThatCannotBeUsedAreNamed) {
  address_ = "localhost:1";
  for (const char* option : {"--tls-ca", "--token-file"}) {
    const Outcome outcome =
        Poe({"models", absl::StrCat(option, "=/nowhere/file")});
    EXPECT_EQ(outcome.status, 2);
    EXPECT_THAT(outcome.output, HasSubstr("/nowhere/file"));
  }
  const Outcome keyless =
      Poe({"models", "--tls-certificate=" + File("client.pem")});
  EXPECT_EQ(keyless.status, 2);
  EXPECT_THAT(keyless.output, HasSubstr("the key of the certificate"));
}

}  // namespace
}  // namespace poe::server
