#include "server/codec/open_inference_codec.h"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/codec/request_codec.h"
#include "server/codec/response_codec.h"
#include "tests/server/codec/refusal.h"
#include "tests/server/codec/test_models.h"

namespace poe::server {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

const Model& OddEven() {
  static const Model* const model =
      new Model(MakeBernoulliModel(2, 3, {"odd", "even"}, 1));
  return *model;
}

// A raw input, or one without contents.
void AddInput(const std::string& name, const std::string& datatype,
              const std::vector<std::int64_t>& shape,
              ModelInferRequest* request) {
  auto& input = *request->add_inputs();
  input.set_name(name);
  input.set_datatype(datatype);
  input.mutable_shape()->Assign(shape.begin(), shape.end());
}

template <typename Element>
void AddRaw(const std::string& name, const std::string& datatype,
            const std::vector<std::int64_t>& shape,
            const std::vector<Element>& elements, ModelInferRequest* request) {
  AddInput(name, datatype, shape, request);
  request->add_raw_input_contents(elements.data(),
                                  elements.size() * sizeof(Element));
}

// Two rows of two bits.
ModelInferRequest RawBits() {
  ModelInferRequest request;
  AddRaw<float>("x", "FP32", {2, 2}, {0, 1, 1, 1}, &request);
  return request;
}

ModelInferRequest TypedBits() {
  ModelInferRequest request;
  AddInput("x", "FP32", {2, 2}, &request);
  for (const float bit : {0, 1, 1, 1})
    request.mutable_inputs(0)->mutable_contents()->add_fp32_contents(bit);
  return request;
}

inference::InferParameter& ParameterOf(ModelInferRequest& request,
                                       const std::string& name) {
  return (*request.mutable_parameters())[name];
}

// The values of x as the core gets them.
std::vector<float> ValuesOf(const ModelInferRequest& request) {
  const auto score = ToScoreRequest(request, OddEven());
  EXPECT_TRUE(score.ok()) << score.status();
  if (!score.ok()) return {};
  const auto decoded = DecodeScore(*score, OddEven(), {}, 0);
  EXPECT_TRUE(decoded.ok()) << decoded.status();
  return decoded.ok() ? decoded->rows.values : std::vector<float>();
}

TEST(OpenInferenceInputTest, RawAndTypedContentsAreTheSame) {
  EXPECT_THAT(ValuesOf(RawBits()), ElementsAre(0, 1, 1, 1));
  EXPECT_THAT(ValuesOf(TypedBits()), ElementsAre(0, 1, 1, 1));
}

TEST(OpenInferenceInputTest, EachDatatypeIsTaken) {
  ModelInferRequest doubles, bytes, integers, short_integers;
  AddRaw<double>("x", "FP64", {1, 2}, {0.25, 1}, &doubles);
  EXPECT_THAT(ValuesOf(doubles), ElementsAre(0.25f, 1));
  AddRaw<std::uint8_t>("x", "UINT8", {1, 2}, {51, 255}, &bytes);
  EXPECT_THAT(ValuesOf(bytes), ElementsAre(0.2f, 1));
  AddRaw<std::int64_t>("x", "INT64", {1, 2}, {0, 1}, &integers);
  EXPECT_THAT(ValuesOf(integers), ElementsAre(0, 1));
  AddRaw<std::int32_t>("x", "INT32", {1, 2}, {0, 1}, &short_integers);
  EXPECT_THAT(ValuesOf(short_integers), ElementsAre(0, 1));
}

TEST(OpenInferenceInputTest, EachDatatypeHasItsTypedContents) {
  ModelInferRequest doubles, bytes, integers, short_integers;
  AddInput("x", "FP64", {1, 2}, &doubles);
  AddInput("x", "UINT8", {1, 2}, &bytes);
  AddInput("x", "INT64", {1, 2}, &integers);
  AddInput("x", "INT32", {1, 2}, &short_integers);
  for (const int bit : {0, 1}) {
    doubles.mutable_inputs(0)->mutable_contents()->add_fp64_contents(bit);
    bytes.mutable_inputs(0)->mutable_contents()->add_uint_contents(255 * bit);
    integers.mutable_inputs(0)->mutable_contents()->add_int64_contents(bit);
    short_integers.mutable_inputs(0)->mutable_contents()->add_int_contents(bit);
  }
  EXPECT_THAT(ValuesOf(doubles), ElementsAre(0, 1));
  EXPECT_THAT(ValuesOf(bytes), ElementsAre(0, 1));
  EXPECT_THAT(ValuesOf(integers), ElementsAre(0, 1));
  EXPECT_THAT(ValuesOf(short_integers), ElementsAre(0, 1));
}

TEST(OpenInferenceInputTest, ImagesKeepTheirShape) {
  ModelInferRequest request;
  AddRaw<float>("x", "FP32", {1, 1, 2}, {0, 1}, &request);
  const auto score = ToScoreRequest(request, OddEven());
  ASSERT_TRUE(score.ok()) << score.status();
  EXPECT_THAT(score->observations().dense().shape(), ElementsAre(1, 1, 2));
}

TEST(OpenInferenceInputTest, MissingValuesAreEstimated) {
  ModelInferRequest request = RawBits();
  AddRaw<std::uint8_t>("mask", "BOOL", {2, 2}, {1, 0, 1, 1}, &request);
  ParameterOf(request, "chains").set_int64_param(5);
  ParameterOf(request, "steps").set_uint64_param(7);
  ParameterOf(request, "seed").set_int64_param(3);
  const auto score = ToScoreRequest(request, OddEven());
  ASSERT_TRUE(score.ok()) << score.status();
  EXPECT_EQ(score->observations().mask(), std::string("\1\0\1\1", 4));
  EXPECT_EQ(score->missing().chains(), 5);
  EXPECT_EQ(score->missing().temperatures(), 7);
  EXPECT_EQ(score->missing().seed(), 3);

  EXPECT_FALSE(ToScoreRequest(RawBits(), OddEven())->has_missing());
}

TEST(OpenInferenceInputTest, TypedMasksAreTaken) {
  for (const char* datatype : {"BOOL", "UINT8"}) {
    ModelInferRequest request = TypedBits();
    AddInput("mask", datatype, {2, 2}, &request);
    auto& contents = *request.mutable_inputs(1)->mutable_contents();
    for (const bool observed : {true, false, true, true}) {
      if (std::string(datatype) == "BOOL")
        contents.add_bool_contents(observed);
      else
        contents.add_uint_contents(observed);
    }
    const auto score = ToScoreRequest(request, OddEven());
    ASSERT_TRUE(score.ok()) << score.status();
    EXPECT_EQ(score->observations().mask(), std::string("\1\0\1\1", 4));
  }
}

TEST(OpenInferenceInputTest, AnythingMayStandUnderAMissingValue) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  ModelInferRequest request;
  AddRaw<std::int64_t>("x", "INT64", {1, 2}, {kMost, 1}, &request);
  AddRaw<std::uint8_t>("mask", "UINT8", {1, 2}, {0, 1}, &request);
  EXPECT_EQ(ToScoreRequest(request, OddEven()).status(), absl::OkStatus());
}

