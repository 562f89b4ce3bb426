// poe.v1.ModelRegistry over a real connection.

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/protobuf/empty.pb.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "server/codec/model_codec.h"
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

TEST_F(RegistryServiceTest, CopyingModelsIsNotBuiltYet) {
  grpc::ClientContext export_context, import_context;
  v1::ExportModelRequest request;
  auto exported = registry().ExportModel(&export_context, request);
  v1::ModelFileChunk chunk;
  EXPECT_FALSE(exported->Read(&chunk));
  const grpc::Status status = exported->Finish();
  EXPECT_EQ(status.error_code(), grpc::UNIMPLEMENTED);
  EXPECT_EQ(ErrorReason(status), "NOT_BUILT_YET");

  v1::ModelInfo info;
  auto imported = registry().ImportModel(&import_context, &info);
  imported->WritesDone();
  EXPECT_EQ(imported->Finish().error_code(), grpc::UNIMPLEMENTED);
}

using EmptyRegistryTest = ServingTest;

TEST_F(EmptyRegistryTest, ListsNothing) {
  StartServer();
  grpc::ClientContext context;
  v1::ListModelsResponse response;
  ASSERT_TRUE(registry().ListModels(&context, {}, &response).ok());
  EXPECT_THAT(response.models(), IsEmpty());
}

}  // namespace
}  // namespace poe::server
