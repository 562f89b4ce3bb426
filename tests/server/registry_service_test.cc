// poe.v1.ModelRegistry over a real connection.

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "google/protobuf/empty.pb.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "server/codec/model_codec.h"
#include "server/executor.h"
#include "server/model_repository.h"
#include "server/services/model_registry_service.h"
#include "tests/server/serving_test.h"

namespace poe::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class RegistryServiceTest : public DigitsServingTest {
 protected:
  grpc::Status List(int page_size, const std::string& token,
                    v1::ListModelsResponse& response) {
    v1::ListModelsRequest request;
    request.set_page_size(page_size);
    request.set_page_token(token);
    grpc::ClientContext context;
    return registry().ListModels(&context, request, &response);
  }

  grpc::Status Get(const v1::GetModelRequest& request,
                   v1::GetModelResponse& response) {
    grpc::ClientContext context;
    return registry().GetModel(&context, request, &response);
  }

  grpc::Status Load(const std::string& name, std::int64_t version,
                    v1::ModelInfo& info) {
    v1::LoadModelRequest request;
    request.set_name(name);
    request.set_version(version);
    grpc::ClientContext context;
    return registry().LoadModel(&context, request, &info);
  }

  grpc::Status Unload(const std::string& name, std::int64_t version,
                      v1::ModelInfo& info) {
    v1::UnloadModelRequest request;
    request.set_name(name);
    request.set_version(version);
    grpc::ClientContext context;
    return registry().UnloadModel(&context, request, &info);
  }

  grpc::Status Delete(const std::string& name, std::int64_t version) {
    v1::DeleteModelRequest request;
    request.set_name(name);
    request.set_version(version);
    grpc::ClientContext context;
    google::protobuf::Empty response;
    return registry().DeleteModel(&context, request, &response);
  }

  grpc::Status SetLabel(const std::string& name, const std::string& label,
                        std::int64_t version, v1::ModelInfo& info) {
    v1::SetLabelRequest request;
    request.set_name(name);
    request.set_label(label);
    request.set_version(version);
    grpc::ClientContext context;
    return registry().SetLabel(&context, request, &info);
  }

  grpc::Status ClearLabel(const std::string& name, const std::string& label,
                          v1::ModelInfo& info) {
    v1::ClearLabelRequest request;
    request.set_name(name);
    request.set_label(label);
    grpc::ClientContext context;
    return registry().ClearLabel(&context, request, &info);
  }

  // Scores a row of "digits"; the version that answered.
  grpc::Status Score(const v1::ModelSelector& selector, std::int64_t& version) {
    v1::ScoreRequest request;
    *request.mutable_model() = selector;
    *request.mutable_observations() =
        ToObservations(RandomBits(1, kDimension, 1));
    grpc::ClientContext context;
    v1::ScoreResponse response;
    const grpc::Status status = stub().Score(&context, request, &response);
    version = response.model().version();
    return status;
  }
};

v1::ModelSelector Version(const std::string& name, std::int64_t version) {
  v1::ModelSelector selector;
  selector.set_name(name);
  selector.set_version(version);
  return selector;
}

std::vector<std::string> Names(const v1::ListModelsResponse& response) {
  std::vector<std::string> names;
  for (const v1::ModelInfo& model : response.models()) {
    names.push_back(model.name());
  }
  return names;
}

std::vector<std::int64_t> Versions(const v1::ModelInfo& info) {
  std::vector<std::int64_t> versions;
  for (const v1::VersionInfo& version : info.versions()) {
    versions.push_back(version.version());
  }
  return versions;
}

