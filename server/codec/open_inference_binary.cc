#include "server/codec/open_inference_binary.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/map.h"
#include "server/codec/open_inference_inputs.h"
#include "server/errors.h"

namespace poe::server {
namespace {

using InferParameters =
    google::protobuf::Map<std::string, inference::InferParameter>;

// Nothing if it is not there.
absl::StatusOr<std::optional<bool>> TakeFlag(const std::string& name,
                                             absl::string_view path,
                                             InferParameters* parameters) {
  const auto found = parameters->find(name);
  if (found == parameters->end()) return std::nullopt;
  if (!found->second.has_bool_param())
    return FieldError(absl::StrCat(path, ".", name), "INVALID_VALUE",
                      "is of another type; must be true or false");
  const bool value = found->second.bool_param();
  parameters->erase(found);
  return value;
}

bool IsBinary(const inference::ModelInferRequest::InferInputTensor& input) {
  return input.parameters().contains(kBinaryDataSize);
}

// The input's share of what is left of `bytes`.
absl::StatusOr<std::string> TakeContents(
    const std::string& path, absl::string_view& bytes,
    inference::ModelInferRequest::InferInputTensor* input) {
  const auto found = input->mutable_parameters()->find(kBinaryDataSize);
  const std::string size_path =
      absl::StrCat(path, ".parameters.", kBinaryDataSize);
  if (input->has_contents())
    return FieldError(size_path, "CONFLICT",
                      "is given beside data; a tensor has one of them");
  const std::int64_t size = found->second.int64_param();
  if (!found->second.has_int64_param() || size < 0)
    return FieldError(size_path, "INVALID_VALUE",
                      "must be a whole number, at least 0");
  if (static_cast<std::uint64_t>(size) > bytes.size())
    return FieldError(size_path, "WRONG_SIZE",
                      absl::StrCat("is ", size, "; ", bytes.size(),
                                   " bytes are left of the body"));
  input->mutable_parameters()->erase(found);
  std::string contents(bytes.substr(0, static_cast<std::size_t>(size)));
  bytes.remove_prefix(contents.size());
  return contents;
}

// Contents are all raw or none.
absl::Status MakeInputsRaw(absl::string_view bytes,
                           inference::ModelInferRequest* request) {
  for (int i = 0; i < request->inputs_size(); ++i) {
    inference::ModelInferRequest::InferInputTensor& input =
        *request->mutable_inputs(i);
    const std::string path = absl::StrCat("inputs[", i, "]");
    absl::StatusOr<std::string> contents =
        IsBinary(input) ? TakeContents(path, bytes, &input)
                        : PackContents(input, path);
    if (!contents.ok()) return contents.status();
    input.clear_contents();
    request->add_raw_input_contents(*std::move(contents));
  }
  if (bytes.empty()) return absl::OkStatus();
  return FieldError("body", "WRONG_SIZE",
                    absl::StrCat("has ", bytes.size(),
                                 " bytes after its JSON and the contents of "
                                 "the inputs; must have none"));
}

}  // namespace

absl::StatusOr<BinaryOutputs> TakeBinaryInputs(
    absl::string_view bytes, inference::ModelInferRequest* request) {
  BinaryOutputs wanted;
  const absl::StatusOr<std::optional<bool>> others = TakeFlag(
      "binary_data_output", "parameters", request->mutable_parameters());
  if (!others.ok()) return others.status();
  wanted.others = others->value_or(false);
  for (auto& output : *request->mutable_outputs()) {
    const absl::StatusOr<std::optional<bool>> flag = TakeFlag(
        "binary_data", absl::StrCat("outputs.", output.name(), ".parameters"),
        output.mutable_parameters());
    if (!flag.ok()) return flag.status();
    if (flag->has_value()) wanted.named[output.name()] = **flag;
  }
  if (bytes.empty() && std::none_of(request->inputs().begin(),
                                    request->inputs().end(), IsBinary)) {
    return wanted;
  }
  absl::Status status = MakeInputsRaw(bytes, request);
  if (!status.ok()) return status;
  return wanted;
}

std::string TakeBinaryOutputs(const BinaryOutputs& wanted,
                              inference::ModelInferResponse* response) {
  std::string bytes;
  for (int i = 0; i < response->outputs_size(); ++i) {
    auto& output = *response->mutable_outputs(i);
    const auto named = wanted.named.find(output.name());
    if (!(named == wanted.named.end() ? wanted.others : named->second))
      continue;
    std::string& contents = *response->mutable_raw_output_contents(i);
    (*output.mutable_parameters())[kBinaryDataSize].set_int64_param(
        static_cast<std::int64_t>(contents.size()));
    bytes += contents;
    contents.clear();
  }
  return bytes;
}

}  // namespace poe::server
