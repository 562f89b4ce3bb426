#include "server/codec/open_inference_binary.h"

#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/codec/open_inference_json.h"

namespace poe::server {
namespace {

using inference::ModelInferRequest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ModelInferRequest ReadJson(const std::string& json) {
  const auto request = ReadInferRequest(json);
  EXPECT_TRUE(request.ok()) << request.status();
  return request.ok() ? *request : ModelInferRequest();
}

// Two inputs, the first of four bytes.
ModelInferRequest OneBinaryInput() {
  return ReadJson(R"({"inputs": [
      {"name": "x", "shape": [1, 4], "datatype": "UINT8",
       "parameters": {"binary_data_size": 4}},
      {"name": "mask", "shape": [1, 4], "datatype": "BOOL",
       "data": [true, false, true, true]}]})");
}

TEST(OpenInferenceBinaryTest, ContentsAreAllRawIfOneIs) {
  ModelInferRequest request = OneBinaryInput();
  const auto wanted = TakeBinaryInputs(std::string("\0\xff\1\2", 4), &request);
  ASSERT_TRUE(wanted.ok()) << wanted.status();
  EXPECT_FALSE(wanted->others);
  EXPECT_THAT(
      request.raw_input_contents(),
      ElementsAre(std::string("\0\xff\1\2", 4), std::string("\1\0\1\1", 4)));
  for (const auto& input : request.inputs()) {
    EXPECT_FALSE(input.has_contents());
    EXPECT_THAT(input.parameters(), IsEmpty());
  }
}

TEST(OpenInferenceBinaryTest, WithoutBytesContentsStayTyped) {
  ModelInferRequest request = ReadJson(
      R"({"inputs": [{"name": "x", "shape": [1], "datatype": "FP32",
                      "data": [2]}]})");
  ASSERT_TRUE(TakeBinaryInputs("", &request).ok());
  EXPECT_THAT(request.raw_input_contents(), IsEmpty());
  EXPECT_THAT(request.inputs(0).contents().fp32_contents(), ElementsAre(2));
}

TEST(OpenInferenceBinaryTest, OutputsAreBytesWhereTheyAreWanted) {
  ModelInferRequest request = ReadJson(
      R"({"parameters": {"binary_data_output": true, "seed": 1},
          "outputs": [{"name": "label", "parameters": {"binary_data": false}},
                      {"name": "margin"}]})");
  const auto wanted = TakeBinaryInputs("", &request);
  ASSERT_TRUE(wanted.ok()) << wanted.status();
  EXPECT_EQ(request.parameters().size(), 1);
  EXPECT_THAT(request.outputs(0).parameters(), IsEmpty());

  inference::ModelInferResponse response;
  response.set_model_name("m");
  response.set_model_version("1");
  for (const char* name : {"label", "margin"}) {
    auto& output = *response.add_outputs();
    output.set_name(name);
    output.add_shape(1);
  }
  response.mutable_outputs(0)->set_datatype("BYTES");
  response.add_raw_output_contents(std::string("\3\0\0\0two", 7));
  response.mutable_outputs(1)->set_datatype("FP64");
  const double margin = 0.5;
  std::string bytes(sizeof margin, '\0');
  std::memcpy(bytes.data(), &margin, sizeof margin);
  response.add_raw_output_contents(bytes);
  EXPECT_EQ(TakeBinaryOutputs(*wanted, &response), bytes);
  EXPECT_EQ(InferResponseJson(response),
            R"({"model_name":"m","model_version":"1","outputs":[)"
            R"({"name":"label","datatype":"BYTES","shape":[1],"data":["two"]},)"
            R"({"name":"margin","datatype":"FP64","shape":[1],)"
            R"("parameters":{"binary_data_size":8}}]})");
}

TEST(OpenInferenceBinaryTest, BytesThatDoNotFitAreRefused) {
  const auto refusal = [](ModelInferRequest request, const std::string& bytes) {
    const auto wanted = TakeBinaryInputs(bytes, &request);
    EXPECT_EQ(wanted.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(wanted.status().message());
  };
  EXPECT_THAT(refusal(OneBinaryInput(), "abc"),
              HasSubstr("inputs[0].parameters.binary_data_size is 4; 3 bytes"));
  EXPECT_THAT(refusal(OneBinaryInput(), "abcde"), HasSubstr("has 1 bytes"));
  EXPECT_THAT(refusal(ReadJson("{}"), "a"), HasSubstr("has 1 bytes"));
  for (const char* size : {"-1", "1.5", "\"4\"", "18446744073709551615"}) {
    EXPECT_THAT(
        refusal(ReadJson(absl::StrCat(
                    R"({"inputs": [{"parameters": {"binary_data_size": )", size,
                    "}}]}")),
                "abcd"),
        HasSubstr("must be a whole number"));
  }
  EXPECT_THAT(refusal(ReadJson(R"({"inputs": [{"datatype": "UINT8", "data": [1],
                           "parameters": {"binary_data_size": 1}}]})"),
                      "a"),
              HasSubstr("beside data"));
  EXPECT_THAT(
      refusal(ReadJson(R"({"parameters": {"binary_data_output": 1}})"), ""),
      HasSubstr("must be true or false"));
}

}  // namespace
}  // namespace poe::server