TEST(OpenInferenceInputTest, ReconstructionsHaveTheirParameters) {
  ModelInferRequest request = RawBits();
  AddRaw<std::uint8_t>("mask", "UINT8", {2, 2}, {1, 0, 1, 1}, &request);
  ParameterOf(request, "task").set_string_param("reconstruct");
  ParameterOf(request, "class").set_string_param("even");
  ParameterOf(request, "steps").set_int64_param(4);
  ParameterOf(request, "chains").set_int64_param(2);
  ParameterOf(request, "seed").set_uint64_param(~0ULL);
  ASSERT_EQ(*FindTask(request), InferTask::kReconstruct);
  const auto reconstruct = ToReconstructRequest(request, OddEven());
  ASSERT_TRUE(reconstruct.ok()) << reconstruct.status();
  EXPECT_EQ(reconstruct->class_name(), "even");
  EXPECT_EQ(reconstruct->steps(), 4);
  EXPECT_EQ(reconstruct->chains(), 2);
  EXPECT_EQ(reconstruct->seed(), ~0ULL);
  EXPECT_EQ(reconstruct->observations().mask(), std::string("\1\0\1\1", 4));
}

TEST(OpenInferenceInputTest, SamplesStartWhereTheyAreTold) {
  ModelInferRequest request;
  ParameterOf(request, "task").set_string_param("sample");
  ParameterOf(request, "class").set_string_param("odd");
  ParameterOf(request, "chains").set_int64_param(3);
  ASSERT_EQ(*FindTask(request), InferTask::kSample);
  const auto random = ToSampleRequest(request, OddEven());
  ASSERT_TRUE(random.ok()) << random.status();
  EXPECT_EQ(random->class_name(), "odd");
  EXPECT_EQ(random->chains(), 3);
  EXPECT_FALSE(random->has_start_from());
  EXPECT_FALSE(random->has_seed());

  AddRaw<float>("x", "FP32", {1, 2}, {0, 1}, &request);
  const auto data = ToSampleRequest(request, OddEven());
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(data->start(), v1::SampleRequest::START_DATA);
  EXPECT_TRUE(data->has_start_from());

  AddRaw<std::uint8_t>("mask", "UINT8", {1, 2}, {0, 1}, &request);
  const auto given = ToSampleRequest(request, OddEven());
  ASSERT_TRUE(given.ok()) << given.status();
  EXPECT_EQ(given->start(), v1::SampleRequest::START_GIVEN);
}

