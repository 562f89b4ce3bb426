// The messages of proto/inference against the numbers that the Open Inference
// Protocol and Triton's extensions to it have published. They are written down
// here once more, because clients that are made from our own file would agree
// with any.

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "gtest/gtest.h"
#include "inference/open_inference.pb.h"

namespace poe::server {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;
using ::testing::UnorderedElementsAreArray;

// A field in each line: message, number, type, name. Repeated ones have a *
// before their type; of maps it is that of the values.
constexpr absl::string_view kPublishedFields = R"(
ServerLiveResponse 1 bool live
ServerReadyResponse 1 bool ready
ModelReadyRequest 1 string name
ModelReadyRequest 2 string version
ModelReadyResponse 1 bool ready
ServerMetadataResponse 1 string name
ServerMetadataResponse 2 string version
ServerMetadataResponse 3 *string extensions
ModelMetadataRequest 1 string name
ModelMetadataRequest 2 string version
ModelMetadataResponse 1 string name
ModelMetadataResponse 2 *string versions
ModelMetadataResponse 3 string platform
ModelMetadataResponse 4 *ModelMetadataResponse.TensorMetadata inputs
ModelMetadataResponse 5 *ModelMetadataResponse.TensorMetadata outputs
ModelMetadataResponse.TensorMetadata 1 string name
ModelMetadataResponse.TensorMetadata 2 string datatype
ModelMetadataResponse.TensorMetadata 3 *int64 shape
InferParameter 1 bool bool_param
InferParameter 2 int64 int64_param
InferParameter 3 string string_param
InferParameter 4 double double_param
InferParameter 5 uint64 uint64_param
InferTensorContents 1 *bool bool_contents
InferTensorContents 2 *int32 int_contents
InferTensorContents 3 *int64 int64_contents
InferTensorContents 4 *uint32 uint_contents
InferTensorContents 5 *uint64 uint64_contents
InferTensorContents 6 *float fp32_contents
InferTensorContents 7 *double fp64_contents
InferTensorContents 8 *bytes bytes_contents
ModelInferRequest 1 string model_name
ModelInferRequest 2 string model_version
ModelInferRequest 3 string id
ModelInferRequest 4 map:InferParameter parameters
ModelInferRequest 5 *ModelInferRequest.InferInputTensor inputs
ModelInferRequest 6 *ModelInferRequest.InferRequestedOutputTensor outputs
ModelInferRequest 7 *bytes raw_input_contents
ModelInferRequest.InferInputTensor 1 string name
ModelInferRequest.InferInputTensor 2 string datatype
ModelInferRequest.InferInputTensor 3 *int64 shape
ModelInferRequest.InferInputTensor 4 map:InferParameter parameters
ModelInferRequest.InferInputTensor 5 InferTensorContents contents
ModelInferRequest.InferRequestedOutputTensor 1 string name
ModelInferRequest.InferRequestedOutputTensor 2 map:InferParameter parameters
ModelInferResponse 1 string model_name
ModelInferResponse 2 string model_version
ModelInferResponse 3 string id
ModelInferResponse 4 map:InferParameter parameters
ModelInferResponse 5 *ModelInferResponse.InferOutputTensor outputs
ModelInferResponse 6 *bytes raw_output_contents
ModelInferResponse.InferOutputTensor 1 string name
ModelInferResponse.InferOutputTensor 2 string datatype
ModelInferResponse.InferOutputTensor 3 *int64 shape
ModelInferResponse.InferOutputTensor 4 map:InferParameter parameters
ModelInferResponse.InferOutputTensor 5 InferTensorContents contents
ModelConfigRequest 1 string name
ModelConfigRequest 2 string version
ModelConfigResponse 1 ModelConfig config
ModelInput 1 string name
ModelInput 2 DataType data_type
ModelInput 4 *int64 dims
ModelOutput 1 string name
ModelOutput 2 DataType data_type
ModelOutput 3 *int64 dims
ModelConfig 1 string name
ModelConfig 2 string platform
ModelConfig 4 int32 max_batch_size
ModelConfig 5 *ModelInput input
ModelConfig 6 *ModelOutput output
ModelStatisticsRequest 1 string name
ModelStatisticsRequest 2 string version
StatisticDuration 1 uint64 count
StatisticDuration 2 uint64 ns
InferStatistics 1 StatisticDuration success
InferStatistics 2 StatisticDuration fail
InferStatistics 3 StatisticDuration queue
InferStatistics 4 StatisticDuration compute_input
InferStatistics 5 StatisticDuration compute_infer
InferStatistics 6 StatisticDuration compute_output
ModelStatistics 1 string name
ModelStatistics 2 string version
ModelStatistics 3 uint64 last_inference
ModelStatistics 4 uint64 inference_count
ModelStatistics 5 uint64 execution_count
ModelStatistics 6 InferStatistics inference_stats
ModelStatisticsResponse 1 *ModelStatistics model_stats
ModelRepositoryParameter 1 bool bool_param
ModelRepositoryParameter 2 int64 int64_param
ModelRepositoryParameter 3 string string_param
ModelRepositoryParameter 4 bytes bytes_param
RepositoryIndexRequest 1 string repository_name
RepositoryIndexRequest 2 bool ready
RepositoryIndexResponse 1 *RepositoryIndexResponse.ModelIndex models
RepositoryIndexResponse.ModelIndex 1 string name
RepositoryIndexResponse.ModelIndex 2 string version
RepositoryIndexResponse.ModelIndex 3 string state
RepositoryIndexResponse.ModelIndex 4 string reason
RepositoryModelLoadRequest 1 string repository_name
RepositoryModelLoadRequest 2 string model_name
RepositoryModelLoadRequest 3 map:ModelRepositoryParameter parameters
RepositoryModelUnloadRequest 1 string repository_name
RepositoryModelUnloadRequest 2 string model_name
RepositoryModelUnloadRequest 3 map:ModelRepositoryParameter parameters
)";

