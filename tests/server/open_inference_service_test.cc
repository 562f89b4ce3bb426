// inference.GRPCInferenceService over a real connection.

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "inference/open_inference.grpc.pb.h"
#include "tests/server/serving_test.h"

namespace poe::server {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class OpenInferenceServiceTest : public DigitsServingTest {
 protected:
  OpenInferenceServiceTest()
      : open_(inference::GRPCInferenceService::NewStub(NewChannel())) {}

  // Calls a method of the protocol: Call(&Stub::ModelReady, request, response).
  template <typename Method, typename Request, typename Response>
  grpc::Status Call(Method method, const Request& request, Response* response) {
    grpc::ClientContext context;
    return (open_.get()->*method)(&context, request, response);
  }

  ModelInferResponse Infer(const ModelInferRequest& request) {
    ModelInferResponse response;
    const grpc::Status status = Call(&Stub::ModelInfer, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  bool IsReady(const std::string& name, const std::string& version) {
    inference::ModelReadyRequest request;
    request.set_name(name);
    request.set_version(version);
    inference::ModelReadyResponse response;
    const grpc::Status status = Call(&Stub::ModelReady, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.ready();
  }

  inference::ModelStatisticsResponse Statistics(const std::string& name,
                                                const std::string& version) {
    inference::ModelStatisticsRequest request;
    request.set_name(name);
    request.set_version(version);
    inference::ModelStatisticsResponse response;
    const grpc::Status status =
        Call(&Stub::ModelStatistics, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  using Stub = inference::GRPCInferenceService::Stub;

 private:
  std::unique_ptr<Stub> open_;
};

ModelInferRequest::InferInputTensor* AddTensor(const std::string& name,
                                               const std::string& datatype,
                                               const RowMatrix<float>& rows,
                                               ModelInferRequest* request) {
  auto* tensor = request->add_inputs();
  tensor->set_name(name);
  tensor->set_datatype(datatype);
  tensor->add_shape(rows.rows());
  tensor->add_shape(rows.cols());
  return tensor;
}

ModelInferRequest AskRaw(const std::string& model,
                         const RowMatrix<float>& rows) {
  ModelInferRequest request;
  request.set_model_name(model);
  AddTensor("x", "FP32", rows, &request);
  request.add_raw_input_contents(rows.data(), rows.size() * sizeof(float));
  return request;
}

ModelInferRequest AskTyped(const std::string& model,
                           const RowMatrix<float>& rows) {
  ModelInferRequest request;
  request.set_model_name(model);
  AddTensor("x", "FP32", rows, &request)
      ->mutable_contents()
      ->mutable_fp32_contents()
      ->Assign(rows.data(), rows.data() + rows.size());
  return request;
}

void SetTask(const std::string& task, ModelInferRequest* request) {
  (*request->mutable_parameters())["task"].set_string_param(task);
}

// The raw contents of an output, which must be there.
std::string RawOf(const ModelInferResponse& response, const std::string& name) {
  EXPECT_EQ(response.outputs_size(), response.raw_output_contents_size());
  for (int i = 0; i < response.outputs_size(); ++i)
    if (response.outputs(i).name() == name)
      return response.raw_output_contents(i);
  ADD_FAILURE() << "no output " << name;
  return "";
}

std::vector<std::string> SplitBytes(const std::string& raw) {
  std::vector<std::string> elements;
  for (std::size_t i = 0; i < raw.size();) {
    std::uint32_t length = 0;
    std::memcpy(&length, raw.data() + i, sizeof(length));
    elements.push_back(raw.substr(i + sizeof(length), length));
    i += sizeof(length) + length;
  }
  return elements;
}

TEST_F(OpenInferenceServiceTest, ScoresAreThoseOfScoreToTheBit) {
  for (const Index rows : {1, 300}) {
    const RowMatrix<float> bits = RandomBits(rows, kDimension, 5);
    v1::ScoreRequest asked;
    asked.mutable_model()->set_name("digits");
    asked.mutable_model()->set_version(1);
    *asked.mutable_observations() = ToObservations(bits);
    grpc::ClientContext context;
    v1::ScoreResponse scores;
    ASSERT_TRUE(stub().Score(&context, asked, &scores).ok());
    std::vector<std::string> labels;
    for (const std::int32_t label : scores.labels())
      labels.push_back(scores.class_names(label));

    for (ModelInferRequest request :
         {AskRaw("digits", bits), AskTyped("digits", bits)}) {
      request.set_model_version("1");
      request.set_id("q1");
      const ModelInferResponse response = Infer(request);
      EXPECT_EQ(response.model_name(), "digits");
      EXPECT_EQ(response.model_version(), "1");
      EXPECT_EQ(response.id(), "q1");
      ASSERT_EQ(response.outputs_size(), 4);
      EXPECT_THAT(response.outputs(0).shape(), ElementsAre(rows, 2));
      EXPECT_EQ(RawOf(response, "log_score"), scores.log_scores().data());
      EXPECT_THAT(SplitBytes(RawOf(response, "label")),
                  ElementsAreArray(labels));
      const std::string margins = RawOf(response, "margin");
      ASSERT_THAT(margins, SizeIs(rows * sizeof(double)));
      EXPECT_EQ(
          std::memcmp(margins.data(), scores.margins().data(), margins.size()),
          0);
      EXPECT_THAT(RawOf(response, "label_index"),
                  SizeIs(rows * sizeof(std::int64_t)));
    }
  }
}

TEST_F(OpenInferenceServiceTest, AskedOutputsAloneComeInTheirOrder) {
  ModelInferRequest request = AskRaw("digits", RandomBits(2, kDimension, 5));
  request.add_outputs()->set_name("margin");
  request.add_outputs()->set_name("label");
  const ModelInferResponse response = Infer(request);
  EXPECT_EQ(response.model_version(), "2");
  ASSERT_EQ(response.outputs_size(), 2);
  ASSERT_EQ(response.raw_output_contents_size(), 2);
  EXPECT_EQ(response.outputs(0).name(), "margin");
  EXPECT_EQ(response.outputs(1).name(), "label");
}

TEST_F(OpenInferenceServiceTest, ReconstructionsAreThoseOfReconstruct) {
  const RowMatrix<float> bits = RandomBits(9, kDimension, 6);
  const std::string mask(bits.size(), '\0');
  v1::ReconstructRequest asked;
  asked.mutable_model()->set_name("digits");
  *asked.mutable_observations() = ToObservations(bits);
  asked.mutable_observations()->set_mask(mask);
  asked.set_class_name("three");
  asked.set_steps(3);
  asked.set_chains(2);
  asked.set_seed(8);
  grpc::ClientContext context;
  v1::ReconstructResponse reconstructed;
  ASSERT_TRUE(stub().Reconstruct(&context, asked, &reconstructed).ok());

  ModelInferRequest request = AskRaw("digits", bits);
  AddTensor("mask", "BOOL", bits, &request);
  request.add_raw_input_contents(mask);
  SetTask("reconstruct", &request);
  auto& parameters = *request.mutable_parameters();
  parameters["class"].set_string_param("three");
  parameters["steps"].set_int64_param(3);
  parameters["chains"].set_uint64_param(2);
  parameters["seed"].set_int64_param(8);
  const ModelInferResponse response = Infer(request);
  EXPECT_EQ(RawOf(response, "reconstruction"),
            reconstructed.observations().dense().data());
  EXPECT_EQ(response.outputs(0).datatype(), "FP32");
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(9, kDimension));
  EXPECT_EQ(response.parameters().at("seed").uint64_param(), 8);
}

TEST_F(OpenInferenceServiceTest, SamplesAreThoseOfSample) {
  v1::SampleRequest asked;
  asked.mutable_model()->set_name("digits");
  asked.set_class_name("two");
  asked.set_chains(4);
  asked.set_steps(20);
  asked.set_seed(~0ULL);
  grpc::ClientContext context;
  auto reader = stub().Sample(&context, asked);
  v1::SampleResponse sample, none;
  ASSERT_TRUE(reader->Read(&sample));
  ASSERT_FALSE(reader->Read(&none));
  ASSERT_TRUE(reader->Finish().ok());

  ModelInferRequest request;
  request.set_model_name("digits");
  SetTask("sample", &request);
  auto& parameters = *request.mutable_parameters();
  parameters["class"].set_string_param("two");
  parameters["chains"].set_int64_param(4);
  parameters["steps"].set_int64_param(20);
  parameters["seed"].set_uint64_param(~0ULL);
  const ModelInferResponse response = Infer(request);
  EXPECT_EQ(RawOf(response, "sample"), sample.observations().dense().data());
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(4, kDimension));
  EXPECT_EQ(response.parameters().at("seed").uint64_param(), ~0ULL);
}

TEST_F(OpenInferenceServiceTest, TheSeedReturnedRepeatsTheSample) {
  ModelInferRequest request;
  request.set_model_name("density");
  SetTask("sample", &request);
  const ModelInferResponse first = Infer(request);
  (*request.mutable_parameters())["seed"] = first.parameters().at("seed");
  EXPECT_EQ(RawOf(Infer(request), "sample"), RawOf(first, "sample"));
}

TEST_F(OpenInferenceServiceTest, BadRequestsAreRefused) {
  using Change = std::function<void(ModelInferRequest&)>;
  const struct {
    Change change;
    grpc::StatusCode code;
    const char* message;
  } cases[] = {
      {[](auto& r) { r.set_model_name("cats"); }, grpc::NOT_FOUND, "cats"},
      {[](auto& r) { r.clear_model_name(); }, grpc::INVALID_ARGUMENT,
       "model.name"},
      {[](auto& r) { r.set_model_version("9"); }, grpc::NOT_FOUND,
       "no version 9"},
      {[](auto& r) { r.set_model_version("0"); }, grpc::INVALID_ARGUMENT,
       "must be at least 1"},
      {[](auto& r) { r.set_model_version("newest"); }, grpc::NOT_FOUND,
       "newest"},
      {[](auto& r) { r.set_model_version("9223372036854775808"); },
       grpc::INVALID_ARGUMENT, "64 bits"},
      {[](auto& r) {
         (*r.mutable_parameters())["timeout"].set_string_param("1 s");
       },
       grpc::INVALID_ARGUMENT, "parameters.timeout"},
      {[](auto& r) { SetTask("train", &r); }, grpc::INVALID_ARGUMENT,
       "parameters.task"},
      {[](auto& r) { r.mutable_inputs(0)->set_shape(1, 11); },
       grpc::INVALID_ARGUMENT, "needs 22 x 4"},
      {[](auto& r) {
         r.mutable_inputs(0)->set_shape(0, 3);
         r.mutable_inputs(0)->set_shape(1, 8);
       },
       grpc::INVALID_ARGUMENT, "this model takes N x 12"},
      {[](auto& r) { r.mutable_inputs(0)->set_shape(0, -1); },
       grpc::INVALID_ARGUMENT, "negative"},
      {[](auto& r) { r.mutable_inputs(0)->set_shape(0, 1LL << 62); },
       grpc::INVALID_ARGUMENT, "cannot be"},
      {[](auto& r) {
         r.mutable_inputs(0)->set_shape(0, 0);
         r.mutable_raw_input_contents(0)->clear();
       },
       grpc::INVALID_ARGUMENT, "has no rows"},
      {[](auto& r) {
         const float two = 2;
         std::memcpy(r.mutable_raw_input_contents(0)->data(), &two,
                     sizeof(two));
       },
       grpc::INVALID_ARGUMENT, "observations.dense[0][0]"},
      {[](auto& r) { r.add_outputs()->set_name("probability"); },
       grpc::INVALID_ARGUMENT, "log_score, label, label_index, margin"},
      {[](auto& r) {
         SetTask("sample", &r);
         (*r.mutable_parameters())["class"].set_string_param("two");
         (*r.mutable_parameters())["steps"].set_int64_param(50'001);
       },
       grpc::INVALID_ARGUMENT, "50000"},
  };
  for (const auto& [change, code, message] : cases) {
    ModelInferRequest request = AskRaw("digits", RandomBits(2, kDimension, 1));
    change(request);
    ModelInferResponse response;
    const grpc::Status status = Call(&Stub::ModelInfer, request, &response);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(message));
  }
}

TEST_F(OpenInferenceServiceTest, TheServerIsLiveAndReadyAndSaysWhatItCan) {
  inference::ServerLiveResponse live;
  ASSERT_TRUE(
      Call(&Stub::ServerLive, inference::ServerLiveRequest(), &live).ok());
  EXPECT_TRUE(live.live());
  inference::ServerReadyResponse ready;
  ASSERT_TRUE(
      Call(&Stub::ServerReady, inference::ServerReadyRequest(), &ready).ok());
  EXPECT_TRUE(ready.ready());
  inference::ServerMetadataResponse metadata;
  ASSERT_TRUE(
      Call(&Stub::ServerMetadata, inference::ServerMetadataRequest(), &metadata)
          .ok());
  EXPECT_EQ(metadata.name(), "poe-server");
  EXPECT_FALSE(metadata.version().empty());
  const std::vector<std::string> extensions(metadata.extensions().begin(),
                                            metadata.extensions().end());
  EXPECT_THAT(extensions,
              ElementsAre("binary_tensor_data", "model_configuration",
                          "model_repository", "statistics"));
}

TEST_F(OpenInferenceServiceTest, NothingIsReadyOnceTheServerIsToEnd) {
  server().ReportNotServing();
  inference::ServerReadyResponse ready;
  ASSERT_TRUE(
      Call(&Stub::ServerReady, inference::ServerReadyRequest(), &ready).ok());
  EXPECT_FALSE(ready.ready());
  EXPECT_FALSE(IsReady("digits", ""));
  inference::ServerLiveResponse live;
  ASSERT_TRUE(
      Call(&Stub::ServerLive, inference::ServerLiveRequest(), &live).ok());
  EXPECT_TRUE(live.live());
  Infer(AskRaw("digits", RandomBits(1, kDimension, 1)));
}

TEST_F(OpenInferenceServiceTest, LabelsAreVersions) {
  v1::SetLabelRequest label;
  label.set_name("digits");
  label.set_label("stable");
  label.set_version(1);
  grpc::ClientContext context;
  v1::ModelInfo info;
  ASSERT_TRUE(registry().SetLabel(&context, label, &info).ok());
  ModelInferRequest request = AskRaw("digits", RandomBits(1, kDimension, 1));
  request.set_model_version("stable");
  EXPECT_EQ(Infer(request).model_version(), "1");
  EXPECT_TRUE(IsReady("digits", "stable"));
  EXPECT_FALSE(IsReady("digits", "canary"));
  EXPECT_EQ(Statistics("digits", "stable").model_stats(0).version(), "1");
}

TEST_F(OpenInferenceServiceTest, ModelsAreReadyIfTheyAnswer) {
  EXPECT_TRUE(IsReady("digits", ""));
  EXPECT_TRUE(IsReady("digits", "1"));
  EXPECT_FALSE(IsReady("digits", "3"));
  EXPECT_FALSE(IsReady("cats", ""));
  inference::ModelReadyRequest request;
  request.set_name("digits");
  request.set_version("0");
  inference::ModelReadyResponse response;
  EXPECT_EQ(Call(&Stub::ModelReady, request, &response).error_code(),
            grpc::INVALID_ARGUMENT);
}

TEST_F(OpenInferenceServiceTest, MetadataAndConfigDescribeTheModel) {
  inference::ModelMetadataRequest asked;
  asked.set_name("digits");
  inference::ModelMetadataResponse metadata;
  ASSERT_TRUE(Call(&Stub::ModelMetadata, asked, &metadata).ok());
  EXPECT_EQ(metadata.name(), "digits");
  EXPECT_EQ(metadata.platform(), "poe");
  EXPECT_THAT(metadata.versions(), ElementsAre("2", "1"));
  ASSERT_EQ(metadata.inputs_size(), 1);
  EXPECT_THAT(metadata.inputs(0).shape(), ElementsAre(-1, kDimension));
  std::vector<std::string> outputs;
  for (const auto& output : metadata.outputs())
    outputs.push_back(output.name());
  EXPECT_THAT(outputs,
              ElementsAre("log_score", "label", "label_index", "margin"));

  inference::ModelConfigRequest config_asked;
  config_asked.set_name("density");
  inference::ModelConfigResponse config;
  ASSERT_TRUE(Call(&Stub::ModelConfig, config_asked, &config).ok());
  EXPECT_EQ(config.config().name(), "density");
  EXPECT_EQ(config.config().platform(), "poe");
  EXPECT_EQ(config.config().max_batch_size(), 0);
  ASSERT_EQ(config.config().input_size(), 1);
  EXPECT_THAT(config.config().input(0).dims(), ElementsAre(-1, kDimension));
  ASSERT_EQ(config.config().output_size(), 1);
  EXPECT_EQ(config.config().output(0).name(), "log_score");

  asked.set_name("cats");
  EXPECT_EQ(Call(&Stub::ModelMetadata, asked, &metadata).error_code(),
            grpc::NOT_FOUND);
  config_asked.set_name("cats");
  EXPECT_EQ(Call(&Stub::ModelConfig, config_asked, &config).error_code(),
            grpc::NOT_FOUND);
}

TEST_F(OpenInferenceServiceTest, StatisticsCountAnswersAndRefusals) {
  ModelInferRequest request = AskRaw("digits", RandomBits(5, kDimension, 1));
  request.set_model_version("1");
  Infer(request);
  Infer(request);
  request.add_outputs()->set_name("nothing");
  ModelInferResponse refused;
  EXPECT_FALSE(Call(&Stub::ModelInfer, request, &refused).ok());

  const auto response = Statistics("digits", "1");
  ASSERT_EQ(response.model_stats_size(), 1);
  const inference::ModelStatistics& counts = response.model_stats(0);
  EXPECT_EQ(counts.name(), "digits");
  EXPECT_EQ(counts.version(), "1");
  EXPECT_EQ(counts.inference_count(), 2);
  EXPECT_EQ(counts.execution_count(), 2);
  EXPECT_GT(counts.last_inference(), 0);
  const inference::InferStatistics& sums = counts.inference_stats();
  EXPECT_EQ(sums.success().count(), 2);
  EXPECT_EQ(sums.fail().count(), 1);
  EXPECT_EQ(sums.queue().count(), 2);
  EXPECT_EQ(sums.success().ns(), sums.queue().ns() + sums.compute_input().ns() +
                                     sums.compute_infer().ns() +
                                     sums.compute_output().ns());
  EXPECT_GT(sums.compute_infer().ns(), 0);

  EXPECT_EQ(Statistics("digits", "2").model_stats(0).inference_count(), 0);
  EXPECT_EQ(Statistics("digits", "").model_stats_size(), 2);
  EXPECT_EQ(Statistics("", "").model_stats_size(), 4);
  inference::ModelStatisticsRequest unknown;
  unknown.set_name("cats");
  inference::ModelStatisticsResponse nothing;
  EXPECT_EQ(Call(&Stub::ModelStatistics, unknown, &nothing).error_code(),
            grpc::NOT_FOUND);
}

TEST_F(OpenInferenceServiceTest, StatisticsCountTheCallsOfPoeToo) {
  v1::ScoreRequest score;
  score.mutable_model()->set_name("density");
  *score.mutable_observations() = ToObservations(RandomBits(5, kDimension, 1));
  v1::ScoreResponse scored;
  for (int i = 0; i < 2; ++i) {
    grpc::ClientContext context;
    ASSERT_TRUE(stub().Score(&context, score, &scored).ok());
  }
  v1::ReconstructRequest reconstruct;
  *reconstruct.mutable_model() = score.model();
  *reconstruct.mutable_observations() = score.observations();
  v1::ReconstructResponse reconstructed;
  grpc::ClientContext reconstructing;
  ASSERT_TRUE(
      stub().Reconstruct(&reconstructing, reconstruct, &reconstructed).ok());
  v1::SampleRequest sample;
  *sample.mutable_model() = score.model();
  grpc::ClientContext sampling;
  auto samples = stub().Sample(&sampling, sample);
  v1::SampleResponse sampled;
  while (samples->Read(&sampled)) {
  }
  ASSERT_TRUE(samples->Finish().ok());
  score.mutable_observations()->mutable_dense()->set_shape(0, 6);
  grpc::ClientContext malformed;
  EXPECT_EQ(stub().Score(&malformed, score, &scored).error_code(),
            grpc::INVALID_ARGUMENT);

  const inference::ModelStatistics counts =
      Statistics("density", "").model_stats(0);
  EXPECT_EQ(counts.inference_count(), 4);
  EXPECT_EQ(counts.execution_count(), 4);
  EXPECT_EQ(counts.inference_stats().success().count(), 4);
  EXPECT_EQ(counts.inference_stats().fail().count(), 1);
  EXPECT_GT(counts.inference_stats().compute_infer().ns(), 0);
}

TEST_F(OpenInferenceServiceTest, ModelsAreUnloadedAndLoaded) {
  inference::RepositoryModelUnloadRequest unload;
  unload.set_model_name("digits");
  // As Python's client sends it.
  (*unload.mutable_parameters())["unload_dependents"].set_bool_param(false);
  inference::RepositoryModelUnloadResponse unloaded;
  ASSERT_TRUE(Call(&Stub::RepositoryModelUnload, unload, &unloaded).ok());
  EXPECT_FALSE(IsReady("digits", ""));
  ModelInferResponse refused;
  EXPECT_EQ(Call(&Stub::ModelInfer,
                 AskRaw("digits", RandomBits(1, kDimension, 1)), &refused)
                .error_code(),
            grpc::FAILED_PRECONDITION);
  EXPECT_THAT(Statistics("digits", "").model_stats(), IsEmpty());

  inference::RepositoryModelLoadRequest load;
  load.set_model_name("digits");
  inference::RepositoryModelLoadResponse loaded;
  ASSERT_TRUE(Call(&Stub::RepositoryModelLoad, load, &loaded).ok());
  EXPECT_TRUE(IsReady("digits", "2"));
  EXPECT_FALSE(IsReady("digits", "1"));

  load.set_model_name("cats");
  EXPECT_EQ(Call(&Stub::RepositoryModelLoad, load, &loaded).error_code(),
            grpc::NOT_FOUND);
  unload.set_model_name("cats");
  EXPECT_EQ(Call(&Stub::RepositoryModelUnload, unload, &unloaded).error_code(),
            grpc::NOT_FOUND);
  (*load.mutable_parameters())["config"].set_string_param("{}");
  EXPECT_EQ(Call(&Stub::RepositoryModelLoad, load, &loaded).error_code(),
            grpc::INVALID_ARGUMENT);
  unload.set_repository_name("elsewhere");
  EXPECT_EQ(Call(&Stub::RepositoryModelUnload, unload, &unloaded).error_code(),
            grpc::INVALID_ARGUMENT);
}

TEST_F(OpenInferenceServiceTest, TheIndexListsAllVersions) {
  v1::UnloadModelRequest unload;
  unload.set_name("digits");
  unload.set_version(1);
  grpc::ClientContext context;
  v1::ModelInfo info;
  ASSERT_TRUE(registry().UnloadModel(&context, unload, &info).ok());

  inference::RepositoryIndexRequest request;
  inference::RepositoryIndexResponse response;
  ASSERT_TRUE(Call(&Stub::RepositoryIndex, request, &response).ok());
  std::vector<std::string> lines;
  for (const auto& model : response.models())
    lines.push_back(model.name() + " " + model.version() + " " + model.state() +
                    " " + model.reason());
  EXPECT_THAT(lines,
              ElementsAre("density 1 READY ", "digits 2 READY ",
                          "digits 1 UNAVAILABLE unloaded", "large 1 READY "));
  request.set_ready(true);
  ASSERT_TRUE(Call(&Stub::RepositoryIndex, request, &response).ok());
  EXPECT_EQ(response.models_size(), 3);
  request.set_repository_name("elsewhere");
  EXPECT_EQ(Call(&Stub::RepositoryIndex, request, &response).error_code(),
            grpc::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace poe::server