TEST(OpenInferenceInputTest, BadTensorsAreRefused) {
  using R = Refusal<ModelInferRequest>;
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const auto reshape = [](ModelInferRequest& r,
                          const std::vector<std::int64_t>& shape) {
    r.mutable_inputs(0)->mutable_shape()->Assign(shape.begin(), shape.end());
  };
  ExpectRefused<ModelInferRequest>(
      RawBits(),
      {R{[](auto& r) {
           r.clear_inputs();
           r.clear_raw_input_contents();
         },
         kInvalid, "REQUIRED", "inputs.x is missing"},
       R{[](auto& r) { r.mutable_inputs(0)->set_name("y"); }, kInvalid,
         "UNKNOWN_INPUT", "\"y\"; there are x and, optional, mask"},
       R{[](auto& r) {
           AddRaw<float>("x", "FP32", {1, 1}, {0}, &r);
         },
         kInvalid, "REPEATED", "\"x\" twice"},
       R{[](auto& r) { r.mutable_inputs(0)->set_datatype("FP16"); }, kInvalid,
         "INVALID_DATATYPE", "must be FP32, FP64, UINT8, INT32 or INT64"},
       R{[](auto& r) { r.mutable_inputs(0)->clear_datatype(); }, kInvalid,
         "INVALID_DATATYPE", "inputs.x.datatype"},
       R{[](auto& r) { r.clear_raw_input_contents(); }, kInvalid, "WRONG_SIZE",
         "has 0 bytes; shape [2, 2] of FP32 needs 4 x 4"},
       R{[](auto& r) { r.add_raw_input_contents(""); }, kInvalid, "WRONG_SIZE",
         "has 2 elements; must have 1"},
       R{[](auto& r) { r.mutable_raw_input_contents(0)->push_back('\0'); },
         kInvalid, "WRONG_SIZE", "has 17 bytes"},
       R{[&](auto& r) {
           reshape(r, {2, -2});
         },
         kInvalid, "INVALID_SHAPE", "no dimension may be negative"},
       R{[&](auto& r) {
           reshape(r, {kMost, 2});
         },
         kInvalid, "INVALID_SHAPE", "that many elements cannot be"},
       R{[&](auto& r) {
           reshape(r, {kMost / 2, 2});
         },
         kInvalid, "WRONG_SIZE", "has 16 bytes"},
       R{[&](auto& r) {
           reshape(r, {2, 3});
         },
         kInvalid, "WRONG_SIZE", "needs 6 x 4"},
       R{[](auto& r) {
           r.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
         },
         kInvalid, "CONFLICT", "beside raw_input_contents"},
       R{[](auto& r) {
           (*r.mutable_inputs(0)->mutable_parameters())["shared_memory_region"];
         },
         kInvalid, "NOT_ALLOWED", "inputs.x.parameters"},
       R{[](auto& r) {
           AddRaw<std::uint8_t>("mask", "UINT8", {4}, {1, 0, 1, 1}, &r);
         },
         kInvalid, "INVALID_SHAPE", "must be that of x, [2, 2]"},
       R{[](auto& r) {
           AddRaw<float>("mask", "FP32", {2, 2}, {1, 0, 1, 1}, &r);
         },
         kInvalid, "INVALID_DATATYPE", "must be UINT8 or BOOL"},
       R{[](auto& r) {
           r.mutable_inputs(0)->set_name("mask");
           r.mutable_inputs(0)->set_datatype("UINT8");
         },
         kInvalid, "REQUIRED", "inputs.x is missing"}},
      [](const ModelInferRequest& request) {
        return ToScoreRequest(request, OddEven()).status();
      });
}

