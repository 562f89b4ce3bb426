// The program itself: its command line, its signals, its exit status.

#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "poe/v1/registry.grpc.pb.h"
#include "poe/v1/scoring.grpc.pb.h"
#include "poe/v1/training.pb.h"
#include "server/model_repository.h"
#include "tests/e2e/program.h"
#include "tests/server/repository_testing.h"

namespace poe::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class ServerBinaryTest : public ::testing::Test {
 protected:
  ServerBinaryTest() {
    std::string path = ::testing::TempDir() + "/poe_e2e_XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path;
  }
  ~ServerBinaryTest() override { std::filesystem::remove_all(folder_); }

  std::string RepositoryFlag() const {
    return absl::StrCat("--repository=", (folder_ / "models").string());
  }

  // The address in "listening on HOST:PORT".
  static std::string ReadAddress(Program& program) {
    const std::string line = program.ReadLineWith("listening on ");
    absl::string_view address = line;
    EXPECT_TRUE(absl::ConsumePrefix(&address, "listening on ")) << line;
    return std::string(address);
  }

  static grpc::Status ListModels(const std::string& address) {
    auto stub = v1::ModelRegistry::NewStub(
        grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    v1::ListModelsResponse response;
    return stub->ListModels(&context, {}, &response);
  }

  std::filesystem::path folder_;
};

TEST_F(ServerBinaryTest, AnswersOnAFreePortUntilSigtermAndExitsWithZero) {
  Program program({RepositoryFlag(), "--listen=localhost:0"});
  const std::string address = ReadAddress(program);
  const grpc::Status status = ListModels(address);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(std::filesystem::is_directory(folder_ / "models"));
  program.Signal(SIGTERM);
  EXPECT_EQ(program.Wait(), 0);
}

TEST_F(ServerBinaryTest, SigintEndsItWellToo) {
  Program program({RepositoryFlag(), "--listen=localhost:0"});
  ReadAddress(program);
  program.Signal(SIGINT);
  EXPECT_EQ(program.Wait(), 0);
}

TEST_F(ServerBinaryTest, ASignalWhileModelsAreLoadedEndsItBeforeItListens) {
  constexpr int kVersions = 3000;
  const std::filesystem::path model = folder_ / "models" / "digits";
  {
    auto opened = ModelRepository::Open((folder_ / "models").string());
    ASSERT_TRUE(opened.ok()) << opened.status();
    PublishTwoBits(**opened, "digits", 1);
  }
  for (int version = 2; version <= kVersions; ++version) {
    const std::filesystem::path copy = model / absl::StrCat(version);
    std::filesystem::create_directory(copy);
    for (const char* file : {"model.pb", "MANIFEST"}) {
      std::filesystem::create_hard_link(model / "1" / file, copy / file);
    }
  }
  Program program(
      {RepositoryFlag(), "--listen=localhost:0", "--version_policy=all"});
  // Of the lines that follow, more than a pipe takes, most are unread: it
  // cannot be done before the signal comes.
  EXPECT_NE(program.ReadLineWith("is loaded"), "");
  program.Signal(SIGTERM);
  EXPECT_THAT(program.ReadAll(), AllOf(HasSubstr("told to end before"),
                                       Not(HasSubstr("listening on"))));
  EXPECT_EQ(program.Wait(), 0);
}

TEST_F(ServerBinaryTest, ASecondSignalCutsTheDrainShort) {
  Program program(
      {RepositoryFlag(), "--listen=localhost:0", "--drain_seconds=600"});
  auto stub = v1::ProductOfExperts::NewStub(grpc::CreateChannel(
      ReadAddress(program), grpc::InsecureChannelCredentials()));
  // An upload that has begun and does not go on holds up the drain.
  grpc::ClientContext context;
  auto stream = stub->Train(&context);
  v1::TrainRequest request;
  request.mutable_start()->set_model_name("digits");
  request.mutable_start()->mutable_data_spec()->set_family(
      v1::FAMILY_BERNOULLI);
  request.mutable_start()->mutable_data_spec()->set_dimension(4);
  v1::GroupSettings& group =
      *request.mutable_start()->add_products()->add_groups();
  group.set_num_experts(2);
  group.mutable_bernoulli_units();
  v1::TrainResponse response;
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  const absl::Time start = absl::Now();
  program.Signal(SIGTERM);
  EXPECT_NE(program.ReadLineWith("finishing calls"), "");
  program.Signal(SIGTERM);
  EXPECT_EQ(program.Wait(), 0);
  EXPECT_LT(absl::Now() - start, absl::Seconds(60));
  while (stream->Read(&response)) {
  }
  stream->Finish();
}

TEST_F(ServerBinaryTest, ALameDuckTakesCallsUntilItsTimeOrASecondSignal) {
  {
    Program program(
        {RepositoryFlag(), "--listen=localhost:0", "--lame_duck_seconds=600"});
    const std::string address = ReadAddress(program);
    program.Signal(SIGTERM);
    EXPECT_NE(program.ReadLineWith("not serving, and taking calls"), "");
    EXPECT_TRUE(ListModels(address).ok());
    program.Signal(SIGTERM);
    EXPECT_EQ(program.Wait(), 0);
  }
  Program program(
      {RepositoryFlag(), "--listen=localhost:0", "--lame_duck_seconds=0.2"});
  ReadAddress(program);
  program.Signal(SIGTERM);
  EXPECT_NE(program.ReadLineWith("finishing calls"), "");
  EXPECT_EQ(program.Wait(), 0);
}

TEST_F(ServerBinaryTest, SignalsChangeTheLevelOfTheLog) {
  Program program(
      {RepositoryFlag(), "--listen=localhost:0", "--log_format=json"});
  const std::string address = ReadAddress(program);
  program.Signal(SIGUSR1);
  EXPECT_NE(program.ReadLineWith("log level debug"), "");
  EXPECT_TRUE(ListModels(address).ok());
  EXPECT_THAT(program.ReadLineWith("ListModels"),
              AllOf(StartsWith("{"), HasSubstr("\"level\":\"debug\""),
                    HasSubstr("\"message\":\"request\"")));
  program.Signal(SIGUSR2);
  EXPECT_NE(program.ReadLineWith("log level info"), "");
  program.Signal(SIGTERM);
  EXPECT_EQ(program.Wait(), 0);
}

// Names of flags in the help and in the settings are the same.
TEST_F(ServerBinaryTest, EveryFlagIsASetting) {
  Program print({"--print_config", "--threads=3"});
  const std::string settings = print.ReadAll();
  EXPECT_EQ(print.Wait(), 0);
  EXPECT_THAT(settings, HasSubstr("# command line"));
  Program help({"--help"});
  std::set<std::string> flags = {"--config", "--print_config"}, named;
  for (absl::string_view line : absl::StrSplit(settings, '\n')) {
    if (line.empty()) continue;
    flags.insert(absl::StrCat("--", line.substr(0, line.find(':'))));
  }
  for (absl::string_view line : absl::StrSplit(help.ReadAll(), '\n')) {
    if (!absl::ConsumePrefix(&line, "  --")) continue;
    named.insert(absl::StrCat("--", line.substr(0, line.find(' '))));
  }
  EXPECT_EQ(named, flags);
}

TEST_F(ServerBinaryTest, ABadFileOrVariableStopsTheStart) {
  const std::string path = (folder_ / "config.txtpb").string();
  std::ofstream(path) << "threads: 2\nlisten_on: \"x\"\n";
  Program file({"--config=" + path});
  EXPECT_THAT(file.ReadAll(), HasSubstr("config.txtpb: line 2"));
  EXPECT_EQ(file.Wait(), 2);
  setenv("POE_SERVER_THREAD", "1", 1);
  Program variable({"--print_config"});
  unsetenv("POE_SERVER_THREAD");
  EXPECT_EQ(variable.Wait(), 2);
  std::ofstream(path) << "threads: 2\nmax_rows: 7\nmax_steps: 8\n";
  setenv("POE_SERVER_MAX_ROWS", "9", 1);
  setenv("POE_SERVER_MAX_STEPS", "9", 1);
  Program good({"--print_config", "--config=" + path, "--max_steps=10"});
  unsetenv("POE_SERVER_MAX_ROWS");
  unsetenv("POE_SERVER_MAX_STEPS");
  const std::string settings = good.ReadAll();
  EXPECT_THAT(settings, HasSubstr("threads: 2 "));
  EXPECT_THAT(settings, HasSubstr("max_rows: 9 "));
  EXPECT_THAT(settings, HasSubstr("# POE_SERVER_MAX_ROWS"));
  EXPECT_THAT(settings, HasSubstr("max_steps: 10 "));
}

TEST_F(ServerBinaryTest, HelpListsTheFlags) {
  Program program({"--help"});
  const std::string help = program.ReadAll();
  EXPECT_THAT(help, StartsWith("poe-server: "));
  for (const char* flag : {"--repository",
                           "--listen",
                           "--threads",
                           "--training_threads",
                           "--data_directory",
                           "--max_training_rows",
                           "--max_training_bytes",
                           "--max_experts",
                           "--max_training_seconds",
                           "--max_rows",
                           "--max_steps",
                           "--max_work",
                           "--http_connections_per_client",
                           "--max_message_bytes",
                           "--batch_rows",
                           "--batch_delay_ms",
                           "--queue_calls",
                           "--max_bytes_in_flight",
                           "--drain_seconds",
                           "--log_level",
                           "--lame_duck_seconds",
                           "--log_format",
                           "--log_sample",
                           "--version_policy",
                           "--keep_versions",
                           "--poll_seconds",
                           "--read_only",
                           "--checkpoint_seconds",
                           "--tls_certificate",
                           "--tls_key",
                           "--tls_client_ca",
                           "--tokens",
                           "--allow_insecure_listen",
                           "--connections_per_client",
                           "--max_connections",
                           "--max_concurrent_streams",
                           "--max_connection_age_seconds"}) {
    EXPECT_THAT(help, HasSubstr(flag));
  }
  EXPECT_EQ(program.Wait(), 0);
}

TEST_F(ServerBinaryTest, MistakesOnTheCommandLineAreNamed) {
  const struct {
    std::vector<std::string> arguments;
    const char* message;
  } cases[] = {
      {{}, "--repository DIR is required"},
      {{RepositoryFlag(), "extra"}, "unexpected argument \"extra\""},
      {{RepositoryFlag(), "--max_experts=0"}, "max_experts is 0; must be"},
      {{RepositoryFlag(), "--max_training_seconds=-1"},
       "--max_training_seconds must not be negative"},
      {{RepositoryFlag(), "--data_directory=/nowhere"},
       "data_directory is /nowhere, which is no folder"},
      {{RepositoryFlag(), "--log_level=loud"}, "--log_level loud"},
      {{RepositoryFlag(), "--log_format=xml"}, "--log_format xml"},
      {{RepositoryFlag(), "--log_sample=-1"}, "log_sample is -1"},
      {{RepositoryFlag(), "--drain_seconds=-1"}, "--drain_seconds"},
      {{RepositoryFlag(), "--lame_duck_seconds=-1"}, "--lame_duck_seconds"},
      {{RepositoryFlag(), "--threads=-1"}, "threads is -1"},
      {{RepositoryFlag(), "--max_rows=0"}, "max_rows is 0"},
      {{RepositoryFlag(), "--listen=8500"}, "must be HOST:PORT"},
      {{RepositoryFlag(), "--listen=localhost:70000"}, "must be HOST:PORT"},
      {{RepositoryFlag(), "--no_such_flag"}, "no_such_flag"},
      {{RepositoryFlag(), "--tls_key=/nowhere"}, "tls_certificate and tls_key"},
      {{RepositoryFlag(), "--tokens=/nowhere"}, "tokens: cannot read /nowhere"},
      {{"--repository=/proc/poe"}, "/proc/poe"},
  };
  for (const auto& [arguments, message] : cases) {
    Program program(arguments);
    EXPECT_THAT(program.ReadAll(), HasSubstr(message));
    EXPECT_GT(program.Wait(), 0) << message;
  }
}

TEST_F(ServerBinaryTest, SettingsThatCannotBeAreNotPrinted) {
  const struct {
    std::vector<std::string> arguments;
    const char* message;
  } cases[] = {
      {{"--max_bytes_in_flight=1"}, "max_bytes_in_flight is 1"},
      {{"--tls_client_ca=ca.pem"}, "tls_certificate and tls_key"},
      {{"--listen=8500"}, "must be HOST:PORT"},
      {{"--version_policy=some"}, "version_policy: "},
      {{"--log_level=loud"}, "--log_level loud"},
      {{"--read_only", "--keep_versions=3"}, "keep_versions is 3"},
      {{"--http_connections_per_client=3"},
       "http_connections_per_client is 3 (command line), which has no effect"},
  };
  for (const auto& [arguments, message] : cases) {
    std::vector<std::string> printing = arguments;
    printing.push_back("--print_config");
    for (const std::vector<std::string>& all : {arguments, printing}) {
      Program program(all);
      EXPECT_THAT(program.ReadAll(), HasSubstr(message));
      EXPECT_EQ(program.Wait(), 2) << message;
    }
  }
}

TEST_F(ServerBinaryTest, WhatIsPrintedIsAFileToStartWith) {
  Program print({"--print_config", "--read_only", RepositoryFlag()});
  const std::string path = (folder_ / "config.txtpb").string();
  std::ofstream(path) << print.ReadAll();
  EXPECT_EQ(print.Wait(), 0);
  Program again({"--print_config", "--config=" + path});
  EXPECT_THAT(again.ReadAll(), HasSubstr("read_only: true "));
  EXPECT_EQ(again.Wait(), 0);
}

TEST_F(ServerBinaryTest, PlainTextThatOtherMachinesReachNeedsItsFlag) {
  Program refused({RepositoryFlag(), "--listen=0.0.0.0:0"});
  EXPECT_THAT(refused.ReadAll(), HasSubstr("refused to listen on 0.0.0.0:0"));
  EXPECT_EQ(refused.Wait(), 2);

  Program allowed(
      {RepositoryFlag(), "--listen=0.0.0.0:0", "--allow_insecure_listen"});
  EXPECT_THAT(ReadAddress(allowed), StartsWith("0.0.0.0:"));
  allowed.Signal(SIGTERM);
  EXPECT_EQ(allowed.Wait(), 0);
}

TEST_F(ServerBinaryTest, AnAddressInUseIsAnError) {
  Program first({RepositoryFlag(), "--listen=localhost:0"});
  const std::string address = ReadAddress(first);
  Program second({absl::StrCat("--repository=", (folder_ / "other").string()),
                  absl::StrCat("--listen=", address)});
  EXPECT_THAT(second.ReadAll(), HasSubstr("Address already in use"));
  EXPECT_GT(second.Wait(), 0);
  EXPECT_TRUE(ListModels(address).ok());
  first.Signal(SIGTERM);
  EXPECT_EQ(first.Wait(), 0);
}

}  // namespace
}  // namespace poe::server
