#include "server/codec/kept_classes_codec.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"
#include "server/codec/data_spec_codec.h"
#include "server/errors.h"

namespace poe::server {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::TextFormat;
using google::protobuf::util::MessageDifferencer;

// Of a field of both, for people.
std::string DescribeDifference(const v1::DataSpec& stated,
                               const v1::DataSpec& base,
                               std::int64_t base_version,
                               const FieldDescriptor* field) {
  if (field->is_repeated() || field->message_type() != nullptr)
    return absl::StrCat("is not that of base_version ", base_version,
                        ", which the new version has too; leave it out");
  std::string given, wanted;
  TextFormat::PrintFieldValueToString(stated, field, -1, &given);
  TextFormat::PrintFieldValueToString(base, field, -1, &wanted);
  return absl::StrCat("is ", given, ", but ", wanted, " in base_version ",
                      base_version, "; leave it out, or give the same");
}

}  // namespace

absl::Status CheckBaseVersion(const v1::TrainStart& start, const Model* base) {
  if (start.base_version() < 0)
    return FieldError(
        "base_version", "OUT_OF_RANGE",
        absl::StrCat("is ", start.base_version(),
                     "; must be the number of a version, or 0 for none"));
  if (start.base_version() == 0) {
    if (start.kept_class_names().empty()) return absl::OkStatus();
    return FieldError("base_version", "REQUIRED",
                      "is missing; it is the version that kept_class_names "
                      "are taken from");
  }
  if (start.kept_class_names().empty())
    return FieldError("kept_class_names", "REQUIRED",
                      "is missing; it names the classes that are taken from "
                      "base_version");
  if (base == nullptr)
    return Error(absl::StatusCode::kNotFound, "VERSION_NOT_FOUND",
                 absl::StrCat("base_version is ", start.base_version(),
                              ", which is not stored"));
  return absl::OkStatus();
}

absl::StatusOr<DataSpec> DecodeKeptDataSpec(const v1::TrainStart& start,
                                            const Model& base) {
  const v1::DataSpec kept = EncodeDataSpec(base.data_spec);
  v1::DataSpec stated = start.data_spec();
  // In whatever order they came.
  std::sort(stated.mutable_input_coordinates()->begin(),
            stated.mutable_input_coordinates()->end());
  std::vector<const FieldDescriptor*> fields;
  stated.GetReflection()->ListFields(stated, &fields);
  MessageDifferencer differencer;
  // What is not set within a message is not stated either.
  differencer.set_scope(MessageDifferencer::PARTIAL);
  for (const FieldDescriptor* field : fields)
    if (!differencer.CompareWithFields(stated, kept, {field}, {field}))
      return FieldError(
          absl::StrCat("data_spec.", field->name()), "DIFFERS_FROM_BASE",
          DescribeDifference(stated, kept, start.base_version(), field));
  return base.data_spec;
}

absl::StatusOr<std::vector<Index>> DecodeKeptClassNames(
    const v1::TrainStart& start, absl::Span<const std::string> class_names,
    const Model* base) {
  std::vector<Index> kept;
  if (base == nullptr) return kept;
  std::map<absl::string_view, Index> indices;
  for (std::size_t c = 0; c < class_names.size(); ++c)
    indices.emplace(class_names[c], static_cast<Index>(c));
  for (int i = 0; i < start.kept_class_names_size(); ++i) {
    const std::string& name = start.kept_class_names(i);
    const std::string field = absl::StrCat("kept_class_names[", i, "]");
    const auto found = indices.find(name);
    if (found == indices.end())
      return FieldError(
          field, "UNKNOWN_CLASS",
          absl::StrCat("is ", Quoted(name), ", which is not in class_names"));
    if (std::find(kept.begin(), kept.end(), found->second) != kept.end())
      return FieldError(
          field, "DUPLICATE",
          absl::StrCat("is ", Quoted(name), " again; name each class once"));
    if (base->FindClass(name) == nullptr)
      return FieldError(field, "UNKNOWN_CLASS",
                        absl::StrCat("is ", Quoted(name),
                                     ", which is no class of base_version ",
                                     start.base_version()));
    kept.push_back(found->second);
  }
  std::sort(kept.begin(), kept.end());
  return kept;
}

}  // namespace poe::server
