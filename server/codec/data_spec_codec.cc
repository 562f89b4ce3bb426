#include "server/codec/data_spec_codec.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/errors.h"

namespace poe::server {
namespace {

absl::StatusOr<Family> DecodeFamily(const v1::DataSpec& spec,
                                    absl::string_view field) {
  const std::string path = absl::StrCat(field, ".family");
  constexpr absl::string_view kAvailable =
      "; this version knows FAMILY_BERNOULLI and FAMILY_GAUSSIAN";
  switch (spec.family()) {
    case v1::FAMILY_BERNOULLI:
      return Family::kBernoulli;
    case v1::FAMILY_GAUSSIAN:
      return Family::kGaussian;
    case v1::FAMILY_CATEGORICAL:
    case v1::FAMILY_STRUCTURED_GAUSSIAN:
      return NotBuiltYet(
          path,
          absl::StrCat("is ", v1::Family_Name(spec.family()), kAvailable));
    case v1::FAMILY_UNSPECIFIED:
      return FieldError(path, "REQUIRED",
                        absl::StrCat("is missing", kAvailable));
    default:
      return FieldError(
          path, "INVALID_VALUE",
          absl::StrCat("is ", static_cast<int>(spec.family()), kAvailable));
  }
}

absl::Status CheckBuilt(const v1::DataSpec& spec, absl::string_view field) {
  if (spec.sequential())
    return NotBuiltYet(absl::StrCat(field, ".sequential"),
                       "is true; this version knows dense rows only");
  if (!spec.input_coordinates().empty())
    return NotBuiltYet(absl::StrCat(field, ".input_coordinates"),
                       "is given; this version knows no conditional models");
  if (spec.num_symbols() != 0)
    return FieldError(absl::StrCat(field, ".num_symbols"), "NOT_ALLOWED",
                      "is given; it is for FAMILY_CATEGORICAL only");
  return absl::OkStatus();
}

absl::StatusOr<Preprocessing> DecodePreprocessing(
    const v1::Preprocessing& message, Index dimension, SpecOrigin origin,
    absl::string_view field) {
  Preprocessing preprocessing;
  switch (message.kind()) {
    case v1::Preprocessing::KIND_UNSPECIFIED:
    case v1::Preprocessing::KIND_NONE:
      preprocessing.kind = Preprocessing::Kind::kNone;
      break;
    case v1::Preprocessing::KIND_UNIT_INTERVAL:
      preprocessing.kind = Preprocessing::Kind::kUnitInterval;
      break;
    case v1::Preprocessing::KIND_STANDARDIZE:
      preprocessing.kind = Preprocessing::Kind::kStandardize;
      break;
    default:
      return FieldError(absl::StrCat(field, ".kind"), "INVALID_VALUE",
                        absl::StrCat("is ", static_cast<int>(message.kind()),
                                     "; must be KIND_NONE, KIND_UNIT_INTERVAL "
                                     "or KIND_STANDARDIZE"));
  }
  if (origin == SpecOrigin::kTrainStart &&
      (!message.shift().empty() || !message.scale().empty()))
    return FieldError(field, "NOT_ALLOWED",
                      "has shift or scale; they are fitted in training, give "
                      "kind alone");
  const Index wanted = origin == SpecOrigin::kTrainStart ||
                               preprocessing.kind == Preprocessing::Kind::kNone
                           ? 0
                           : dimension;
  if (message.shift_size() != wanted || message.scale_size() != wanted)
    return FieldError(field, "WRONG_SIZE",
                      absl::StrCat("has ", message.shift_size(), " shifts and ",
                                   message.scale_size(), " scales; must have ",
                                   wanted, " of each"));
  preprocessing.shift.assign(message.shift().begin(), message.shift().end());
  preprocessing.scale.assign(message.scale().begin(), message.scale().end());
  return preprocessing;
}

v1::Preprocessing::Kind EncodeKind(Preprocessing::Kind kind) {
  switch (kind) {
    case Preprocessing::Kind::kNone:
      return v1::Preprocessing::KIND_NONE;
    case Preprocessing::Kind::kUnitInterval:
      return v1::Preprocessing::KIND_UNIT_INTERVAL;
    case Preprocessing::Kind::kStandardize:
      return v1::Preprocessing::KIND_STANDARDIZE;
  }
  return v1::Preprocessing::KIND_UNSPECIFIED;
}

v1::Family EncodeFamily(Family family) {
  switch (family) {
    case Family::kBernoulli:
      return v1::FAMILY_BERNOULLI;
    case Family::kGaussian:
      return v1::FAMILY_GAUSSIAN;
    case Family::kCategorical:
      return v1::FAMILY_CATEGORICAL;
    case Family::kStructuredGaussian:
      return v1::FAMILY_STRUCTURED_GAUSSIAN;
  }
  return v1::FAMILY_UNSPECIFIED;
}

}  // namespace

v1::DataSpec EncodeDataSpec(const DataSpec& spec) {
  v1::DataSpec message;
  message.set_family(EncodeFamily(spec.family));
  message.set_dimension(spec.dimension);
  message.mutable_coordinate_names()->Assign(spec.coordinate_names.begin(),
                                             spec.coordinate_names.end());
  message.set_image_height(spec.image_height);
  message.set_image_width(spec.image_width);
  v1::Preprocessing& preprocessing = *message.mutable_preprocessing();
  preprocessing.set_kind(EncodeKind(spec.preprocessing.kind));
  preprocessing.mutable_shift()->Assign(spec.preprocessing.shift.begin(),
                                        spec.preprocessing.shift.end());
  preprocessing.mutable_scale()->Assign(spec.preprocessing.scale.begin(),
                                        spec.preprocessing.scale.end());
  if (spec.box.has_value()) {
    v1::Box& box = *message.mutable_box();
    box.mutable_lower()->Assign(spec.box->lower.begin(), spec.box->lower.end());
    box.mutable_upper()->Assign(spec.box->upper.begin(), spec.box->upper.end());
  }
  if (spec.family == Family::kGaussian) message.set_box_margin(spec.box_margin);
  return message;
}

absl::StatusOr<DataSpec> DecodeDataSpec(const v1::DataSpec& message,
                                        SpecOrigin origin,
                                        absl::string_view field) {
  absl::StatusOr<Family> family = DecodeFamily(message, field);
  if (!family.ok()) return family.status();
  absl::Status status = CheckBuilt(message, field);
  if (!status.ok()) return status;
  absl::StatusOr<Preprocessing> preprocessing =
      DecodePreprocessing(message.preprocessing(), message.dimension(), origin,
                          absl::StrCat(field, ".preprocessing"));
  if (!preprocessing.ok()) return preprocessing.status();

  DataSpec spec;
  spec.family = *family;
  spec.dimension = message.dimension();
  spec.coordinate_names.assign(message.coordinate_names().begin(),
                               message.coordinate_names().end());
  spec.image_height = message.image_height();
  spec.image_width = message.image_width();
  spec.preprocessing = *std::move(preprocessing);
  if (message.has_box()) {
    Box& box = spec.box.emplace();
    box.lower.assign(message.box().lower().begin(),
                     message.box().lower().end());
    box.upper.assign(message.box().upper().begin(),
                     message.box().upper().end());
  }
  if (message.box_margin() != 0) spec.box_margin = message.box_margin();
  status = AsFieldError(field, "INVALID_DATA_SPEC", Validate(spec));
  if (!status.ok()) return status;
  if (origin == SpecOrigin::kStoredModel && spec.family == Family::kGaussian &&
      !spec.box.has_value())
    return FieldError(absl::StrCat(field, ".box"), "REQUIRED",
                      "is missing; a model of real-valued data has a box");
  return spec;
}

}  // namespace poe::server