TEST_F(RegistryServiceTest, ModelsAreListedByNameAndVersionsNewestFirst) {
  v1::ListModelsResponse response;
  ASSERT_TRUE(List(0, "", response).ok());
  EXPECT_THAT(Names(response), ElementsAre("density", "digits", "large"));
  EXPECT_EQ(response.next_page_token(), "");
  EXPECT_THAT(Versions(response.models(1)), ElementsAre(2, 1));
  const v1::VersionInfo& newest = response.models(1).versions(0);
  EXPECT_EQ(newest.state(), v1::VersionInfo::STATE_AVAILABLE);
  EXPECT_THAT(newest.class_names(), ElementsAre("two", "three"));
  EXPECT_EQ(newest.num_experts(), 5);
  EXPECT_EQ(newest.num_parameters(), 2 * (kDimension * 5 + 5 + kDimension));
  EXPECT_EQ(newest.data_spec().dimension(), kDimension);
  EXPECT_GT(newest.bytes(), 0);
}

TEST_F(RegistryServiceTest, PagesFollowEachOther) {
  v1::ListModelsResponse first, second;
  ASSERT_TRUE(List(2, "", first).ok());
  EXPECT_THAT(Names(first), ElementsAre("density", "digits"));
  ASSERT_NE(first.next_page_token(), "");
  ASSERT_TRUE(List(2, first.next_page_token(), second).ok());
  EXPECT_THAT(Names(second), ElementsAre("large"));
  EXPECT_EQ(second.next_page_token(), "");
  v1::ListModelsResponse none;
  EXPECT_EQ(List(-1, "", none).error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(List(1001, "", none).error_code(), grpc::INVALID_ARGUMENT);
}

TEST_F(RegistryServiceTest, ParametersComeOnlyIfAskedFor) {
  v1::GetModelRequest request;
  *request.mutable_model() = Version("digits", 1);
  v1::GetModelResponse response;
  ASSERT_TRUE(Get(request, response).ok());
  EXPECT_EQ(response.model().version(), 1);
  EXPECT_EQ(response.info().version(), 1);
  EXPECT_FALSE(response.has_parameters());

  request.set_include_parameters(true);
  ASSERT_TRUE(Get(request, response).ok());
  EXPECT_EQ(response.parameters().SerializeAsString(),
            EncodeModel(digits()).SerializeAsString());
}

TEST_F(RegistryServiceTest, UnknownModelsVersionsAndNamesAreRefused) {
  v1::GetModelRequest request;
  v1::GetModelResponse response;
  v1::ModelInfo info;
  EXPECT_EQ(Get(request, response).error_code(), grpc::INVALID_ARGUMENT);
  *request.mutable_model() = Version("digits", 7);
  EXPECT_EQ(Get(request, response).error_code(), grpc::NOT_FOUND);
  *request.mutable_model() = Version("cats", 1);
  EXPECT_EQ(Get(request, response).error_code(), grpc::NOT_FOUND);
  EXPECT_EQ(Load("cats", 0, info).error_code(), grpc::NOT_FOUND);
  EXPECT_EQ(Load("digits", 7, info).error_code(), grpc::NOT_FOUND);
  EXPECT_EQ(Load("../digits", 1, info).error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(Unload("digits", 7, info).error_code(), grpc::NOT_FOUND);
  EXPECT_EQ(Delete("digits", 7).error_code(), grpc::NOT_FOUND);
  EXPECT_EQ(Delete("..", 0).error_code(), grpc::NOT_FOUND);
  EXPECT_TRUE(std::filesystem::exists(repository()));
  EXPECT_EQ(Delete("", 0).error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(SetLabel("digits", "best", 7, info).error_code(), grpc::NOT_FOUND);
  EXPECT_EQ(SetLabel("digits", "Best of all", 1, info).error_code(),
            grpc::INVALID_ARGUMENT);
  EXPECT_EQ(ClearLabel("digits", "best", info).error_code(), grpc::NOT_FOUND);
}

TEST_F(RegistryServiceTest, AnUnloadedVersionAnswersAgainOnceItIsLoaded) {
  v1::ModelInfo info;
  std::int64_t version = 0;
  ASSERT_TRUE(Unload("digits", 2, info).ok());
  EXPECT_EQ(info.versions(0).state(), v1::VersionInfo::STATE_UNLOADED);
  v1::ModelSelector latest;
  latest.set_name("digits");
  EXPECT_TRUE(Score(latest, version).ok());
  EXPECT_EQ(version, 1);
  EXPECT_EQ(Score(Version("digits", 2), version).error_code(),
            grpc::FAILED_PRECONDITION);

  ASSERT_TRUE(Unload("digits", 0, info).ok());
  EXPECT_EQ(Score(latest, version).error_code(), grpc::FAILED_PRECONDITION);

  ASSERT_TRUE(Load("digits", 0, info).ok());
  EXPECT_EQ(info.versions(0).state(), v1::VersionInfo::STATE_AVAILABLE);
  EXPECT_TRUE(Score(latest, version).ok());
  EXPECT_EQ(version, 2);
}

TEST_F(RegistryServiceTest, LabelsChooseTheVersionThatAnswers) {
  v1::ModelInfo info;
  std::int64_t version = 0;
  ASSERT_TRUE(SetLabel("digits", "stable", 1, info).ok());
  ASSERT_TRUE(SetLabel("digits", "canary", 2, info).ok());
  EXPECT_THAT(info.labels(),
              UnorderedElementsAre(Pair("stable", 1), Pair("canary", 2)));
  v1::ModelSelector stable;
  stable.set_name("digits");
  stable.set_label("stable");
  ASSERT_TRUE(Score(stable, version).ok());
  EXPECT_EQ(version, 1);

  ASSERT_TRUE(SetLabel("digits", "stable", 2, info).ok());
  ASSERT_TRUE(Score(stable, version).ok());
  EXPECT_EQ(version, 2);

  ASSERT_TRUE(ClearLabel("digits", "stable", info).ok());
  EXPECT_THAT(info.labels(), UnorderedElementsAre(Pair("canary", 2)));
  const grpc::Status status = Score(stable, version);
  EXPECT_EQ(status.error_code(), grpc::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("stable"));
}

TEST_F(RegistryServiceTest, DeletedVersionsAreGoneFromTheDisk) {
  v1::ModelInfo info;
  ASSERT_TRUE(SetLabel("digits", "stable", 2, info).ok());
  EXPECT_EQ(Delete("digits", 2).error_code(), grpc::FAILED_PRECONDITION);
  ASSERT_TRUE(Delete("digits", 1).ok());
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(repository()) /
                                       "digits" / "1"));
  ASSERT_TRUE(Delete("digits", 0).ok());
  v1::ListModelsResponse response;
  ASSERT_TRUE(List(0, "", response).ok());
  EXPECT_THAT(Names(response), ElementsAre("density", "large"));
}

using Chunks = std::vector<v1::ModelFileChunk>;

class CopyingTest : public RegistryServiceTest {
 protected:
  grpc::Status Export(const v1::ModelSelector& model, Chunks& chunks) {
    v1::ExportModelRequest request;
    *request.mutable_model() = model;
    grpc::ClientContext context;
    auto stream = registry().ExportModel(&context, request);
    v1::ModelFileChunk chunk;
    while (stream->Read(&chunk)) chunks.push_back(chunk);
    return stream->Finish();
  }

  Chunks Exported(const std::string& name) {
    v1::ModelSelector model;
    model.set_name(name);
    Chunks chunks;
    EXPECT_TRUE(Export(model, chunks).ok());
    return chunks;
  }

  grpc::Status Import(const std::string& name, std::int64_t version,
                      const Chunks& chunks, v1::ModelInfo& info) {
    grpc::ClientContext context;
    auto stream = registry().ImportModel(&context, &info);
    v1::ImportModelRequest request;
    request.mutable_model()->set_name(name);
    request.mutable_model()->set_version(version);
    bool open = stream->Write(request);
    for (const v1::ModelFileChunk& chunk : chunks) {
      request.Clear();
      *request.mutable_chunk() = chunk;
      open = open && stream->Write(request);
    }
    stream->WritesDone();
    return stream->Finish();
  }

  // Of an import that must change nothing.
  void ExpectRefused(const Chunks& chunks, grpc::StatusCode code,
                     const std::string& text) {
    v1::ModelInfo info;
    const grpc::Status status = Import("copy", 0, chunks, info);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(text));
    v1::ListModelsResponse response;
    EXPECT_TRUE(List(0, "", response).ok());
    EXPECT_THAT(Names(response), ElementsAre("density", "digits", "large"));
    EXPECT_TRUE(std::filesystem::is_empty(std::filesystem::path(repository()) /
                                          ".tmp"));
  }
};

