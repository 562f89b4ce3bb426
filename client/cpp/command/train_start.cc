#include "client/cpp/command/train_start.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/coordinates.h"
#include "client/cpp/command/expert_kinds.h"
#include "client/cpp/command/train_product.h"

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

bool AreAll(const std::vector<ExpertChoice>& kinds, ExpertKind kind) {
  return !kinds.empty() && std::all_of(kinds.begin(), kinds.end(),
                                       [kind](const ExpertChoice& choice) {
                                         return choice.kind == kind;
                                       });
}

bool Have(const std::vector<ExpertChoice>& kinds, ExpertKind kind) {
  return std::any_of(
      kinds.begin(), kinds.end(),
      [kind](const ExpertChoice& choice) { return choice.kind == kind; });
}

bool IsSequential(const TrainOptions& options) {
  return options.sequences ||
         std::any_of(options.kinds.begin(), options.kinds.end(),
                     [](const ExpertChoice& choice) {
                       return SeesSequences(choice.kind);
                     });
}

// The family that the data have where only the kinds of expert tell.
v1::Family FamilyFor(const TrainOptions& options, const DataSet& data) {
  if (IsSequential(options) || Have(options.kinds, ExpertKind::kTree)) {
    return v1::FAMILY_STRUCTURED_GAUSSIAN;
  }
  const bool real = Have(options.kinds, ExpertKind::kUnigauss) ||
                    Have(options.kinds, ExpertKind::kMixture);
  return data.grey_levels && !real ? v1::FAMILY_BERNOULLI : v1::FAMILY_GAUSSIAN;
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
  if (options.family == "bernoulli") return v1::FAMILY_BERNOULLI;
  if (options.family == "gaussian") return v1::FAMILY_GAUSSIAN;
  if (options.family == "structured-gaussian") {
    return v1::FAMILY_STRUCTURED_GAUSSIAN;
  }
  // Only bits and symbols can stand beside inputs of another family.
  if (options.real_inputs) return v1::FAMILY_BERNOULLI;
  return FamilyFor(options, data);
}

std::vector<ExpertChoice> KindsOf(const TrainOptions& options,
                                  v1::Family family) {
  if (!options.kinds.empty()) return options.kinds;
  if (options.sequences) return {{ExpertKind::kMarkov}};
  if (family == v1::FAMILY_GAUSSIAN) return {{ExpertKind::kUnigauss}};
  if (family == v1::FAMILY_STRUCTURED_GAUSSIAN) return {{ExpertKind::kTree}};
  return {{ExpertKind::kUnits}};
}

bool IsReal(v1::Family family) {
  return family == v1::FAMILY_GAUSSIAN ||
         family == v1::FAMILY_STRUCTURED_GAUSSIAN;
}

v1::Preprocessing::Kind PreprocessingKind(const TrainOptions& options,
                                          v1::Family family) {
  if (options.unit_interval) return v1::Preprocessing::KIND_UNIT_INTERVAL;
  return options.standardize.value_or(IsReal(family) || options.real_inputs)
             ? v1::Preprocessing::KIND_STANDARDIZE
             : v1::Preprocessing::KIND_NONE;
}

