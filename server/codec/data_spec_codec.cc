#include "server/codec/data_spec_codec.h"

#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/errors.h"

namespace poe::server {
namespace {

// Columns that experts see of one frame: more of them would not fit in memory.
constexpr std::int64_t kMostColumns = std::numeric_limits<std::int32_t>::max();

absl::StatusOr<Family> DecodeFamily(const v1::DataSpec& spec,
                                    absl::string_view field) {
  const std::string path = absl::StrCat(field, ".family");
  constexpr absl::string_view kFamilies =
      "; must be FAMILY_BERNOULLI, FAMILY_GAUSSIAN, FAMILY_CATEGORICAL or "
      "FAMILY_STRUCTURED_GAUSSIAN";
  switch (spec.family()) {
    case v1::FAMILY_BERNOULLI:
      return Family::kBernoulli;
    case v1::FAMILY_GAUSSIAN:
      return Family::kGaussian;
    case v1::FAMILY_CATEGORICAL:
      return Family::kCategorical;
    case v1::FAMILY_STRUCTURED_GAUSSIAN:
      return Family::kStructuredGaussian;
    case v1::FAMILY_UNSPECIFIED:
      return FieldError(path, "REQUIRED",
                        absl::StrCat("is missing", kFamilies));
    default:
      return FieldError(
          path, "INVALID_VALUE",
          absl::StrCat("is ", static_cast<int>(spec.family()), kFamilies));
  }
}

absl::Status CheckSymbols(const v1::DataSpec& spec, Family family,
                          absl::string_view field) {
  const std::string path = absl::StrCat(field, ".num_symbols");
  if (family != Family::kCategorical) {
    if (spec.num_symbols() == 0) return absl::OkStatus();
    return FieldError(path, "NOT_ALLOWED",
                      "is given; it is for FAMILY_CATEGORICAL only");
  }
  if (spec.num_symbols() == 0)
    return FieldError(path, "REQUIRED",
                      "is missing; FAMILY_CATEGORICAL needs the size of the "
                      "alphabet");
  const std::int64_t inputs =
      spec.real_inputs() ? spec.input_coordinates_size() : 0;
  if (spec.num_symbols() > 0 &&
      spec.dimension() > kMostColumns / spec.num_symbols() + inputs)
    return FieldError(
        path, "OUT_OF_RANGE",
        absl::StrCat("is ", spec.num_symbols(), " for each of ",
                     spec.dimension() - inputs, " coordinates; at most ",
                     kMostColumns, " in all can be"));
  return absl::OkStatus();
}

// Ascending, in whatever order they came.
absl::StatusOr<std::vector<Index>> DecodeInputs(const v1::DataSpec& spec,
                                                absl::string_view field) {
  std::set<Index> seen;
  for (int k = 0; k < spec.input_coordinates_size(); ++k) {
    const Index input = spec.input_coordinates(k);
    const std::string path = absl::StrCat(field, ".input_coordinates[", k, "]");
    if (input < 0 || input >= spec.dimension())
      return FieldError(path, "OUT_OF_RANGE",
                        absl::StrCat("is ", input, "; the ", spec.dimension(),
                                     " coordinates are counted from 0"));
    if (!seen.insert(input).second)
      return FieldError(
          path, "REPEATED",
          absl::StrCat("is ", input, ", as one before; name each input once"));
  }
  if (!seen.empty() && static_cast<Index>(seen.size()) == spec.dimension())
    return FieldError(absl::StrCat(field, ".input_coordinates"),
                      "INVALID_VALUE",
                      absl::StrCat("names all ", spec.dimension(),
                                   " coordinates; at least one must be left "
                                   "for the model to explain"));
  return std::vector<Index>(seen.begin(), seen.end());
}

// What the core does not look at, or says in its own words.
absl::Status CheckUses(const v1::DataSpec& spec, Family family,
                       absl::string_view field) {
  if (spec.sequential() &&
      (spec.image_height() != 0 || spec.image_width() != 0))
    return FieldError(
        absl::StrCat(
            field, spec.image_height() != 0 ? ".image_height" : ".image_width"),
        "CONFLICT", "is given; sequences are of rows, not of images");
  if (spec.real_inputs() && spec.input_coordinates().empty())
    return FieldError(absl::StrCat(field, ".input_coordinates"), "REQUIRED",
                      "is missing; real_inputs needs the coordinates that are "
                      "inputs");
  if (spec.real_inputs() && family != Family::kBernoulli &&
      family != Family::kCategorical)
    return FieldError(absl::StrCat(field, ".real_inputs"), "NOT_ALLOWED",
                      "is given; it is for FAMILY_BERNOULLI and "
                      "FAMILY_CATEGORICAL only, real-valued data have real "
                      "inputs anyway");
  if (spec.has_box() && family != Family::kGaussian)
    return FieldError(absl::StrCat(field, ".box"), "NOT_ALLOWED",
                      "is given; it is for FAMILY_GAUSSIAN only");
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
  message.set_sequential(spec.sequential);
  message.set_num_symbols(spec.num_symbols);
  message.mutable_input_coordinates()->Assign(spec.input_coordinates.begin(),
                                              spec.input_coordinates.end());
  message.set_real_inputs(spec.real_inputs);
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
  absl::Status status = CheckSymbols(message, *family, field);
  if (status.ok()) status = CheckUses(message, *family, field);
  if (!status.ok()) return status;
  absl::StatusOr<std::vector<Index>> inputs = DecodeInputs(message, field);
  if (!inputs.ok()) return inputs.status();
  absl::StatusOr<Preprocessing> preprocessing =
      DecodePreprocessing(message.preprocessing(), message.dimension(), origin,
                          absl::StrCat(field, ".preprocessing"));
  if (!preprocessing.ok()) return preprocessing.status();

  DataSpec spec;
  spec.family = *family;
  spec.dimension = message.dimension();
  spec.sequential = message.sequential();
  spec.num_symbols = message.num_symbols();
  spec.input_coordinates = *std::move(inputs);
  spec.real_inputs = message.real_inputs();
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
                      "is missing; a model of FAMILY_GAUSSIAN has a box");
  return spec;
}

}  // namespace poe::server
