// The server with TLS and with tokens, as its clients meet it.

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "google/protobuf/empty.pb.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "poe/v1/registry.grpc.pb.h"
#include "server/manifest.h"
#include "tests/server/certificates.h"
#include "tests/server/serving_test.h"

namespace poe::server {
namespace {

using ::google::protobuf::Empty;
using ::testing::HasSubstr;

constexpr char kHealth[] = "/grpc.health.v1.Health/Check";
constexpr char kListModels[] = "/poe.v1.ModelRegistry/ListModels";

// A call with an empty request. To calls that stream it is a stream of one
// message.
grpc::Status Call(const std::shared_ptr<grpc::Channel>& channel,
                  const std::string& method,
                  const std::string& authorization = "") {
  grpc::TemplatedGenericStub<Empty, Empty> stub(channel);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(30)));
  if (!authorization.empty()) {
    context.AddMetadata("authorization", authorization);
  }
  Empty request, response;
  grpc::Status result;
  absl::Notification done;
  stub.UnaryCall(&context, method, {}, &request, &response,
                 [&](grpc::Status status) {
                   result = std::move(status);
                   done.Notify();
                 });
  done.WaitForNotification();
  return result;
}

class SecureServerTest : public ServingTest {
 protected:
  SecureServerTest() {
    std::string lines;
    for (const char* role : {"score", "train", "admin"}) {
      absl::StrAppend(&lines, role, " ", role,
                      "-name sha256:", Sha256(absl::StrCat(role, "-token")),
                      "\n");
    }
    WriteTestFile(folder() / "tokens", lines);
    WriteIdentity(authority_.Issue());
    WriteTestFile(folder() / "ca.pem", authority_.certificate());
  }

  std::string File(const std::string& name) const {
    return (folder() / name).string();
  }
  void WriteIdentity(const Identity& identity) const {
    WriteTestFile(folder() / "server.key", identity.key);
    WriteTestFile(folder() / "server.pem", identity.certificate);
  }
  ServerOptions WithTls() const {
    ServerOptions options;
    options.tls = {.certificate = File("server.pem"),
                   .key = File("server.key")};
    return options;
  }

  // A connection of its own that trusts `authority` and shows `identity`.
  std::shared_ptr<grpc::Channel> TlsChannel(
      const CertificateAuthority& authority, const Identity& identity = {}) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = authority.certificate();
    options.pem_cert_chain = identity.certificate;
    options.pem_private_key = identity.key;
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(
        absl::StrCat("localhost:", server().port()),
        grpc::SslCredentials(options), arguments);
  }

  const CertificateAuthority authority_;
};

TEST_F(SecureServerTest, AnswersByTlsAndNotInPlainText) {
  StartServer(WithTls());
  EXPECT_TRUE(Call(TlsChannel(authority_), kListModels).ok());
  EXPECT_EQ(Call(NewChannel(), kListModels).error_code(), grpc::UNAVAILABLE);
}

TEST_F(SecureServerTest, ClientsOfAnotherAuthorityDoNotTrustIt) {
  StartServer(WithTls());
  EXPECT_EQ(Call(TlsChannel(CertificateAuthority()), kListModels).error_code(),
            grpc::UNAVAILABLE);
}

TEST_F(SecureServerTest, ClientsMustShowACertificateWhereOneIsAskedFor) {
  ServerOptions options = WithTls();
  options.tls.client_ca = File("ca.pem");
  StartServer(options);
  EXPECT_TRUE(
      Call(TlsChannel(authority_, authority_.Issue()), kListModels).ok());
  for (const char* method : {kListModels, kHealth}) {
    EXPECT_EQ(Call(TlsChannel(authority_), method).error_code(),
              grpc::UNAVAILABLE);
    EXPECT_EQ(
        Call(TlsChannel(authority_, CertificateAuthority().Issue()), method)
            .error_code(),
        grpc::UNAVAILABLE);
  }
}

TEST_F(SecureServerTest, ACertificateChangedOnDiskIsShownToNewConnections) {
  StartServer(WithTls());
  const auto early = TlsChannel(authority_);
  ASSERT_TRUE(Call(early, kListModels).ok());
  const CertificateAuthority next;
  WriteIdentity(next.Issue());
  const absl::Time end = absl::Now() + absl::Seconds(30);
  while (!Call(TlsChannel(next), kListModels).ok() && absl::Now() < end) {
    absl::SleepFor(absl::Milliseconds(200));
  }
  EXPECT_TRUE(Call(TlsChannel(next), kListModels).ok());
  EXPECT_FALSE(Call(TlsChannel(authority_), kListModels).ok());
  EXPECT_TRUE(Call(early, kListModels).ok());
}

TEST_F(SecureServerTest, BadFilesKeepItFromStarting) {
  ServerOptions options = WithTls();
  options.repository = repository();
  options.listen = "localhost:0";
  options.tls.key = File("ca.pem");
  EXPECT_THAT(std::string(Server::Start(options).status().message()),
              HasSubstr("tls_key: " + File("ca.pem")));
  options.tls.key = File("server.key");
  options.tokens = File("ca.pem");
  EXPECT_THAT(std::string(Server::Start(options).status().message()),
              HasSubstr("tokens: " + File("ca.pem") + ": line 1 "));
}

// Whether calls need tokens is the same in plain text and by TLS.
class TokensTest : public SecureServerTest,
                   public ::testing::WithParamInterface<bool> {
 protected:
  TokensTest() {
    ServerOptions options = GetParam() ? WithTls() : ServerOptions();
    options.tokens = File("tokens");
    Publish("bits", RandomModel(4, 2, {"data"}, 1));
    StartServer(options);
    channel_ = GetParam() ? TlsChannel(authority_) : NewChannel();
  }

  std::shared_ptr<grpc::Channel> channel_;
};

