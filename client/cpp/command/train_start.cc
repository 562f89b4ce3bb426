#include "client/cpp/command/train_start.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/coordinates.h"

namespace poe::client {
namespace {

absl::Status SetImageSize(const TrainOptions& options, const DataSet& data,
                          v1::DataSpec& spec) {
  int64_t height = options.image_height;
  int64_t width = options.image_width;
  if (height == 0 && width == 0) {
    height = data.image_height;
    width = data.image_width;
  } else if (height == 0) {
    height = data.dimension / width;
  } else if (width == 0) {
    width = data.dimension / height;
  }
  if (height != 0 && height * width != data.dimension) {
    return UsageError(absl::StrCat("images of ", height, " x ", width,
                                   " do not have the ", data.dimension,
                                   " values of a row"));
  }
  spec.set_image_height(static_cast<int32_t>(height));
  spec.set_image_width(static_cast<int32_t>(width));
  return absl::OkStatus();
}

absl::StatusOr<v1::Family> FamilyOf(const TrainOptions& options,
                                    const DataSet& data) {
  const bool categorical = options.family.empty()
                               ? options.symbols > 0
                               : options.family == "categorical";
  if (categorical != (options.symbols > 0)) {
    return UsageError(
        categorical
            ? "--family categorical needs --symbols, the size of the alphabet"
            : absl::StrCat("--symbols is for --family categorical, not ",
                           options.family));
  }
  if (categorical) return v1::FAMILY_CATEGORICAL;
  if (options.family == "structured-gaussian") {
    return v1::FAMILY_STRUCTURED_GAUSSIAN;
  }
  const bool bernoulli =
      options.family.empty() ? data.grey_levels : options.family == "bernoulli";
  return bernoulli ? v1::FAMILY_BERNOULLI : v1::FAMILY_GAUSSIAN;
}

bool IsReal(v1::Family family) {
  return family == v1::FAMILY_GAUSSIAN ||
         family == v1::FAMILY_STRUCTURED_GAUSSIAN;
}

v1::Preprocessing::Kind PreprocessingKind(const TrainOptions& options,
                                          v1::Family family) {
  if (options.unit_interval) return v1::Preprocessing::KIND_UNIT_INTERVAL;
  return options.standardize.value_or(IsReal(family))
             ? v1::Preprocessing::KIND_STANDARDIZE
             : v1::Preprocessing::KIND_NONE;
}

bool IsUnigauss(const TrainOptions& options, v1::Family family) {
  if (options.kind.empty()) return family == v1::FAMILY_GAUSSIAN;
  return options.kind == "unigauss";
}

v1::ProductSettings MakeProduct(const TrainOptions& options,
                                v1::Family family) {
  v1::ProductSettings product;
  v1::GroupSettings& group = *product.add_groups();
  group.set_num_experts(options.experts);
  const bool unigauss = IsUnigauss(options, family);
  if (unigauss) {
    v1::UnigaussSettings& settings = *group.mutable_unigauss();
    settings.set_circular(options.circular);
    if (options.initial_deviation) {
      settings.set_initial_standard_deviation(*options.initial_deviation);
    }
  } else {
    v1::BernoulliUnitsSettings& settings = *group.mutable_bernoulli_units();
    if (options.weight_scale) {
      settings.set_initial_weight_scale(*options.weight_scale);
    }
  }
  // Units see real values only through a base that has a variance.
  product.mutable_base()->set_gaussian_factor(options.gaussian_factor.value_or(
      family == v1::FAMILY_GAUSSIAN && !unigauss));
  return product;
}

void SetDivergence(const TrainOptions& options, v1::Family family,
                   v1::ContrastiveDivergenceStage& stage) {
  stage.set_epochs(options.epochs);
  stage.set_updates(options.updates);
  stage.set_batch_size(options.batch);
  stage.set_gibbs_steps(options.steps);
  v1::OptimizerSettings& optimizer = *stage.mutable_optimizer();
  optimizer.set_kind(options.adam.value_or(IsUnigauss(options, family))
                         ? v1::OptimizerSettings::KIND_ADAM
                         : v1::OptimizerSettings::KIND_MOMENTUM);
  optimizer.set_rate(options.rate);
  if (options.schedule == "linear") {
    optimizer.set_schedule(v1::OptimizerSettings::SCHEDULE_LINEAR);
  } else if (options.schedule == "cosine") {
    optimizer.set_schedule(v1::OptimizerSettings::SCHEDULE_COSINE);
  }
  optimizer.set_final_rate_share(options.final_rate);
  if (options.momentum) optimizer.set_momentum(*options.momentum);
  optimizer.set_weight_decay(options.weight_decay);
  optimizer.set_average_share(options.average);
}

void SetSeparator(const TrainOptions& options, v1::SeparatorStage& stage) {
  if (options.separator == "logistic") {
    stage.set_method(v1::SeparatorStage::METHOD_LOGISTIC);
  } else if (options.separator == "maximum-margin") {
    stage.set_method(v1::SeparatorStage::METHOD_MAXIMUM_MARGIN);
  }
  if (options.separator_cost) stage.set_cost(*options.separator_cost);
}

}  // namespace

DataForm FormOf(const TrainOptions& options) {
  return {.sequential = options.sequences,
          .symbols = options.symbols > 0 || options.family == "categorical"};
}

absl::StatusOr<v1::TrainStart> MakeTrainStart(
    const TrainOptions& options, const DataSet& data,
    const std::vector<std::string>& class_names) {
  v1::TrainStart start;
  start.set_model_name(options.model);
  start.mutable_class_names()->Add(class_names.begin(), class_names.end());
  v1::DataSpec& spec = *start.mutable_data_spec();
  const absl::StatusOr<v1::Family> family = FamilyOf(options, data);
  if (!family.ok()) return family.status();
  spec.set_family(*family);
  spec.set_dimension(data.dimension);
  spec.set_sequential(options.sequences);
  spec.set_num_symbols(options.symbols);
  if (!options.inputs.empty()) {
    const absl::StatusOr<std::vector<int32_t>> inputs =
        ParseCoordinates("--inputs", options.inputs, data.dimension);
    if (!inputs.ok()) return inputs.status();
    spec.mutable_input_coordinates()->Add(inputs->begin(), inputs->end());
  }
  spec.mutable_coordinate_names()->Add(data.column_names.begin(),
                                       data.column_names.end());
  const absl::Status status = SetImageSize(options, data, spec);
  if (!status.ok()) return status;
  spec.mutable_preprocessing()->set_kind(
      PreprocessingKind(options, spec.family()));
  spec.set_box_margin(options.box_margin);
  *start.add_products() = MakeProduct(options, spec.family());
  SetDivergence(options, spec.family(),
                *start.add_stages()->mutable_contrastive_divergence());
  if (class_names.size() > 1) {
    SetSeparator(options, *start.add_stages()->mutable_separator());
  }
  start.add_stages()->mutable_calibration();
  start.set_held_out_share(options.held_out);
  if (options.seed) start.set_seed(*options.seed);
  start.set_detach(options.detach);
  start.set_expected_rows(data.rows);
  return start;
}

}  // namespace poe::client
