// Requests of the Open Inference Protocol's JSON. They are read while they are
// parsed: a tree of them would take many times the memory of the text.
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/map.h"
#include "nlohmann/json.hpp"
#include "server/codec/open_inference_binary.h"
#include "server/codec/open_inference_json.h"
#include "server/codec/open_inference_scalars.h"
#include "server/errors.h"

namespace poe::server {
namespace {

using Json = nlohmann::ordered_json;
using inference::InferParameter;
using inference::ModelInferRequest;

// More dimensions than any tensor here has.
constexpr std::size_t kMostNesting = 16;
// More tensors, parameters or lengths of a shape than any request needs.
constexpr std::int64_t kMostEntries = 64;

enum class Form { kObject, kArray, kScalar };

// What can stand in a request.
enum class Part {
  kBody,
  kInputs,
  kInput,
  kShape,
  kLength,
  kData,
  kElement,
  kOutputs,
  kOutput,
  kParameters,
  kParameter,
  kText,
};

struct PartForm {
  Form form;
  absl::string_view words;
};

PartForm FormOf(Part part) {
  switch (part) {
    case Part::kBody:
    case Part::kInput:
    case Part::kOutput:
    case Part::kParameters:
      return {Form::kObject, "an object"};
    case Part::kInputs:
    case Part::kOutputs:
    case Part::kShape:
    case Part::kData:
      return {Form::kArray, "an array"};
    case Part::kLength:
      return {Form::kScalar, "a whole number, at least 0"};
    case Part::kElement:
      return {Form::kScalar, "an element or an array of them"};
    case Part::kParameter:
      return {Form::kScalar, "a string, a number, true or false"};
    case Part::kText:
      break;
  }
  return {Form::kScalar, "a string"};
}

struct Member {
  Part owner;
  Part part;
  absl::string_view name;
};

constexpr Member kMembers[] = {
    {Part::kBody, Part::kText, "id"},
    {Part::kBody, Part::kParameters, "parameters"},
    {Part::kBody, Part::kInputs, "inputs"},
    {Part::kBody, Part::kOutputs, "outputs"},
    {Part::kInput, Part::kText, "name"},
    {Part::kInput, Part::kText, "datatype"},
    {Part::kInput, Part::kShape, "shape"},
    {Part::kInput, Part::kParameters, "parameters"},
    {Part::kInput, Part::kData, "data"},
    {Part::kOutput, Part::kText, "name"},
    {Part::kOutput, Part::kParameters, "parameters"},
};

absl::Status WrongJson(absl::string_view place, absl::string_view wanted) {
  return FieldError(place, "MALFORMED_JSON", absl::StrCat("must be ", wanted));
}

// Takes what the parser finds. Each of its functions returns whether to go on;
// if not, status() says why.
class RequestReader final : public nlohmann::json_sax<Json> {
 public:
  explicit RequestReader(ModelInferRequest* request) : request_(*request) {}

  const absl::Status& status() const { return status_; }

  // Whether data came before their datatype. They are passed over, and read if
  // all is parsed again after BeginAgain.
  bool has_late_data() const { return !late_.empty(); }
  void BeginAgain() { again_ = true; }

  bool null() override { return Scalar(nullptr); }
  bool boolean(bool value) override { return Scalar(value); }
  bool number_integer(std::int64_t value) override { return Scalar(value); }
  bool number_unsigned(std::uint64_t value) override { return Scalar(value); }
  bool number_float(double value, const std::string&) override {
    return Scalar(value);
  }
  bool string(std::string& value) override { return Scalar(std::move(value)); }
  // JSON has none.
  bool binary(Json::binary_t&) override { return Scalar(nullptr); }

  bool start_object(std::size_t) override { return Open(Form::kObject); }
  bool start_array(std::size_t) override { return Open(Form::kArray); }
  bool key(std::string& name) override;
  bool end_object() override;
  bool end_array() override {
    open_.pop_back();
    return true;
  }