TEST_P(TokensTest, EachCallNeedsItsRole) {
  const struct {
    int least;  // of the roles: 1 score, 2 train, 3 admin
    const char* method;
  } cases[] = {
      {1, "/poe.v1.ProductOfExperts/Score"},
      {1, "/poe.v1.ProductOfExperts/ScoreStream"},
      {1, "/poe.v1.ProductOfExperts/Reconstruct"},
      {1, "/poe.v1.ProductOfExperts/Sample"},
      {1, kListModels},
      {1, "/poe.v1.ModelRegistry/GetModel"},
      {1, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"},
      {2, "/poe.v1.ProductOfExperts/Train"},
      {2, "/poe.v1.TrainingJobs/GetJob"},
      {2, "/poe.v1.TrainingJobs/ListJobs"},
      {2, "/poe.v1.TrainingJobs/WatchJob"},
      {2, "/poe.v1.TrainingJobs/CancelJob"},
      {2, "/poe.v1.TrainingJobs/PublishCheckpoint"},
      {2, "/poe.v1.TrainingJobs/DeleteJob"},
      {3, "/poe.v1.ModelRegistry/LoadModel"},
      {3, "/poe.v1.ModelRegistry/UnloadModel"},
      {3, "/poe.v1.ModelRegistry/DeleteModel"},
      {3, "/poe.v1.ModelRegistry/SetLabel"},
      {3, "/poe.v1.ModelRegistry/ClearLabel"},
      {3, "/poe.v1.ModelRegistry/ExportModel"},
      {3, "/poe.v1.ModelRegistry/ImportModel"},
      {3, "/poe.v1.Cats/Feed"},
  };
  const char* tokens[] = {"", "Bearer wrong", "Bearer score-token",
                          "Bearer train-token", "Bearer admin-token"};
  for (const auto& [least, method] : cases) {
    for (int n = 0; n < 5; ++n) {
      const grpc::Status status = Call(channel_, method, tokens[n]);
      const int role = n - 1;
      if (role < 1) {
        EXPECT_EQ(status.error_code(), grpc::UNAUTHENTICATED)
            << method << " with " << tokens[n];
      } else if (role < least) {
        EXPECT_EQ(status.error_code(), grpc::PERMISSION_DENIED)
            << method << " with " << tokens[n];
      } else {
        EXPECT_NE(status.error_code(), grpc::UNAUTHENTICATED) << method;
        EXPECT_NE(status.error_code(), grpc::PERMISSION_DENIED) << method;
        EXPECT_NE(status.error_code(), grpc::UNAVAILABLE) << method;
      }
    }
  }
}

TEST_P(TokensTest, ParametersOfAModelNeedTheRoleThatExportsIt) {
  const auto stub = v1::ModelRegistry::NewStub(channel_);
  for (const bool whole : {false, true}) {
    for (const absl::string_view role : {"score", "train", "admin"}) {
      grpc::ClientContext context;
      context.AddMetadata("authorization",
                          absl::StrCat("Bearer ", role, "-token"));
      v1::GetModelRequest request;
      request.mutable_model()->set_name("bits");
      request.set_include_parameters(whole);
      v1::GetModelResponse response;
      const grpc::Status status = stub->GetModel(&context, request, &response);
      if (whole && role != "admin") {
        EXPECT_EQ(status.error_code(), grpc::PERMISSION_DENIED) << role;
        EXPECT_EQ(ErrorReason(status), "ROLE_TOO_LOW");
        EXPECT_THAT(status.error_message(), HasSubstr("include_parameters: "));
        EXPECT_FALSE(response.has_info());
      } else {
        EXPECT_TRUE(status.ok()) << role << status.error_message();
        EXPECT_EQ(response.info().num_experts(), 2);
        EXPECT_EQ(response.has_parameters(), whole);
      }
    }
  }
}

TEST_P(TokensTest, RefusalsSayWhatIsWrong) {
  EXPECT_THAT(Call(channel_, kListModels).error_message(),
              HasSubstr("[TOKEN_MISSING]"));
  EXPECT_THAT(Call(channel_, kListModels, "admin-token").error_message(),
              HasSubstr("[TOKEN_MALFORMED]"));
  EXPECT_THAT(Call(channel_, kListModels, "Bearer wrong").error_message(),
              HasSubstr("[TOKEN_UNKNOWN]"));
  EXPECT_THAT(
      Call(channel_, "/poe.v1.ModelRegistry/DeleteModel", "Bearer train-token")
          .error_message(),
      HasSubstr("needs the role admin; the token of train-name has the "
                "role train [ROLE_TOO_LOW]"));
  const std::string metrics = server().MetricsText();
  for (const char* reason :
       {"TOKEN_MISSING", "TOKEN_MALFORMED", "TOKEN_UNKNOWN", "ROLE_TOO_LOW"}) {
    EXPECT_THAT(metrics, HasSubstr(absl::StrCat(
                             R"(poe_refusals_total{where="grpc",reason=")",
                             reason, "\"} 1\n")));
  }
}

TEST_P(TokensTest, HealthNeedsNone) {
  EXPECT_TRUE(Call(channel_, kHealth).ok());
  EXPECT_TRUE(Call(channel_, kHealth, "Bearer wrong").ok());
}

INSTANTIATE_TEST_SUITE_P(Ports, TokensTest, ::testing::Bool(),
                         [](const auto& info) {
                           return info.param ? "Tls" : "PlainText";
                         });

}  // namespace
}  // namespace poe::server