TEST(OpenInferenceInputTest, BadTypedContentsAreRefused) {
  using R = Refusal<ModelInferRequest>;
  const auto contents = [](ModelInferRequest& r) {
    return r.mutable_inputs(0)->mutable_contents();
  };
  ExpectRefused<ModelInferRequest>(
      TypedBits(),
      {R{[&](auto& r) { contents(r)->add_fp32_contents(1); }, kInvalid,
         "WRONG_SIZE", "has 20 bytes"},
       R{[&](auto& r) { contents(r)->add_bytes_contents("1"); }, kInvalid,
         "INVALID_TENSOR", "another datatype than FP32"},
       R{[&](auto& r) { r.mutable_inputs(0)->set_datatype("FP64"); }, kInvalid,
         "INVALID_TENSOR", "another datatype than FP64"},
       R{[&](auto& r) {
           contents(r)->clear_fp32_contents();
           r.mutable_inputs(0)->set_datatype("UINT8");
           for (const unsigned value : {0, 1, 1, 256})
             contents(r)->add_uint_contents(value);
         },
         kInvalid, "INVALID_VALUE", "a UINT8 is at most 255"},
       R{[&](auto& r) {
           contents(r)->clear_fp32_contents();
           r.mutable_inputs(0)->set_datatype("INT64");
           for (const std::int64_t value : {0LL, 1LL, 1LL << 32, 1LL})
             contents(r)->add_int64_contents(value);
         },
         kInvalid, "INVALID_VALUE",
         "inputs.x[1][0] is 4294967296; must be a 32-bit number"}},
      [](const ModelInferRequest& request) {
        return ToScoreRequest(request, OddEven()).status();
      });
}

