#include "server/codec/model_codec.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "poe/hierarchy.h"
#include "server/codec/product_codec.h"
#include "server/errors.h"

namespace poe::server {
namespace {

constexpr absl::string_view kInvalidModel = "INVALID_MODEL";

using Doubles = google::protobuf::RepeatedField<double>;

Eigen::VectorXd ToVector(const Doubles& values) {
  return Eigen::Map<const Eigen::VectorXd>(values.data(), values.size());
}

template <typename Matrix>
void EncodeDoubles(const Matrix& matrix, Doubles* values) {
  values->Assign(matrix.data(), matrix.data() + matrix.size());
}

absl::Status CheckSize(const Doubles& values, std::int64_t wanted,
                       absl::string_view field) {
  if (values.size() == wanted) return absl::OkStatus();
  return FieldError(
      field, "WRONG_SIZE",
      absl::StrCat("has ", values.size(), " elements; must have ", wanted));
}

absl::StatusOr<LogPartition> DecodeLogPartition(const v1::LogPartition& message,
                                                absl::string_view field) {
  LogPartition decoded;
  decoded.value = message.value();
  decoded.standard_error = message.standard_error();
  decoded.length = message.length();
  switch (message.method()) {
    case v1::LogPartition::METHOD_EXACT:
      decoded.method = LogPartition::Method::kExact;
      return decoded;
    case v1::LogPartition::METHOD_AIS_FORWARD:
      decoded.method = LogPartition::Method::kAisForward;
      return decoded;
    case v1::LogPartition::METHOD_AIS_REVERSE:
      decoded.method = LogPartition::Method::kAisReverse;
      return decoded;
    default:
      return FieldError(absl::StrCat(field, ".method"), "INVALID_VALUE",
                        absl::StrCat("is ", static_cast<int>(message.method()),
                                     "; must be METHOD_EXACT, "
                                     "METHOD_AIS_FORWARD or "
                                     "METHOD_AIS_REVERSE"));
  }
}

absl::StatusOr<UsualVerdicts> DecodeUsualVerdicts(const Doubles& quantiles,
                                                  const Product<float>& product,
                                                  absl::string_view field) {
  const Index experts = product.num_experts();
  if (absl::Status status = CheckSize(quantiles, 2 * experts, field);
      !status.ok())
    return status;
  auto usual = UsualVerdicts::Create(
      Eigen::Map<const RowMatrix<double>>(quantiles.data(), experts, 2));
  if (!usual.ok()) return AsFieldError(field, kInvalidModel, usual.status());
  return usual;
}

absl::StatusOr<ClassModel> DecodeClass(const v1::ClassModel& message,
                                       const DataSpec& spec,
                                       absl::string_view field) {
  const std::string layers = absl::StrCat(field, ".layers");
  if (message.layers().empty())
    return FieldError(layers, "REQUIRED", "is empty; a class has a layer");
  ClassModel decoded;
  decoded.name = message.name();
  for (int l = 0; l < message.layers_size(); ++l) {
    const std::string layer = absl::StrCat(layers, "[", l, "]");
    const Index hidden = l == 0 ? 0 : decoded.layers.back().num_hidden();
    if (l > 0 && hidden == 0)
      return FieldError(layer, "CONFLICT",
                        "has nothing to see: an expert of the layer below has "
                        "no hidden probabilities");
    if (l > 0 && !message.layers(l).log_partitions().empty())
      return FieldError(absl::StrCat(layer, ".log_partitions"), "NOT_ALLOWED",
                        "are given; they are kept of the lowest layer");
    auto product = DecodeProduct(message.layers(l),
                                 l == 0 ? spec : HiddenSpec(hidden), layer);
    if (!product.ok()) return product.status();
    decoded.layers.push_back(*std::move(product));
  }
  for (int i = 0; i < message.layers(0).log_partitions_size(); ++i) {
    auto known =
        DecodeLogPartition(message.layers(0).log_partitions(i),
                           absl::StrCat(layers, "[0].log_partitions[", i, "]"));
    if (!known.ok()) return known.status();
    decoded.log_partitions.push_back(*known);
  }
  if (!message.score_quantiles().empty()) {
    auto percentiles = ScorePercentiles::Create(
        {message.score_quantiles().begin(), message.score_quantiles().end()});
    if (!percentiles.ok())
      return AsFieldError(absl::StrCat(field, ".score_quantiles"),
                          kInvalidModel, percentiles.status());
    decoded.percentiles = *std::move(percentiles);
  }
  if (!message.expert_quantiles().empty()) {
    auto usual =
        DecodeUsualVerdicts(message.expert_quantiles(), decoded.layers[0],
                            absl::StrCat(field, ".expert_quantiles"));
    if (!usual.ok()) return usual.status();
    decoded.usual_verdicts = *std::move(usual);
  }
  return decoded;
}

absl::StatusOr<ClassPartitionDifference> DecodeLogPartitionDifference(
    const v1::LogPartitionDifference& message, const Model& model,
    absl::string_view field) {
  const auto index_of = [&](const std::string& name) {
    return std::find_if(
               model.classes.begin(), model.classes.end(),
               [&](const ClassModel& one) { return one.name == name; }) -
           model.classes.begin();
  };
  const ClassPartitionDifference decoded{
      index_of(message.class_name()), index_of(message.other_class_name()),
      message.value(), message.standard_error(), message.length()};
  for (Index c : {decoded.class_index, decoded.other_index})
    if (c == model.num_classes())
      return FieldError(
          field, "UNKNOWN_CLASS",
          absl::StrCat("is of ", Quoted(message.class_name()), " and ",
                       Quoted(message.other_class_name()),
                       "; both must be classes of the model"));
  return decoded;
}

// C classes; a feature for each of their layers.
absl::StatusOr<Separator> DecodeSeparator(const v1::Separator& message,
                                          std::int64_t classes,
                                          std::int64_t features) {
  absl::Status status =
      CheckSize(message.feature_mean(), features, "separator.feature_mean");
  status.Update(
      CheckSize(message.feature_scale(), features, "separator.feature_scale"));
  status.Update(
      CheckSize(message.weights(), classes * features, "separator.weights"));
  status.Update(CheckSize(message.biases(), classes, "separator.biases"));
  if (!status.ok()) return status;
  SeparatorParameters parameters;
  parameters.feature_mean = ToVector(message.feature_mean());
  parameters.feature_scale = ToVector(message.feature_scale());
  parameters.weights = Eigen::Map<const RowMatrix<double>>(
      message.weights().data(), classes, features);
  parameters.biases = ToVector(message.biases());
  auto separator = Separator::Create(std::move(parameters));
  if (!separator.ok())
    return AsFieldError("separator", kInvalidModel, separator.status());
  return separator;
}

absl::StatusOr<ProbabilityCalibration> DecodeCalibration(
    const v1::ProbabilityCalibration& message, std::int64_t classes) {
  constexpr absl::string_view kField = "probability_calibration";
  absl::Status status =
      CheckSize(message.offsets(), classes, absl::StrCat(kField, ".offsets"));
  if (!status.ok()) return status;
  auto calibration = ProbabilityCalibration::Create(
      message.slope(), ToVector(message.offsets()));
  if (!calibration.ok())
    return AsFieldError(kField, kInvalidModel, calibration.status());
  return calibration;
}

v1::LogPartition EncodeLogPartition(const LogPartition& known) {
  v1::LogPartition message;
  message.set_value(known.value);
  message.set_standard_error(known.standard_error);
  message.set_length(known.length);
  switch (known.method) {
    case LogPartition::Method::kExact:
      message.set_method(v1::LogPartition::METHOD_EXACT);
      break;
    case LogPartition::Method::kAisForward:
      message.set_method(v1::LogPartition::METHOD_AIS_FORWARD);
      break;
    case LogPartition::Method::kAisReverse:
      message.set_method(v1::LogPartition::METHOD_AIS_REVERSE);
      break;
  }
  return message;
}

v1::LogPartitionDifference EncodeLogPartitionDifference(
    const Model& model, const ClassPartitionDifference& known) {
  v1::LogPartitionDifference message;
  message.set_class_name(model.classes[known.class_index].name);
  message.set_other_class_name(model.classes[known.other_index].name);
  message.set_value(known.value);
  message.set_standard_error(known.standard_error);
  message.set_length(known.length);
  return message;
}

}  // namespace

void EncodeLogPartitions(
    const Model& model, absl::FunctionRef<bool(Index length)> wanted,
    absl::Span<const std::vector<LogPartition>> computed,
    google::protobuf::RepeatedPtrField<v1::LogPartition>* partitions,
    google::protobuf::RepeatedPtrField<v1::LogPartitionDifference>*
        differences) {
  for (std::size_t c = 0; c < model.classes.size(); ++c) {
    const ClassModel& one = model.classes[c];
    const auto add = [&](const LogPartition& known) {
      v1::LogPartition& message = *partitions->Add();
      message = EncodeLogPartition(known);
      message.set_class_name(one.name);
    };
    for (const LogPartition& known : one.log_partitions)
      if (wanted(known.length)) add(known);
    if (computed.empty()) continue;
    for (const LogPartition& known : computed[c]) add(known);
  }
  for (const ClassPartitionDifference& known : model.log_partition_differences)
    if (wanted(known.length))
      *differences->Add() = EncodeLogPartitionDifference(model, known);
}

v1::Model EncodeModel(const Model& model) {
  v1::Model message;
  message.set_schema_version(kSchemaVersion);
  message.set_comparable_length(model.comparable_length);
  *message.mutable_data_spec() = EncodeDataSpec(model.data_spec);
  for (const ClassModel& from : model.classes) {
    v1::ClassModel& to = *message.add_classes();
    to.set_name(from.name);
    for (const Product<float>& layer : from.layers)
      *to.add_layers() = EncodeProduct(layer);
    for (const LogPartition& known : from.log_partitions)
      *to.mutable_layers(0)->add_log_partitions() = EncodeLogPartition(known);
    if (from.percentiles.has_value())
      to.mutable_score_quantiles()->Assign(
          from.percentiles->quantiles().begin(),
          from.percentiles->quantiles().end());
    if (from.usual_verdicts.has_value())
      EncodeDoubles(from.usual_verdicts->quantiles(),
                    to.mutable_expert_quantiles());
  }
  for (const ClassPartitionDifference& known : model.log_partition_differences)
    *message.add_log_partition_differences() =
        EncodeLogPartitionDifference(model, known);
  if (model.separator.has_value()) {
    const SeparatorParameters& from = model.separator->parameters();
    v1::Separator& to = *message.mutable_separator();
    EncodeDoubles(from.feature_mean, to.mutable_feature_mean());
    EncodeDoubles(from.feature_scale, to.mutable_feature_scale());
    EncodeDoubles(from.weights, to.mutable_weights());
    EncodeDoubles(from.biases, to.mutable_biases());
  }
  if (model.calibration.has_value()) {
    v1::ProbabilityCalibration& to = *message.mutable_probability_calibration();
    to.set_slope(model.calibration->slope());
    EncodeDoubles(model.calibration->offsets(), to.mutable_offsets());
  }
  return message;
}

absl::StatusOr<Model> DecodeModel(const v1::Model& message) {
  if (message.schema_version() != kSchemaVersion)
    return Error(absl::StatusCode::kUnimplemented, "UNKNOWN_SCHEMA_VERSION",
                 absl::StrCat("schema_version is ", message.schema_version(),
                              "; this version reads ", kSchemaVersion),
                 {{"schema_version", absl::StrCat(message.schema_version())}});
  auto spec = DecodeDataSpec(message.data_spec(), SpecOrigin::kStoredModel);
  if (!spec.ok()) return spec.status();
  Model model;
  model.data_spec = *std::move(spec);
  model.comparable_length = message.comparable_length();
  for (int c = 0; c < message.classes_size(); ++c) {
    auto decoded = DecodeClass(message.classes(c), model.data_spec,
                               absl::StrCat("classes[", c, "]"));
    if (!decoded.ok()) return decoded.status();
    model.classes.push_back(*std::move(decoded));
  }
  for (int i = 0; i < message.log_partition_differences_size(); ++i) {
    auto known = DecodeLogPartitionDifference(
        message.log_partition_differences(i), model,
        absl::StrCat("log_partition_differences[", i, "]"));
    if (!known.ok()) return known.status();
    model.log_partition_differences.push_back(*known);
  }
  if (message.has_separator()) {
    std::int64_t features = 0;
    for (const ClassModel& one : model.classes)
      features += static_cast<std::int64_t>(one.layers.size());
    auto separator =
        DecodeSeparator(message.separator(), model.num_classes(), features);
    if (!separator.ok()) return separator.status();
    model.separator = *std::move(separator);
  }
  if (message.has_probability_calibration()) {
    auto calibration = DecodeCalibration(message.probability_calibration(),
                                         model.num_classes());
    if (!calibration.ok()) return calibration.status();
    model.calibration = *std::move(calibration);
  }
  absl::Status status = AsFieldError("", kInvalidModel, Validate(model));
  if (!status.ok()) return status;
  return model;
}

}  // namespace poe::server
