// What a server does with connections of gRPC, seen from outside.

#include "server/grpc_listener.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "server/files.h"
#include "server/listen_address.h"
#include "tests/server/certificates.h"
#include "tests/server/raw_connection.h"
#include "tests/server/serving_test.h"

namespace poe::server {
namespace {

using ::testing::HasSubstr;

class GrpcListenerTest : public ServingTest {
 protected:
  void StartWith(int connections_per_client, int max_connections = 100,
                 ServerOptions options = {}) {
    options.connections_per_client = connections_per_client;
    options.max_connections = max_connections;
    StartServer(options);
  }

  // With a connection of its own, from 127.0.0.1.
  std::shared_ptr<grpc::Channel> OwnChannel(
      const std::shared_ptr<grpc::ChannelCredentials>& credentials =
          grpc::InsecureChannelCredentials()) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
    return grpc::CreateCustomChannel(
        absl::StrCat("ipv4:127.0.0.1:", server().port()), credentials,
        arguments);
  }

  // Whether there is one for another connection within half a minute.
  bool GetsPlace() {
    const absl::Time end = absl::Now() + absl::Seconds(30);
    while (absl::Now() < end) {
      if (RawConnection(server().port()).IsAnswered()) return true;
      absl::SleepFor(absl::Milliseconds(10));
    }
    return false;
  }
};

grpc::Status ListModelsOn(const std::shared_ptr<grpc::Channel>& channel,
                          bool wait_for_ready) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(30)));
  context.set_wait_for_ready(wait_for_ready);
  v1::ListModelsResponse response;
  return v1::ModelRegistry::NewStub(channel)->ListModels(&context, {},
                                                         &response);
}

TEST_F(GrpcListenerTest, ConnectionsOfOneClientAreBounded) {
  StartWith(2);
  RawConnection first(server().port()), second(server().port());
  EXPECT_TRUE(first.IsAnswered());
  EXPECT_TRUE(second.IsAnswered());
  RawConnection third(server().port());
  EXPECT_TRUE(third.IsReset());
  RawConnection other(server().port(), "127.0.0.2");
  EXPECT_TRUE(other.IsAnswered());
  EXPECT_THAT(server().MetricsText(), HasSubstr("\npoe_connections 3\n"));
  EXPECT_THAT(server().MetricsText(),
              HasSubstr("\npoe_refusals_total{where=\"grpc\",reason="
                        "\"TOO_MANY_CONNECTIONS\"} 1\n"));
}

TEST_F(GrpcListenerTest, AllConnectionsTogetherAreBounded) {
  StartWith(2, 3);
  std::list<RawConnection> taken;
  for (const char* from : {"127.0.0.2", "127.0.0.3", "127.0.0.4"}) {
    EXPECT_TRUE(taken.emplace_back(server().port(), from).IsAnswered());
  }
  RawConnection next(server().port(), "127.0.0.5");
  EXPECT_TRUE(next.IsReset());
  taken.pop_front();
  EXPECT_TRUE(GetsPlace());
}

TEST_F(GrpcListenerTest, AClientThatIsRefusedHearsAtOnceAndComesBack) {
  StartWith(1);
  auto first = OwnChannel();
  ASSERT_TRUE(ListModelsOn(first, false).ok());
  const auto second = OwnChannel();
  const absl::Time begin = absl::Now();
  EXPECT_EQ(ListModelsOn(second, false).error_code(), grpc::UNAVAILABLE);
  EXPECT_LT(absl::Now() - begin, absl::Seconds(10));
  EXPECT_TRUE(ListModelsOn(first, false).ok());
  std::thread waiting([&] { EXPECT_TRUE(ListModelsOn(second, true).ok()); });
  first.reset();
  waiting.join();
}

TEST_F(GrpcListenerTest, PlacesOfConnectionsThatClientsCloseAreFree) {
  StartWith(1);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(GetsPlace());
  // Nor does it need a socket of the same number to come.
  std::list<FileDescriptor> others;
  for (int i = 0; i < 20; ++i) {
    absl::SleepFor(absl::Milliseconds(10));
    others.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  }
  EXPECT_TRUE(GetsPlace());
}

TEST_F(GrpcListenerTest, PlacesOfConnectionsThatTheServerEndsAreFree) {
  ServerOptions options;
  options.max_connection_age_seconds = 3;
  StartWith(1, 100, options);
  const auto aged = OwnChannel();
  ASSERT_TRUE(ListModelsOn(aged, false).ok());
  const auto next = OwnChannel();
  EXPECT_EQ(ListModelsOn(next, false).error_code(), grpc::UNAVAILABLE);
  EXPECT_TRUE(ListModelsOn(next, true).ok());
}

TEST_F(GrpcListenerTest, PlacesOfConnectionsWithoutTlsAreFree) {
  const CertificateAuthority authority;
  const Identity identity = authority.Issue();
  WriteTestFile(folder() / "server.key", identity.key);
  WriteTestFile(folder() / "server.pem", identity.certificate);
  ServerOptions options;
  options.tls = {.certificate = (folder() / "server.pem").string(),
                 .key = (folder() / "server.key").string()};
  StartWith(1, 100, options);
  RawConnection plain(server().port());
  plain.Send("no handshake at all\r\n\r\n");
  EXPECT_TRUE(plain.IsClosed());
  grpc::SslCredentialsOptions trusted;
  trusted.pem_root_certs = authority.certificate();
  EXPECT_TRUE(
      ListModelsOn(OwnChannel(grpc::SslCredentials(trusted)), true).ok());
}

TEST_F(GrpcListenerTest, OpenConnectionsDoNotHoldUpTheEnd) {
  StartWith(10);
  const auto idle = OwnChannel();
  ASSERT_TRUE(ListModelsOn(idle, false).ok());
  RawConnection silent(server().port());
  const int port = server().port();
  const absl::Time begin = absl::Now();
  server().Drain(absl::Seconds(1));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(10));
  EXPECT_TRUE(silent.IsClosed());
  // The port is free again.
  EXPECT_TRUE(ListenOn({"127.0.0.1", static_cast<std::uint16_t>(port)}).ok());
}

TEST_F(GrpcListenerTest, ALackOfFileDescriptorsIsOutlived) {
  ServerOptions options;
  options.poll_interval = absl::ZeroDuration();
  StartWith(10, 100, options);
  rlimit limit = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit old_limit = limit;
  {
    // One more, for the client's end.
    const FileDescriptor lowest(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    limit.rlim_cur = static_cast<rlim_t>(lowest.get()) + 1;
  }
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  RawConnection waiting(server().port());
  absl::SleepFor(absl::Milliseconds(300));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old_limit), 0);
  EXPECT_TRUE(waiting.IsAnswered());
}

}  // namespace
}  // namespace poe::server