TEST(OpenInferenceInputTest, BadParametersAreRefused) {
  using R = Refusal<ModelInferRequest>;
  const auto of = [](const std::string& task) {
    ModelInferRequest request = RawBits();
    ParameterOf(request, "task").set_string_param(task);
    return request;
  };
  ExpectRefused<ModelInferRequest>(
      of("reconstruct"),
      {R{[](auto& r) { ParameterOf(r, "sead").set_int64_param(1); }, kInvalid,
         "UNKNOWN_PARAMETER", "has \"sead\"; of the task reconstruct"},
       R{[](auto& r) { ParameterOf(r, "seed").set_int64_param(-1); }, kInvalid,
         "OUT_OF_RANGE", "parameters.seed is -1"},
       R{[](auto& r) { ParameterOf(r, "seed").set_double_param(1); }, kInvalid,
         "INVALID_VALUE", "must be an int64 or a uint64"},
       R{[](auto& r) { ParameterOf(r, "seed"); }, kInvalid, "INVALID_VALUE",
         "parameters.seed"},
       R{[](auto& r) { ParameterOf(r, "steps").set_int64_param(1LL << 31); },
         kInvalid, "OUT_OF_RANGE",
         "parameters.steps is 2147483648; must be from 0 to 2147483647"},
       R{[](auto& r) { ParameterOf(r, "chains").set_uint64_param(~0ULL); },
         kInvalid, "OUT_OF_RANGE", "parameters.chains"},
       R{[](auto& r) { ParameterOf(r, "sead").set_int64_param(1); }, kInvalid,
         "UNKNOWN_PARAMETER",
         "there are task, class, steps, chains, seed and timeout"},
       R{[](auto& r) { ParameterOf(r, "sequence_id").set_int64_param(7); },
         kInvalid, "NOT_ALLOWED", "parameters.sequence_id is given"},
       R{[](auto& r) { ParameterOf(r, "sequence_id").set_string_param("a"); },
         kInvalid, "NOT_ALLOWED", "parameters.sequence_id is given"},
       R{[](auto& r) { ParameterOf(r, "sequence_end").set_bool_param(true); },
         kInvalid, "NOT_ALLOWED", "parameters.sequence_end is given"},
       R{[](auto& r) { ParameterOf(r, "class").set_int64_param(1); }, kInvalid,
         "INVALID_VALUE", "parameters.class is of another type"}},
      [](const ModelInferRequest& request) {
        return ToReconstructRequest(request, OddEven()).status();
      });
  ExpectRefused<ModelInferRequest>(
      of("score"),
      {R{[](auto& r) { ParameterOf(r, "class").set_string_param("odd"); },
         kInvalid, "UNKNOWN_PARAMETER", "of the task score"}},
      [](const ModelInferRequest& request) {
        return ToScoreRequest(request, OddEven()).status();
      });
  ExpectRefused<ModelInferRequest>(
      of("sample"),
      {R{[](auto& r) { ParameterOf(r, "task").set_string_param("train"); },
         kInvalid, "INVALID_VALUE",
         "parameters.task is \"train\"; must be score, reconstruct or sample"},
       R{[](auto& r) { ParameterOf(r, "task").set_int64_param(1); }, kInvalid,
         "INVALID_VALUE", "must be a string"}},
      [](const ModelInferRequest& request) {
        return FindTask(request).status();
      });
  EXPECT_EQ(*FindTask(RawBits()), InferTask::kScore);
}

TEST(OpenInferenceInputTest, WhatTritonsClientsSaySilentlyIsTaken) {
  ModelInferRequest request = RawBits();
  ParameterOf(request, "priority").set_uint64_param(2);
  ParameterOf(request, "binary_data_output").set_bool_param(true);
  ParameterOf(request, "triton_enable_empty_final_response")
      .set_bool_param(true);
  ParameterOf(request, "sequence_id").set_int64_param(0);
  ParameterOf(request, "sequence_start").set_bool_param(false);
  ParameterOf(request, "timeout").set_int64_param(1);
  const auto score = ToScoreRequest(request, OddEven());
  ASSERT_TRUE(score.ok()) << score.status();
  const auto plain = ToScoreRequest(RawBits(), OddEven());
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(score->SerializeAsString(), plain->SerializeAsString());
}

TEST(OpenInferenceInputTest, TimeoutsAreMicroseconds) {
  ModelInferRequest request = RawBits();
  EXPECT_EQ(*FindTimeout(request), absl::InfiniteDuration());
  ParameterOf(request, "timeout").set_int64_param(0);
  EXPECT_EQ(*FindTimeout(request), absl::InfiniteDuration());
  ParameterOf(request, "timeout").set_int64_param(1500);
  EXPECT_EQ(*FindTimeout(request), absl::Microseconds(1500));
  ParameterOf(request, "timeout").set_uint64_param(2);
  EXPECT_EQ(*FindTimeout(request), absl::Microseconds(2));
  ParameterOf(request, "timeout").set_int64_param(-1);
  EXPECT_EQ(FindTimeout(request).status().code(), kInvalid);
  ParameterOf(request, "timeout").set_double_param(1);
  EXPECT_EQ(FindTimeout(request).status().code(), kInvalid);
}

TEST(OpenInferenceInputTest, ModelsOfSequencesAreRefused) {
  Model model = OddEven();
  model.data_spec.sequential = true;
  const auto scored = ToScoreRequest(RawBits(), model);
  EXPECT_EQ(scored.status().code(), kPrecondition);
  EXPECT_THAT(std::string(scored.status().message()),
              ::testing::HasSubstr("poe.v1.ProductOfExperts"));
  EXPECT_EQ(ToReconstructRequest(RawBits(), model).status().code(),
            kPrecondition);
  EXPECT_EQ(ToSampleRequest(RawBits(), model).status().code(), kPrecondition);
}