TEST_F(CopyingTest, ACopyAnswersWithTheSameBits) {
  const Chunks chunks = Exported("digits");
  ASSERT_GE(chunks.size(), 2u);
  EXPECT_EQ(chunks[0].file(), "MANIFEST");
  EXPECT_EQ(chunks[1].file(), "model.pb");
  v1::ModelInfo info;
  const grpc::Status status = Import("copy", 0, chunks, info);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_THAT(info.versions(), SizeIs(1));
  EXPECT_EQ(info.versions(0).version(), 1);
  EXPECT_EQ(info.versions(0).state(), v1::VersionInfo::STATE_AVAILABLE);
  // As it is stored, to the bit.
  const Chunks again = Exported("copy");
  ASSERT_EQ(again.size(), chunks.size());
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    EXPECT_EQ(again[i].data(), chunks[i].data());
  }
  ASSERT_TRUE(Import("copy", 7, chunks, info).ok());
  EXPECT_EQ(info.versions(0).version(), 7);
  ASSERT_TRUE(Import("copy", 0, chunks, info).ok());
  EXPECT_EQ(info.versions(0).version(), 8);
}

TEST_F(CopyingTest, LargeModelsComeInPieces) {
  const Chunks chunks = Exported("large");
  EXPECT_GT(chunks.size(), 2u);
  for (const v1::ModelFileChunk& chunk : chunks) {
    EXPECT_LE(chunk.data().size(), std::size_t{1} << 20);
  }
  v1::ModelInfo info;
  EXPECT_TRUE(Import("copy", 0, chunks, info).ok());
}