  bool parse_error(std::size_t, const std::string&,
                   const Json::exception& exception) override {
    return Refuse(Error(absl::StatusCode::kInvalidArgument, "MALFORMED_JSON",
                        absl::StrCat("this is no JSON: ", exception.what())));
  }

 private:
  using Parameters = google::protobuf::Map<std::string, InferParameter>;

  // An object or array that has begun and not ended.
  struct Opened {
    Part part;
    std::int64_t entries = 0;
    // Of objects: the last member, and which of kMembers have been there.
    std::string key = {};
    Part member = Part::kParameter;
    std::uint32_t seen = 0;
  };

  bool Refuse(absl::Status status) {
    status_ = std::move(status);
    return false;
  }

  bool Scalar(const Json& value);
  bool Open(Form form);
  void Begin(Part part);
  // Reads a scalar. What it would have to be; empty if it is that.
  absl::string_view Read(Part part, const Json& value);

  // Counts one more entry of what has begun last.
  bool CountEntry();
  // Counts the value that comes next, where no key has counted it.
  bool CountValue();
  // What that is if it is no array of elements.
  Part Next() const;
  // Where it stands, if it is in the outermost `depth` of open_.
  std::string Place(std::size_t depth) const;

  // What the value that comes next is a part of.
  int InputIndex() const { return static_cast<int>(open_[1].entries - 1); }
  ModelInferRequest::InferInputTensor& Input() {
    return *request_.mutable_inputs(InputIndex());
  }
  std::string* Text();
  Parameters* ParametersOf(Part owner);

