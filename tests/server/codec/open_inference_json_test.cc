#include "server/codec/open_inference_json.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace poe::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(OpenInferenceJsonTest, RequestsAreReadNestedOrFlat) {
  for (const char* data : {"[[1, 0.5], [0, 2]]", "[1, 0.5, 0, 2]"}) {
    const auto request = ReadInferRequest(
        std::string(R"({"id": "q", "inputs": [{"data": )") + data +
        R"(, "name": "x", "shape": [2, 2], "datatype": "FP32"}],
            "outputs": [{"name": "margin", "parameters": {"binary_data": false}}],
            "parameters": {"task": "score", "seed": 18446744073709551615,
                           "chains": 4, "binary_data_output": false}})");
    ASSERT_TRUE(request.ok()) << request.status();
    EXPECT_EQ(request->id(), "q");
    ASSERT_EQ(request->inputs_size(), 1);
    EXPECT_THAT(request->inputs(0).shape(), ElementsAre(2, 2));
    EXPECT_THAT(request->inputs(0).contents().fp32_contents(),
                ElementsAre(1, 0.5, 0, 2));
    ASSERT_EQ(request->outputs_size(), 1);
    EXPECT_FALSE(
        request->outputs(0).parameters().at("binary_data").bool_param());
    EXPECT_EQ(request->parameters().size(), 4);
    EXPECT_EQ(request->parameters().at("seed").uint64_param(), ~0ULL);
    EXPECT_EQ(request->parameters().at("chains").int64_param(), 4);
  }
}

TEST(OpenInferenceJsonTest, EachDatatypeHasItsElements) {
  const auto request = ReadInferRequest(R"({"inputs": [
      {"name": "a", "shape": [1], "datatype": "FP64", "data": [null]},
      {"name": "b", "shape": [1], "datatype": "UINT8", "data": [255]},
      {"name": "c", "shape": [1], "datatype": "INT64",
       "data": [-9223372036854775808]},
      {"name": "d", "shape": [2], "datatype": "BOOL", "data": [true, 0]},
      {"name": "e", "shape": [1], "datatype": "INT32",
       "data": [-2147483648]}]})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_TRUE(std::isnan(request->inputs(0).contents().fp64_contents(0)));
  EXPECT_EQ(request->inputs(1).contents().uint_contents(0), 255u);
  EXPECT_EQ(request->inputs(2).contents().int64_contents(0),
            std::numeric_limits<std::int64_t>::min());
  EXPECT_THAT(request->inputs(3).contents().bool_contents(),
              ElementsAre(true, false));
  EXPECT_EQ(request->inputs(4).contents().int_contents(0),
            std::numeric_limits<std::int32_t>::min());
}

TEST(OpenInferenceJsonTest, BadRequestsAreRefusedWithTheirPlace) {
  const std::string deep = std::string(100'000, '[');
  const struct {
    std::string json;
    const char* message;
  } cases[] = {
      {"", "no JSON"},
      {"{\"id\": \"q\"", "no JSON"},
      {deep, "body must be an object"},
      {"[]", "body must be an object"},
      {R"({"cats": 1})", "\"cats\""},
      {R"({"id": 1})", "id must be a string"},
      {R"({"inputs": {}})", "inputs must be an array"},
      {R"({"inputs": [{"name": "x"}]})", "inputs[0].data must be given"},
      {R"({"inputs": [{"shape": [-1]}]})", "inputs[0].shape[0]"},
      {R"({"inputs": [{"datatype": "FP32", "data": [[1], ["a"]]}]})",
       "inputs[0].data[1][0] must be a number or null"},
      {R"({"inputs": [{"datatype": "FP32", "data": [1e39]}]})",
       "range of FP32"},
      {R"({"inputs": [{"datatype": "UINT8", "data": [256]}]})",
       "from 0 to 255"},
      {R"({"inputs": [{"datatype": "INT32", "data": [2147483648]}]})",
       "32 bits"},
      {R"({"inputs": [{"datatype": "INT64", "data": [1.5]}]})", "64 bits"},
      {R"({"inputs": [{"datatype": "INT64", "data": [9223372036854775808]}]})",
       "64 bits"},
      {R"({"inputs": [{"datatype": "BOOL", "data": [2]}]})", "true or false"},
      {R"({"inputs": [{"datatype": "FP16", "data": [1]}]})", "datatype"},
      {R"({"inputs": [{"datatype": "FP32",
          "data": [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}]})",
       "arrays deep"},
      {R"({"parameters": {"task": null}})", "parameters.task"},
      {R"({"inputs": [{"datatype": "FP32", "data": [1, {"a": 1}]}]})",
       "inputs[0].data[1] must be an element or an array of them"},
      {R"({"inputs": [{"data": [[1], ["a"]], "datatype": "FP32"}]})",
       "inputs[0].data[1][0] must be a number or null"},
      {R"({"inputs": [{"data": [1]}]})", "inputs[0].data[0] must be of"},
      {R"({"outputs": [{"name": "a", "name": "b"}]})",
       "outputs[0].name is given twice"},
      {R"({"inputs": [], "inputs": []})", "inputs is given twice"},
  };
  for (const auto& [json, message] : cases) {
    const auto request = ReadInferRequest(json);
    EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(request.status().ToString(), HasSubstr(message));
  }
}