constexpr absl::string_view kPublishedTypes = R"(
0 TYPE_INVALID
1 TYPE_BOOL
2 TYPE_UINT8
3 TYPE_UINT16
4 TYPE_UINT32
5 TYPE_UINT64
6 TYPE_INT8
7 TYPE_INT16
8 TYPE_INT32
9 TYPE_INT64
10 TYPE_FP16
11 TYPE_FP32
12 TYPE_FP64
13 TYPE_STRING
14 TYPE_BF16
)";

// Each is called with NAMERequest and answered with NAMEResponse.
constexpr absl::string_view kPublishedMethods = R"(
ServerLive
ServerReady
ModelReady
ServerMetadata
ModelMetadata
ModelInfer
ModelConfig
ModelStatistics
RepositoryIndex
RepositoryModelLoad
RepositoryModelUnload
)";

std::set<std::string> PublishedLines(absl::string_view text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

const FileDescriptor& SchemaFile() {
  return *inference::ModelInferRequest::descriptor()->file();
}

// Without the package, which is the protocol's too.
std::string NameInPackage(const std::string& full_name) {
  return full_name.substr(SchemaFile().package().size() + 1);
}

std::string TypeInSchema(const FieldDescriptor& field) {
  if (field.is_map()) {
    return absl::StrCat(
        "map:", TypeInSchema(*field.message_type()->FindFieldByNumber(2)));
  }
  const char* const repeated = field.is_repeated() ? "*" : "";
  if (field.message_type() != nullptr) {
    return absl::StrCat(repeated,
                        NameInPackage(field.message_type()->full_name()));
  }
  if (field.enum_type() != nullptr) {
    return absl::StrCat(repeated,
                        NameInPackage(field.enum_type()->full_name()));
  }
  return absl::StrCat(repeated, field.type_name());
}

void AddFields(const Descriptor& message, std::set<std::string>& lines) {
  if (message.options().map_entry()) return;
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    lines.insert(absl::StrCat(NameInPackage(message.full_name()), " ",
                              field.number(), " ", TypeInSchema(field), " ",
                              field.name()));
  }
  for (int i = 0; i < message.nested_type_count(); ++i) {
    AddFields(*message.nested_type(i), lines);
  }
}

TEST(OpenInferenceSchemaTest, FieldsHaveThePublishedNumbersAndTypes) {
  ASSERT_EQ(SchemaFile().package(), "inference");
  std::set<std::string> lines;
  for (int i = 0; i < SchemaFile().message_type_count(); ++i) {
    AddFields(*SchemaFile().message_type(i), lines);
  }
  EXPECT_THAT(lines,
              UnorderedElementsAreArray(PublishedLines(kPublishedFields)));
}

TEST(OpenInferenceSchemaTest, TypesHaveThePublishedNumbers) {
  std::set<std::string> lines;
  const EnumDescriptor& types = *inference::DataType_descriptor();
  for (int i = 0; i < types.value_count(); ++i) {
    lines.insert(
        absl::StrCat(types.value(i)->number(), " ", types.value(i)->name()));
  }
  EXPECT_THAT(lines,
              UnorderedElementsAreArray(PublishedLines(kPublishedTypes)));
}

TEST(OpenInferenceSchemaTest, MethodsHaveThePublishedNames) {
  const ServiceDescriptor* const service =
      SchemaFile().FindServiceByName("GRPCInferenceService");
  ASSERT_NE(service, nullptr);
  std::set<std::string> names;
  for (int i = 0; i < service->method_count(); ++i) {
    const MethodDescriptor& method = *service->method(i);
    names.insert(method.name());
    EXPECT_EQ(method.input_type()->name(), method.name() + "Request");
    EXPECT_EQ(method.output_type()->name(), method.name() + "Response");
    EXPECT_FALSE(method.client_streaming() || method.server_streaming());
  }
  EXPECT_THAT(names,
              UnorderedElementsAreArray(PublishedLines(kPublishedMethods)));
}

}  // namespace
}  // namespace poe::server