void SetOptimizer(const TrainOptions& options,
                  const std::vector<ExpertChoice>& kinds,
                  v1::OptimizerSettings& optimizer) {
  optimizer.set_kind(options.adam.value_or(!AreAll(kinds, ExpertKind::kUnits))
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

void SetDivergence(const TrainOptions& options,
                   const std::vector<ExpertChoice>& kinds,
                   v1::ContrastiveDivergenceStage& stage) {
  stage.set_exact(options.exact);
  stage.set_epochs(options.epochs);
  stage.set_updates(options.updates);
  stage.set_batch_size(options.batch);
  stage.set_gibbs_steps(options.steps);
  if (options.early_stopping) {
    stage.mutable_early_stopping()->set_patience(*options.early_stopping);
  }
  SetOptimizer(options, kinds, *stage.mutable_optimizer());
}

void SetSeparator(const TrainOptions& options, v1::SeparatorStage& stage) {
  if (options.separator == "logistic") {
    stage.set_method(v1::SeparatorStage::METHOD_LOGISTIC);
  } else if (options.separator == "maximum-margin") {
    stage.set_method(v1::SeparatorStage::METHOD_MAXIMUM_MARGIN);
  }
  if (options.separator_cost) stage.set_cost(*options.separator_cost);
}

void AddStages(const TrainOptions& options,
               const std::vector<ExpertChoice>& kinds, bool classes,
               v1::TrainStart& start) {
  if (options.fit_apart) {
    v1::InitializeStage& stage = *start.add_stages()->mutable_initialize();
    stage.set_row_share(options.fit_rows);
    stage.set_coordinate_share(options.fit_coordinates);
    stage.set_power(options.soften);
  }
  if (options.pool) {
    start.add_stages()->mutable_pool();
  } else if (!options.no_together) {
    SetDivergence(options, kinds,
                  *start.add_stages()->mutable_contrastive_divergence());
  }
  if (options.unlearn > 0) {
    v1::UnlearnStage& stage = *start.add_stages()->mutable_unlearn();
    stage.set_updates(options.unlearn);
    stage.set_chains(options.unlearn_chains);
    stage.set_steps(options.unlearn_steps);
    stage.set_batch_size(options.batch);
    SetOptimizer(options, kinds, *stage.mutable_optimizer());
  }
  for (const int units : options.next_layers) {
    v1::NextLayerStage& layer = *start.add_stages()->mutable_next_layer();
    v1::GroupSettings& group = *layer.mutable_product()->add_groups();
    group.set_num_experts(units);
    SetUnits(options, group);
    SetDivergence(options, {{ExpertKind::kUnits}},
                  *layer.mutable_contrastive_divergence());
    // That of the lowest layer alone can be listed.
    layer.mutable_contrastive_divergence()->set_exact(false);
  }
  if (options.normalizer) {
    v1::NormalizerStage& stage = *start.add_stages()->mutable_normalizer();
    stage.set_chains(options.normalizer_chains);
    stage.set_temperatures(options.normalizer_temperatures);
  }
  if (classes) SetSeparator(options, *start.add_stages()->mutable_separator());
  start.add_stages()->mutable_calibration();
}

absl::StatusOr<v1::DataSpec> MakeSpec(const TrainOptions& options,
                                      const DataSet& data) {
  v1::DataSpec spec;
  const absl::StatusOr<v1::Family> family = FamilyOf(options, data);
  if (!family.ok()) return family.status();
  spec.set_family(*family);
  spec.set_dimension(data.dimension);
  spec.set_sequential(IsSequential(options));
  spec.set_num_symbols(options.symbols);
  if (!options.inputs.empty()) {
    const absl::StatusOr<std::vector<int32_t>> inputs =
        ParseCoordinates("--inputs", options.inputs, data.dimension);
    if (!inputs.ok()) return inputs.status();
    spec.mutable_input_coordinates()->Add(inputs->begin(), inputs->end());
  }
  spec.set_real_inputs(options.real_inputs);
  spec.mutable_coordinate_names()->Add(data.column_names.begin(),
                                       data.column_names.end());
  const absl::Status status = SetImageSize(options, data, spec);
  if (!status.ok()) return status;
  spec.mutable_preprocessing()->set_kind(PreprocessingKind(options, *family));
  spec.set_box_margin(options.box_margin);
  return spec;
}

}  // namespace

DataForm FormOf(const TrainOptions& options) {
  return {.sequential = IsSequential(options),
          .symbols = options.symbols > 0 || options.family == "categorical",
          .real_inputs = options.real_inputs};
}

absl::StatusOr<v1::TrainStart> MakeTrainStart(
    const TrainOptions& options, const DataSet& data,
    const std::vector<std::string>& class_names) {
  v1::TrainStart start;
  start.set_model_name(options.model);
  start.mutable_class_names()->Add(class_names.begin(), class_names.end());
  start.set_base_version(options.base_version);
  start.mutable_kept_class_names()->Add(options.kept_classes.begin(),
                                        options.kept_classes.end());
  absl::StatusOr<v1::DataSpec> spec = MakeSpec(options, data);
  if (!spec.ok()) return spec.status();
  const std::vector<ExpertChoice> kinds = KindsOf(options, spec->family());
  const absl::Status status = CheckKindOptions(options, kinds);
  if (!status.ok()) return status;
  absl::StatusOr<v1::ProductSettings> product =
      MakeProduct(options, kinds, *spec);
  if (!product.ok()) return product.status();
  *start.add_products() = *std::move(product);
  *start.mutable_data_spec() = *std::move(spec);
  AddStages(options, kinds, class_names.size() > 1, start);
  start.set_held_out_share(options.held_out);
  if (options.seed) start.set_seed(*options.seed);
  start.set_detach(options.detach);
  start.set_expected_rows(data.rows);
  start.set_data_file(options.server_file);
  start.set_label_file(options.server_labels);
  return start;
}

}  // namespace poe::client