TEST(OpenInferenceJsonTest, DataMayComeBeforeTheirDatatype) {
  const auto request = ReadInferRequest(R"({"inputs": [
      {"datatype": "FP32", "data": [0.5], "name": "a"},
      {"data": [[1, 0], [0, 1]], "datatype": "BOOL", "shape": [2, 2]},
      {"parameters": {"binary_data_size": 4}},
      {"data": [9007199254740993], "datatype": "INT64"}],
      "outputs": [{"name": "margin"}], "parameters": {"seed": 3}})");
  ASSERT_TRUE(request.ok()) << request.status();
  ASSERT_EQ(request->inputs_size(), 4);
  EXPECT_THAT(request->inputs(0).contents().fp32_contents(), ElementsAre(0.5));
  EXPECT_THAT(request->inputs(1).contents().bool_contents(),
              ElementsAre(true, false, false, true));
  EXPECT_THAT(request->inputs(1).shape(), ElementsAre(2, 2));
  EXPECT_FALSE(request->inputs(2).has_contents());
  EXPECT_THAT(request->inputs(3).contents().int64_contents(),
              ElementsAre(9007199254740993));
  EXPECT_EQ(request->outputs_size(), 1);
  EXPECT_EQ(request->parameters().size(), 1);
}

// A tree or message of these would be many times the text.
TEST(OpenInferenceJsonTest, WhatGrowsAsItIsReadIsRefused) {
  const auto repeated = [](int times, const std::string& text) {
    std::string all = text;
    for (int i = 1; i < times; ++i) all += "," + text;
    return all;
  };
  std::string parameters = "\"a0\": 1";
  for (int i = 1; i < 65; ++i)
    parameters += ", \"a" + std::to_string(i) + "\": 1";
  const struct {
    std::string json;
    const char* message;
  } cases[] = {
      {"{\"inputs\": [" + repeated(65, "{\"data\": []}") + "]}",
       "inputs has more than 64 entries"},
      {"{\"outputs\": [" + repeated(65, "{}") + "]}",
       "outputs has more than 64 entries"},
      {"{\"inputs\": [{\"shape\": [" + repeated(65, "1") + "]}]}",
       "inputs[0].shape has more than 64 entries"},
      {"{\"parameters\": {" + parameters + "}}",
       "parameters has more than 64 entries"},
      {"{\"outputs\": [{\"parameters\": {\"a\": [[[[[[[[[[", "outputs[0]"},
      {"{\"cats\": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "\"cats\""},
      {"{\"inputs\": [{\"data\": " + std::string(1 << 20, '['), "arrays deep"},
      {"{\"inputs\": [{\"data\": [" + repeated(1 << 16, "[]") + ", {}",
       "inputs[0].data[65536] must be an element"},
  };
  for (const auto& [json, message] : cases) {
    const auto request = ReadInferRequest(json);
    EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(request.status().ToString(), HasSubstr(message));
  }
}

TEST(OpenInferenceJsonTest, ResponsesHaveFlatNumbers) {
  inference::ModelInferResponse response;
  response.set_model_name("m");
  response.set_model_version("3");
  (*response.mutable_parameters())["seed"].set_uint64_param(~0ULL);
  auto* output = response.add_outputs();
  output->set_name("log_score");
  output->set_datatype("FP64");
  output->add_shape(3);
  const double scores[] = {0.1, -std::numeric_limits<double>::infinity(),
                           std::numeric_limits<double>::quiet_NaN()};
  response.add_raw_output_contents(reinterpret_cast<const char*>(scores),
                                   sizeof scores);
  output = response.add_outputs();
  output->set_name("label");
  output->set_datatype("BYTES");
  output->add_shape(2);
  response.add_raw_output_contents(std::string("\3\0\0\0two\0\0\0\0", 11));
  EXPECT_EQ(
      InferResponseJson(response),
      R"({"model_name":"m","model_version":"3",)"
      R"("parameters":{"seed":18446744073709551615},"outputs":[)"
      R"({"name":"log_score","datatype":"FP64","shape":[3],)"
      R"("data":[0.1,null,null]},)"
      R"({"name":"label","datatype":"BYTES","shape":[2],"data":["two",""]}]})");
}

}  // namespace
}  // namespace poe::server