TEST_F(CopyingTest, WhatDoesNotFitIsRefusedAndLeavesNothing) {
  const Chunks good = Exported("digits");
  ExpectRefused({}, grpc::INVALID_ARGUMENT, "MANIFEST, which is missing");
  ExpectRefused({good[0]}, grpc::INVALID_ARGUMENT,
                "model.pb, which is missing");
  ExpectRefused({good[1]}, grpc::INVALID_ARGUMENT,
                "chunk.file is \"model.pb\"; must be MANIFEST now");
  Chunks chunks = good;
  chunks[1].set_file("../model.pb");
  ExpectRefused(chunks, grpc::INVALID_ARGUMENT, "must be model.pb now");
  chunks = good;
  chunks[1].mutable_data()->pop_back();
  ExpectRefused(chunks, grpc::INVALID_ARGUMENT,
                "chunk.data ended 1 bytes before the end of model.pb");
  chunks[1] = good[1];
  chunks[1].mutable_data()->push_back('x');
  ExpectRefused(chunks, grpc::INVALID_ARGUMENT, "chunk.data brings model.pb");
  chunks[1] = good[1];
  (*chunks[1].mutable_data())[9] ^= 1;
  ExpectRefused(chunks, grpc::DATA_LOSS, "model.pb is damaged");
  chunks = good;
  (*chunks[0].mutable_data())[20] ^= 1;
  ExpectRefused(chunks, grpc::DATA_LOSS, "MANIFEST is damaged");
  chunks = good;
  chunks[0].set_file_size(std::int64_t{1} << 40);
  ExpectRefused(chunks, grpc::INVALID_ARGUMENT, "chunk.file_size is");
  chunks = good;
  chunks.push_back(good[1]);
  ExpectRefused(chunks, grpc::INVALID_ARGUMENT, "all files have come");
  chunks = good;
  chunks[0].clear_file();
  ExpectRefused(chunks, grpc::INVALID_ARGUMENT, "chunk.file is missing");
}