  ModelInferRequest& request_;
  absl::Status status_;
  std::vector<Opened> open_;
  std::set<int> late_;  // indices of inputs
  bool again_ = false;
  bool reads_elements_ = false;  // of the data that have begun last
};

bool RequestReader::key(std::string& name) {
  if (!CountEntry()) return false;
  Opened& object = open_.back();
  object.key = std::move(name);
  if (object.part == Part::kParameters) return true;
  for (std::size_t i = 0; i < std::size(kMembers); ++i) {
    if (kMembers[i].owner != object.part || kMembers[i].name != object.key)
      continue;
    const std::uint32_t bit = std::uint32_t{1} << i;
    if ((object.seen & bit) != 0) {
      return Refuse(
          FieldError(Place(open_.size()), "CONFLICT", "is given twice"));
    }
    object.seen |= bit;
    object.member = kMembers[i].part;
    return true;
  }
  return Refuse(FieldError(Place(open_.size() - 1), "UNKNOWN_FIELD",
                           absl::StrCat("has ", Quoted(object.key),
                                        ", which the protocol does not")));
}

bool RequestReader::end_object() {
  const bool lacks_data = open_.back().part == Part::kInput &&
                          !Input().has_contents() &&
                          !Input().parameters().contains(kBinaryDataSize);
  open_.pop_back();
  if (!lacks_data) return true;
  return Refuse(WrongJson(absl::StrCat(Place(open_.size()), ".data"), "given"));
}

bool RequestReader::Scalar(const Json& value) {
  if (!CountValue()) return false;
  const Part part = Next();
  const PartForm form = FormOf(part);
  const absl::string_view wanted =
      form.form == Form::kScalar ? Read(part, value) : form.words;
  if (wanted.empty()) return true;
  return Refuse(WrongJson(Place(open_.size()), wanted));
}

bool RequestReader::Open(Form form) {
  if (!CountValue()) return false;
  Part part = Next();
  if (part == Part::kElement && form == Form::kArray) part = Part::kData;
  const PartForm wanted = FormOf(part);
  if (wanted.form != form)
    return Refuse(WrongJson(Place(open_.size()), wanted.words));
  // Outside of data are the body, its inputs and the input.
  if (part == Part::kData && open_.size() >= 3 + kMostNesting) {
    return Refuse(
        WrongJson(Place(open_.size()),
                  absl::StrCat("at most ", kMostNesting, " arrays deep")));
  }
  Begin(part);
  open_.push_back({.part = part});
  return true;
}

void RequestReader::Begin(Part part) {
  if (part == Part::kInput && !again_) request_.add_inputs();
  if (part == Part::kOutput && !again_) request_.add_outputs();
  if (part != Part::kData || open_.back().part == Part::kData) return;
  Input().mutable_contents();
  if (Input().datatype().empty() && !again_) late_.insert(InputIndex());
  reads_elements_ = (late_.count(InputIndex()) > 0) == again_;
}

absl::string_view RequestReader::Read(Part part, const Json& value) {
  if (part == Part::kElement) {
    if (!reads_elements_) return "";
    return AddElement(value, Input().datatype(), Input().mutable_contents());
  }
  if (again_) return "";
  const absl::string_view wanted = FormOf(part).words;
  if (part == Part::kText) {
    if (!value.is_string()) return wanted;
    *Text() = value.get_ref<const std::string&>();
    return "";
  }
  if (part == Part::kParameter) {
    InferParameter& parameter =
        (*ParametersOf(open_[open_.size() - 2].part))[open_.back().key];
    return SetParameter(value, &parameter) ? "" : wanted;
  }
  std::int64_t length = 0;
  if (!IsWhole(value, 0, std::numeric_limits<std::int64_t>::max(), &length))
    return wanted;
  Input().add_shape(length);
  return "";
}

bool RequestReader::CountEntry() {
  Opened& last = open_.back();
  ++last.entries;
  if (last.part == Part::kData || last.entries <= kMostEntries) return true;
  return Refuse(
      FieldError(Place(open_.size() - 1), "OUT_OF_RANGE",
                 absl::StrCat("has more than ", kMostEntries, " entries")));
}

bool RequestReader::CountValue() {
  return open_.empty() || FormOf(open_.back().part).form == Form::kObject ||
         CountEntry();
}

Part RequestReader::Next() const {
  if (open_.empty()) return Part::kBody;
  switch (open_.back().part) {
    case Part::kInputs:
      return Part::kInput;
    case Part::kOutputs:
      return Part::kOutput;
    case Part::kShape:
      return Part::kLength;
    case Part::kData:
      return Part::kElement;
    default:
      return open_.back().member;
  }
}

std::string RequestReader::Place(std::size_t depth) const {
  std::string place;
  for (std::size_t i = 0; i < depth; ++i) {
    if (FormOf(open_[i].part).form == Form::kArray) {
      absl::StrAppend(&place, "[", open_[i].entries - 1, "]");
    } else {
      absl::StrAppend(&place, place.empty() ? "" : ".", open_[i].key);
    }
  }
  return place.empty() ? "body" : place;
}

std::string* RequestReader::Text() {
  const Opened& object = open_.back();
  if (object.part == Part::kBody) return request_.mutable_id();
  if (object.part == Part::kOutput) {
    return request_.mutable_outputs(static_cast<int>(open_[1].entries - 1))
        ->mutable_name();
  }
  return object.key == "name" ? Input().mutable_name()
                              : Input().mutable_datatype();
}

RequestReader::Parameters* RequestReader::ParametersOf(Part owner) {
  if (owner == Part::kBody) return request_.mutable_parameters();
  if (owner == Part::kInput) return Input().mutable_parameters();
  return request_.mutable_outputs(static_cast<int>(open_[1].entries - 1))
      ->mutable_parameters();
}

}  // namespace

absl::StatusOr<ModelInferRequest> ReadInferRequest(absl::string_view json) {
  ModelInferRequest request;
  RequestReader reader(&request);
  const auto parse = [&] {
    return Json::sax_parse(json.begin(), json.end(), &reader);
  };
  bool read = parse();
  if (read && reader.has_late_data()) {
    reader.BeginAgain();
    read = parse();
  }
  if (!read) return reader.status();
  return request;
}

}  // namespace poe::server