TEST(OpenInferenceInputTest, VersionsAreDecimalNumbersOrLabels) {
  EXPECT_EQ(SelectModel("digits", "")->choice_case(),
            v1::ModelSelector::CHOICE_NOT_SET);
  EXPECT_EQ(SelectModel("digits", "12")->version(), 12);
  EXPECT_EQ(SelectModel("digits", "12")->name(), "digits");
  for (const char* label : {"stable", "-1", "+1", " 1", "1.0", "0x1"}) {
    const auto selector = SelectModel("digits", label);
    ASSERT_TRUE(selector.ok()) << selector.status();
    EXPECT_TRUE(selector->has_label());
    EXPECT_EQ(selector->label(), label);
  }
  const auto too_large =
      SelectModel("digits", "9223372036854775808", "model_version");
  EXPECT_EQ(too_large.status().code(), kInvalid);
  EXPECT_THAT(std::string(too_large.status().message()),
              ::testing::HasSubstr("model_version"));
}

void AskFor(const std::vector<std::string>& names, ModelInferRequest* request) {
  for (const std::string& name : names) request->add_outputs()->set_name(name);
}

template <typename Element>
std::vector<Element> ElementsOfOutput(const ModelInferResponse& response,
                                      int i) {
  const std::string& raw = response.raw_output_contents(i);
  std::vector<Element> elements(raw.size() / sizeof(Element));
  raw.copy(reinterpret_cast<char*>(elements.data()), raw.size());
  return elements;
}

// Two rows, the second without a label.
Scores TwoScores() {
  Scores scores;
  scores.log_scores.resize(2, 2);
  scores.log_scores << -1, -2, -3, -4;
  scores.labels = {1, -1};
  scores.margins = {0.5, 0};
  return scores;
}

v1::ScoreResponse TwoAnswers() {
  v1::ScoreResponse answer;
  EncodeScores(OddEven(), TwoScores(), &answer);
  answer.mutable_model()->set_name("digits");
  answer.mutable_model()->set_version(7);
  return answer;
}

TEST(OpenInferenceOutputTest, AllOutputsOfTheTaskComeIfNoneIsAsked) {
  ModelInferRequest request = RawBits();
  request.set_id("q1");
  const auto outputs = AskedOutputs(request, OddEven(), InferTask::kScore);
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_THAT(*outputs,
              ElementsAre("log_score", "label", "label_index", "margin"));
  ModelInferResponse response;
  EncodeAnswer(request, *outputs, TwoAnswers(), &response);
  EXPECT_EQ(response.model_name(), "digits");
  EXPECT_EQ(response.model_version(), "7");
  EXPECT_EQ(response.id(), "q1");
  EXPECT_THAT(response.parameters(), IsEmpty());
  ASSERT_EQ(response.outputs_size(), 4);
  ASSERT_EQ(response.raw_output_contents_size(), 4);
  EXPECT_EQ(response.outputs(0).datatype(), "FP64");
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(2, 2));
  EXPECT_THAT(ElementsOfOutput<double>(response, 0),
              ElementsAre(-1, -2, -3, -4));
  EXPECT_EQ(response.outputs(1).datatype(), "BYTES");
  EXPECT_THAT(response.outputs(1).shape(), ElementsAre(2));
  EXPECT_EQ(response.raw_output_contents(1),
            std::string("\4\0\0\0even\0\0\0\0", 12));
  EXPECT_EQ(response.outputs(2).datatype(), "INT64");
  EXPECT_THAT(ElementsOfOutput<std::int64_t>(response, 2), ElementsAre(1, -1));
  EXPECT_EQ(response.outputs(3).datatype(), "FP64");
  EXPECT_THAT(ElementsOfOutput<double>(response, 3), ElementsAre(0.5, 0));
  for (const auto& output : response.outputs())
    EXPECT_FALSE(output.has_contents());
}