TEST_F(CopyingTest, AVersionIsNeverReplaced) {
  const Chunks chunks = Exported("density");
  v1::ModelInfo info;
  const grpc::Status status = Import("digits", 1, chunks, info);
  EXPECT_EQ(status.error_code(), grpc::ALREADY_EXISTS);
  EXPECT_EQ(ErrorReason(status), "VERSION_EXISTS");
  EXPECT_EQ(Import("../x", 0, chunks, info).error_code(),
            grpc::INVALID_ARGUMENT);
  EXPECT_EQ(Import("copy", -1, chunks, info).error_code(),
            grpc::INVALID_ARGUMENT);
}

TEST_F(CopyingTest, AStreamThatBreaksLeavesNothing) {
  const Chunks chunks = Exported("large");
  {
    grpc::ClientContext context;
    v1::ModelInfo info;
    auto stream = registry().ImportModel(&context, &info);
    v1::ImportModelRequest request;
    request.mutable_model()->set_name("copy");
    *request.mutable_chunk() = chunks[0];
    ASSERT_TRUE(stream->Write(request));
    request.Clear();
    *request.mutable_chunk() = chunks[1];
    ASSERT_TRUE(stream->Write(request));
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::CANCELLED);
  }
  // The server hears of it a little later.
  const auto temporary = std::filesystem::path(repository()) / ".tmp";
  for (int i = 0; i < 500 && !std::filesystem::is_empty(temporary); ++i) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_TRUE(std::filesystem::is_empty(temporary));
}

TEST_F(CopyingTest, ExportNamesWhatThereIsNot) {
  v1::ModelSelector model;
  Chunks chunks;
  EXPECT_EQ(Export(model, chunks).error_code(), grpc::INVALID_ARGUMENT);
  model.set_name("nothing");
  EXPECT_EQ(Export(model, chunks).error_code(), grpc::NOT_FOUND);
  model.set_name("digits");
  model.set_version(99);
  EXPECT_EQ(Export(model, chunks).error_code(), grpc::NOT_FOUND);
  EXPECT_THAT(chunks, IsEmpty());
}

using EmptyRegistryTest = ServingTest;

TEST_F(EmptyRegistryTest, ListsNothing) {
  StartServer();
  grpc::ClientContext context;
  v1::ListModelsResponse response;
  ASSERT_TRUE(registry().ListModels(&context, {}, &response).ok());
  EXPECT_THAT(response.models(), IsEmpty());
}

using BusyFilesTest = ServingTest;

TEST_F(BusyFilesTest, AModelIsToldWhileFilesAreReadForAnother) {
  Publish("bits", RandomModel(4, 2, {"data"}, 1));
  const auto repository = ModelRepository::Open(this->repository());
  ASSERT_TRUE(repository.ok()) << repository.status();
  absl::Notification read;
  Executor files(1, 1);
  EXPECT_TRUE(
      files
          .Submit({.check = [] { return absl::OkStatus(); },
                   .run = [&](absl::Status) { read.WaitForNotification(); }})
          .ok());
  ModelRegistryService service(**repository, files, files, nullptr);
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("localhost:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  const auto stub = v1::ModelRegistry::NewStub(grpc::CreateChannel(
      absl::StrCat("localhost:", port), grpc::InsecureChannelCredentials()));
  v1::GetModelRequest request;
  request.mutable_model()->set_name("bits");
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(30)));
  v1::GetModelResponse response;
  const grpc::Status status = stub->GetModel(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.info().num_experts(), 2);
  read.Notify();
}

}  // namespace
}  // namespace poe::server