TEST(OpenInferenceOutputTest, OutputsComeInTheOrderAsked) {
  ModelInferRequest request = RawBits();
  AskFor({"margin", "log_score"}, &request);
  const auto outputs = AskedOutputs(request, OddEven(), InferTask::kScore);
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  ModelInferResponse response;
  EncodeAnswer(request, *outputs, TwoAnswers(), &response);
  ASSERT_EQ(response.outputs_size(), 2);
  ASSERT_EQ(response.raw_output_contents_size(), 2);
  EXPECT_EQ(response.outputs(0).name(), "margin");
  EXPECT_THAT(ElementsOfOutput<double>(response, 0), ElementsAre(0.5, 0));
  EXPECT_EQ(response.outputs(1).name(), "log_score");
}

TEST(OpenInferenceOutputTest, AModelHasTheOutputsThatItCanFillIn) {
  Model model = MakeBernoulliModel(2, 3, {"odd", "even"}, 1);
  model.calibration =
      *ProbabilityCalibration::Create(1, Eigen::VectorXd::Zero(2));
  for (ClassModel& one : model.classes) {
    one.percentiles = *ScorePercentiles::Create({-3, -1});
    one.log_partitions.push_back({.value = 2});
  }
  ModelInferRequest request = RawBits();
  const auto outputs = AskedOutputs(request, model, InferTask::kScore);
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_THAT(*outputs,
              ElementsAre("log_score", "label", "label_index", "margin",
                          "probability", "percentile", "log_probability"));

  const auto score = ToScoreRequest(request, model);
  ASSERT_TRUE(score.ok()) << score.status();
  const auto decoded = DecodeScore(*score, model, {}, 0);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  const auto scores = Score(model, decoded->rows.View(), decoded->options,
                            Workers::Inline(), NeverInterrupt);
  ASSERT_TRUE(scores.ok()) << scores.status();
  v1::ScoreResponse answer;
  EncodeScores(model, *scores, &answer);
  ModelInferResponse response;
  EncodeAnswer(request, *outputs, answer, &response);
  ASSERT_EQ(response.raw_output_contents_size(), 7);
  EXPECT_EQ(response.raw_output_contents(4), answer.probabilities().data());
  EXPECT_EQ(response.raw_output_contents(5), answer.percentiles().data());
  EXPECT_EQ(response.raw_output_contents(6), answer.log_probabilities().data());
  for (const int i : {0, 4, 5, 6}) {
    EXPECT_THAT(response.outputs(i).shape(), ElementsAre(2, 2));
    EXPECT_EQ(response.raw_output_contents(i).size(), 4 * sizeof(double));
  }

  const Model one_class = MakeBernoulliModel(2, 3, {"data"}, 1);
  EXPECT_THAT(*AskedOutputs(request, one_class, InferTask::kScore),
              ElementsAre("log_score"));
}

TEST(OpenInferenceOutputTest, ReconstructionsAndSamplesAreOneOutputEach) {
  v1::ReconstructResponse reconstruction;
  *reconstruction.mutable_observations()->mutable_dense() =
      MakeFloats({1, 1, 2}, {0.25f, 1});
  reconstruction.set_seed(~0ULL);
  ModelInferResponse response;
  EncodeAnswer({}, {"reconstruction"}, reconstruction, &response);
  ASSERT_EQ(response.outputs_size(), 1);
  EXPECT_EQ(response.outputs(0).name(), "reconstruction");
  EXPECT_EQ(response.outputs(0).datatype(), "FP32");
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(1, 1, 2));
  EXPECT_THAT(ElementsOfOutput<float>(response, 0), ElementsAre(0.25f, 1));
  EXPECT_EQ(response.parameters().at("seed").uint64_param(), ~0ULL);

  v1::SampleResponse sample;
  const std::vector<std::int32_t> symbols = {2, 0};
  *sample.mutable_observations()->mutable_dense() =
      MakeTensor({2, 1}, v1::ELEMENT_TYPE_INT32, symbols);
  sample.set_seed(3);
  response.Clear();
  EncodeAnswer({}, {"sample"}, sample, &response);
  ASSERT_EQ(response.outputs_size(), 1);
  EXPECT_EQ(response.outputs(0).datatype(), "INT64");
  EXPECT_THAT(ElementsOfOutput<std::int64_t>(response, 0),
              ElementsAreArray(symbols));
  EXPECT_EQ(response.parameters().at("seed").uint64_param(), 3);

  EXPECT_THAT(*AskedOutputs({}, OddEven(), InferTask::kReconstruct),
              ElementsAre("reconstruction"));
  EXPECT_THAT(*AskedOutputs({}, OddEven(), InferTask::kSample),
              ElementsAre("sample"));
}

TEST(OpenInferenceOutputTest, TheSeedOfAnEstimateComesBack) {
  v1::ScoreResponse answer = TwoAnswers();
  answer.set_seed(5);
  ModelInferResponse response;
  EncodeAnswer({}, {"log_score"}, answer, &response);
  EXPECT_EQ(response.parameters().at("seed").uint64_param(), 5);
}

TEST(OpenInferenceOutputTest, UnknownOutputsAreRefused) {
  using R = Refusal<ModelInferRequest>;
  ModelInferRequest good = RawBits();
  AskFor({"label"}, &good);
  ExpectRefused<ModelInferRequest>(
      good,
      {R{[](auto& r) { AskFor({"percentile"}, &r); }, kInvalid,
         "UNKNOWN_OUTPUT",
         "has \"percentile\"; of the task score this model has log_score, "
         "label, label_index, margin"},
       R{[](auto& r) { AskFor({"sample"}, &r); }, kInvalid, "UNKNOWN_OUTPUT",
         "\"sample\""},
       R{[](auto& r) { AskFor({"label"}, &r); }, kInvalid, "REPEATED",
         "\"label\" twice"},
       R{[](auto& r) {
           (*r.mutable_outputs(0)->mutable_parameters())["classification"];
         },
         kInvalid, "NOT_ALLOWED", "outputs.label.parameters"}},
      [](const ModelInferRequest& request) {
        return AskedOutputs(request, OddEven(), InferTask::kScore).status();
      });
}

TEST(OpenInferenceOutputTest, MetadataAndConfigListTheTensorsOfScore) {
  inference::ModelMetadataResponse metadata;
  EncodeTensorMetadata(OddEven(), &metadata);
  ASSERT_EQ(metadata.inputs_size(), 1);
  EXPECT_EQ(metadata.inputs(0).name(), "x");
  EXPECT_EQ(metadata.inputs(0).datatype(), "FP32");
  EXPECT_THAT(metadata.inputs(0).shape(), ElementsAre(-1, 2));
  ASSERT_EQ(metadata.outputs_size(), 4);
  EXPECT_EQ(metadata.outputs(1).name(), "label");
  EXPECT_EQ(metadata.outputs(1).datatype(), "BYTES");
  EXPECT_THAT(metadata.outputs(1).shape(), ElementsAre(-1));

  inference::ModelConfig config;
  EncodeTensorMetadata(OddEven(), &config);
  ASSERT_EQ(config.input_size(), 1);
  EXPECT_EQ(config.input(0).name(), "x");
  EXPECT_EQ(config.input(0).data_type(), inference::TYPE_FP32);
  EXPECT_THAT(config.input(0).dims(), ElementsAre(-1, 2));
  ASSERT_EQ(config.output_size(), 4);
  EXPECT_EQ(config.output(0).data_type(), inference::TYPE_FP64);
  EXPECT_EQ(config.output(1).data_type(), inference::TYPE_STRING);
  EXPECT_EQ(config.output(2).data_type(), inference::TYPE_INT64);
  EXPECT_THAT(config.output(0).dims(), ElementsAre(-1, 2));

  Model symbols = OddEven();
  symbols.data_spec.family = Family::kCategorical;
  config.Clear();
  EncodeTensorMetadata(symbols, &config);
  EXPECT_EQ(config.input(0).data_type(), inference::TYPE_INT64);
  symbols.data_spec.real_inputs = true;
  config.Clear();
  EncodeTensorMetadata(symbols, &config);
  EXPECT_EQ(config.input(0).data_type(), inference::TYPE_FP32);
}

}  // namespace
}  // namespace poe::server
