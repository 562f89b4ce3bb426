#include "poe/training.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/class_trainer.h"
#include "poe/fit_apart.h"
#include "poe/group_settings.h"
#include "poe/hierarchy.h"
#include "poe/initialization.h"
#include "poe/kept_classes.h"
#include "poe/layer_training.h"
#include "poe/log_partition.h"
#include "poe/model_calibration.h"
#include "poe/normalizers.h"
#include "poe/scoring.h"
#include "poe/training_rows.h"
#include "poe/training_snapshots.h"
#include "poe/tree_pool.h"

namespace poe {
namespace {

// Shares of the whole job that progress gives to its stages.
constexpr double kTrainingShare = 0.95;
constexpr double kTrainingShareWithNormalizer = 0.6;

absl::Status Refuse(const std::string& text) {
  return absl::InvalidArgumentError(text);
}

// Lengths of sequences, each once, ascending; {0} for dense rows.
std::vector<Index> LengthsOf(const TrainingRows& rows) {
  if (rows.starts.empty()) return {0};
  std::set<Index> lengths;
  for (Index n = 0; n < rows.size(); ++n) lengths.insert(rows.length(n));
  return {lengths.begin(), lengths.end()};
}

// FailedPrecondition if a separator would have to compare what has different
// log Z, not known: sequences of different lengths, or rows of different
// inputs. `classes` are as before training.
absl::Status CheckComparable(const TrainingSettings& settings,
                             const DataSpec& spec,
                             absl::Span<const ClassModel> classes,
                             absl::Span<const Index> lengths) {
  if (!settings.separator.has_value()) return absl::OkStatus();
  if (!spec.input_coordinates.empty()) {
    if (KnowsConditionalProbability(spec, classes[0].layers[0]))
      return absl::OkStatus();
    return absl::FailedPreconditionError(
        "log p(outputs | inputs) is not known, so that a separator would "
        "compare scores whose normalizers depend on the inputs. Train without "
        "a separator, or have outputs with few combinations of bits or "
        "symbols");
  }
  if (settings.normalizer.has_value()) return absl::OkStatus();
  for (const ClassModel& one : classes)
    if (absl::Status status = CheckKeptLengths(one, spec, lengths);
        !status.ok())
      return status;
  if (lengths.size() == 1) return absl::OkStatus();
  for (std::size_t c = 0; c < classes.size(); ++c) {
    if (KnowsLogPartitions(classes[c], lengths)) continue;
    const absl::Status known =
        ExactLogPartition(classes[c].layers[0], spec, lengths[0]).status();
    if (!known.ok())
      return absl::FailedPreconditionError(absl::StrCat(
          "sequences have ", lengths.front(), " to ", lengths.back(),
          " frames, and log Z of class \"", settings.class_names[c],
          "\" is not known exactly: ", known.message(),
          "; a separator would compare scores of different lengths. Make all "
          "sequences as long as each other, or use hidden Markov models alone "
          "or linear dynamical systems alone, without inputs, or ask "
          "for its estimate"));
  }
  return absl::OkStatus();
}

// InvalidArgument; the text is to follow the name of the product.
absl::Status ValidateProduct(const ProductSettings& product,
                             const DataSpec& spec) {
  if (product.groups.empty()) return Refuse(" has no groups of experts");
  if (!(product.base_deviation_multiple > 0) ||
      !std::isfinite(product.base_deviation_multiple))
    return Refuse(absl::StrCat(".base.deviation_multiple is ",
                               product.base_deviation_multiple,
                               "; it must be positive"));
  if (product.gaussian_factor && spec.family != Family::kGaussian)
    return Refuse(
        " asks for a Gaussian factor of data that are not real-valued");
  for (std::size_t g = 0; g < product.groups.size(); ++g)
    if (absl::Status status = ValidateGroup(product.groups[g], spec);
        !status.ok())
      return Refuse(absl::StrCat(".groups[", g, "]: ", status.message()));
  return absl::OkStatus();
}

// Whether further layers find something to see.
absl::Status CheckHidden(const TrainingSettings& settings) {
  if (settings.data_spec.sequential)
    return Refuse("data_spec.sequential is set; further layers see dense rows");
  if (!settings.data_spec.input_coordinates.empty())
    return Refuse(
        "data_spec.input_coordinates are given; further layers see data "
        "without inputs");
  for (std::size_t p = 0; p < settings.products.size(); ++p)
    for (std::size_t g = 0; g < settings.products[p].groups.size(); ++g)
      if (NumHidden(settings.products[p].groups[g]) == 0)
        return Refuse(absl::StrCat(
            "products[", p, "].groups[", g,
            "] has no hidden probabilities, which a further layer sees; "
            "Bernoulli units, unigauss experts and mixtures have some"));
  return absl::OkStatus();
}

// Whether any of these rows counts.
bool HasWeight(const TrainingRows& rows, absl::Span<const Index> numbers) {
  return std::any_of(numbers.begin(), numbers.end(), [&](Index n) {
    return rows.weights.empty() || rows.weights[n] > 0;
  });
}

TrainingSettings WithSpreadCoordinates(TrainingSettings settings) {
  if (!settings.fit_apart.has_value()) return settings;
  for (std::size_t p = 0; p < settings.products.size(); ++p)
    settings.products[p] =
        SpreadCoordinates(*settings.fit_apart, settings.products[p],
                          settings.data_spec, DeriveSeed(settings.seed, p));
  return settings;
}

// A class as it is before training: kept, or with the first of its layers.
absl::StatusOr<ClassModel> BeginClass(
    const TrainingSettings& settings, const DataSpec& spec,
    const TrainingRows& rows, const Split& split,
    absl::Span<const Index> lengths, Index c, const Workers& workers,
    InterruptCheck check, const Model* earlier) {
  const std::string& name = settings.class_names[c];
  if (settings.IsKept(c))
    return KeepClass(*earlier->FindClass(name), spec, lengths);
  const RowSelection training(spec, rows, split.training[c]);
  const std::uint64_t seed =
      DeriveSeed(settings.seed, static_cast<std::uint64_t>(c));
  absl::StatusOr<Product<float>> product =
      InitializeProduct(settings.ProductOf(c), spec,
                        InitialRows(training, seed, workers), seed, check);
  if (!product.ok()) return product.status();
  if (earlier != nullptr)
    if (absl::Status status =
            CheckSomeInSupport(name, training, *product, workers, check);
        !status.ok())
      return status;
  ClassModel one;
  one.name = name;
  one.layers.push_back(*std::move(product));
  return one;
}

}  // namespace

absl::Status Validate(const LayerSettings& settings) {
  // What a further layer sees are bits; how many does not matter here.
  if (absl::Status status = ValidateProduct(settings.product, HiddenSpec(1));
      !status.ok())
    return Refuse(absl::StrCat("product", status.message()));
  return Validate(settings.contrastive_divergence);
}

bool TrainingSettings::StopsEarly() const {
  const auto stops = [](const ContrastiveDivergenceSettings& stage) {
    return stage.early_stopping.has_value();
  };
  return stops(contrastive_divergence) ||
         std::any_of(further_divergence.begin(), further_divergence.end(),
                     stops) ||
         std::any_of(next_layers.begin(), next_layers.end(),
                     [&](const LayerSettings& layer) {
                       return stops(layer.contrastive_divergence);
                     });
}

absl::Status Validate(const TrainingSettings& settings) {
  if (absl::Status status = Validate(settings.data_spec); !status.ok())
    return status;
  if (settings.class_names.empty()) return Refuse("there are no class names");
  std::set<std::string> names;
  for (const std::string& name : settings.class_names) {
    if (name.empty()) return Refuse("a class name is empty");
    if (!names.insert(name).second)
      return Refuse(absl::StrCat("two classes are named \"", name, "\""));
  }
  if (absl::Status status = ValidateKeptClasses(settings); !status.ok())
    return status;
  if (settings.products.size() != 1 &&
      settings.products.size() != settings.class_names.size() &&
      !(settings.products.empty() && settings.KeepsAll()))
    return Refuse(absl::StrCat("there are ", settings.products.size(),
                               " products for ", settings.class_names.size(),
                               " classes; give one for each class or one for "
                               "all"));
  for (std::size_t p = 0; p < settings.products.size(); ++p)
    if (absl::Status status =
            ValidateProduct(settings.products[p], settings.data_spec);
        !status.ok())
      return Refuse(absl::StrCat("products[", p, "]", status.message()));
  if (!(settings.held_out_share >= 0 && settings.held_out_share < 1))
    return Refuse(absl::StrCat("held_out_share is ", settings.held_out_share,
                               "; it must be in [0, 1)"));
  if (settings.held_out_share == 0 && settings.StopsEarly())
    return Refuse(
        "held_out_share is 0; early_stopping goes by held-out rows, so it must "
        "be positive");
  if (settings.separator.has_value() && settings.class_names.size() < 2)
    return Refuse("a separator needs at least two classes");
  if (settings.fit_apart.has_value())
    if (absl::Status status = Validate(*settings.fit_apart); !status.ok())
      return status;
  if (settings.pool.has_value()) {
    if (settings.train_together)
      return Refuse("a pool is instead of training together");
    if (settings.fit_apart.has_value() &&
        settings.fit_apart->coordinate_share != 1)
      return Refuse(
          "initialize.coordinate_share is not 1; experts of a pool see all "
          "coordinates");
    if (settings.fit_apart.has_value() && settings.fit_apart->power != 1)
      return Refuse(
          "initialize.power is not 1; the members of a pool are not softened");
    if (!settings.data_spec.input_coordinates.empty())
      return Refuse(
          "data_spec.input_coordinates are given; a pool is of densities of "
          "all coordinates");
    for (std::size_t p = 0; p < settings.products.size(); ++p)
      if (absl::Status status =
              ValidatePool(*settings.pool, settings.products[p]);
          !status.ok())
        return Refuse(absl::StrCat("products[", p, "]: ", status.message()));
  }
  if (!settings.next_layers.empty())
    if (absl::Status status = CheckHidden(settings); !status.ok())
      return status;
  for (std::size_t l = 0; l < settings.next_layers.size(); ++l)
    if (absl::Status status = Validate(settings.next_layers[l]); !status.ok())
      return Refuse(absl::StrCat("next_layers[", l, "].", status.message()));
  if (settings.normalizer.has_value())
    if (absl::Status status = Validate(*settings.normalizer); !status.ok())
      return status;
  if (settings.unlearning.has_value()) {
    if (settings.data_spec.sequential)
      return Refuse("unlearn is for dense rows; data_spec.sequential is set");
    if (!settings.data_spec.input_coordinates.empty())
      return Refuse(
          "unlearn needs chains without data, which conditional models "
          "(data_spec.input_coordinates) do not have");
    if (absl::Status status = Validate(*settings.unlearning); !status.ok())
      return status;
  }
  for (const ContrastiveDivergenceSettings& further :
       settings.further_divergence)
    if (absl::Status status = Validate(further); !status.ok()) return status;
  return Validate(settings.contrastive_divergence);
}

absl::StatusOr<Model> Train(const TrainingSettings& asked,
                            const TrainingRows& rows, const Workers& workers,
                            ProgressCallback progress, InterruptCheck check,
                            std::optional<Checkpoint>* checkpoint,
                            const Resumption* resumption,
                            const Model* earlier) {
  if (absl::Status status = Validate(asked); !status.ok()) return status;
  if (absl::Status status = ValidateKept(asked, earlier); !status.ok())
    return status;
  const TrainingSettings settings = WithSpreadCoordinates(asked);
  const auto classes = static_cast<Index>(settings.class_names.size());
  if (absl::Status status = ValidateTrainingRows(settings, rows); !status.ok())
    return status;
  const absl::StatusOr<Split> split = SplitRows(settings, rows);
  if (!split.ok()) return split.status();
  for (Index c = 0; c < classes; ++c)
    if (settings.separator.has_value() &&
        settings.separator->rows == SeparatorSettings::Rows::kHeldOut &&
        split->held_out[c].empty())
      return absl::FailedPreconditionError(
          absl::StrCat("class \"", settings.class_names[c],
                       "\" has no held-out rows to fit the separator on; raise "
                       "held_out_share"));

  for (Index c = 0; c < classes; ++c)
    if (settings.StopsEarly() && !settings.IsKept(c) &&
        !HasWeight(rows, split->held_out[c]))
      return absl::FailedPreconditionError(absl::StrCat(
          "class \"", settings.class_names[c],
          "\" has no held-out rows, by which early_stopping goes; raise "
          "held_out_share (rows with missing values are never held out)"));

  for (Index c = 0; c < classes; ++c) {
    const std::vector<Index>& own = split->training[c];
    if (settings.separator.has_value() && split->held_out[c].empty() &&
        std::none_of(own.begin(), own.end(),
                     [&](Index n) { return rows.IsComplete(n); }))
      return absl::FailedPreconditionError(absl::StrCat(
          "class \"", settings.class_names[c],
          "\" has no row without missing values to fit the separator on"));
    if (settings.IsKept(c)) continue;
    if (!HasWeight(rows, own))
      return absl::FailedPreconditionError(
          absl::StrCat("class \"", settings.class_names[c],
                       "\" has no rows of positive weight to train on"));
    Index frames = 0;
    for (Index n : own)
      if (rows.weights.empty() || rows.weights[n] > 0) frames += rows.length(n);
    for (const GroupSettings& group : settings.ProductOf(c).groups)
      if (absl::Status status = CheckEnoughFrames(group, frames); !status.ok())
        return absl::Status(status.code(),
                            absl::StrCat("class \"", settings.class_names[c],
                                         "\": ", status.message()));
  }

  Model model;
  model.data_spec = settings.data_spec;
  if (earlier == nullptr)
    if (absl::Status status = FitDataSpec(rows, *split, model.data_spec);
        !status.ok())
      return status;
  for (Index c = 0; c < classes; ++c)
    if (!settings.IsKept(c))
      if (absl::Status status =
              CheckVaries(settings, rows, split->training[c], c);
          !status.ok())
        return status;

  const double training_share = settings.normalizer.has_value()
                                    ? kTrainingShareWithNormalizer
                                    : kTrainingShare;
  const auto start = std::chrono::steady_clock::now();
  auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() -
                                         start)
        .count();
  };
  double training_rows = 0, rows_done = 0;
  for (Index c = 0; c < classes; ++c)
    if (!settings.IsKept(c))
      training_rows += static_cast<double>(split->training[c].size());

  const std::vector<Index> lengths = LengthsOf(rows);
  std::vector<ClassModel> begun;
  for (Index c = 0; c < classes; ++c) {
    absl::StatusOr<ClassModel> one =
        BeginClass(settings, model.data_spec, rows, *split, lengths, c, workers,
                   check, earlier);
    if (!one.ok()) return one.status();
    if (settings.normalizer.has_value())
      if (absl::Status status = CheckEstimable(model.data_spec, one->layers[0]);
          !status.ok())
        return status;
    begun.push_back(*std::move(one));
  }
  if (absl::Status status =
          CheckComparable(settings, model.data_spec, begun, lengths);
      !status.ok())
    return status;

  TrainingSnapshots snapshots(resumption);
  for (Index c = 0; c < classes; ++c) {
    const auto class_rows = static_cast<double>(split->training[c].size());
    ClassModel one = std::move(begun[c]);
    if (settings.IsKept(c)) {
      model.classes.push_back(std::move(one));
      continue;
    }
    std::optional<std::int64_t> kept_update;
    const absl::Status trained = TrainLayers(
        settings, model.data_spec, rows, *split, c, workers,
        [&](const TrainingProgress& of_class) {
          TrainingProgress now = of_class;
          now.fraction = training_share *
                         (rows_done + class_rows * of_class.fraction) /
                         training_rows;
          now.seconds = seconds();
          progress(now);
        },
        check, snapshots, one.layers, kept_update);
    if (trained.ok() || kept_update.has_value()) {
      one.log_partitions =
          KnownLogPartitions(one.layers[0], model.data_spec, lengths);
      model.classes.push_back(std::move(one));
    }
    if (kept_update.has_value() && checkpoint != nullptr) {
      const std::size_t reached = model.classes.back().layers.size();
      for (ClassModel& whole : model.classes)
        whole.layers.erase(whole.layers.begin() + reached, whole.layers.end());
      *checkpoint = Checkpoint{std::move(model), *kept_update};
    }
    if (absl::IsInternal(trained) || absl::IsFailedPrecondition(trained))
      return absl::Status(trained.code(),
                          absl::StrCat("class \"", settings.class_names[c],
                                       "\": ", trained.message()));
    if (!trained.ok()) return trained;
    rows_done += class_rows;
  }
  if (earlier != nullptr)
    model.log_partition_differences = KeptDifferences(settings, *earlier);

  if (settings.normalizer.has_value()) {
    const absl::Status status = EstimateNormalizers(
        *settings.normalizer, lengths, settings.seed, workers, check,
        [&](Index c, double share) {
          TrainingProgress now;
          now.stage = "normalizer";
          now.class_index = c;
          now.fraction =
              training_share + (kTrainingShare - training_share) * share;
          now.seconds = seconds();
          progress(now);
        },
        model);
    if (!status.ok()) return status;
  }
  if (model.data_spec.sequential && lengths.size() == 1 &&
      !model.has_log_partitions())
    model.comparable_length = lengths[0];

  auto announce = [&](absl::string_view stage, double fraction) {
    TrainingProgress now;
    now.stage = std::string(stage);
    now.fraction = fraction;
    now.seconds = seconds();
    progress(now);
  };
  announce("separator", kTrainingShare);
  const absl::StatusOr<LabelledScores> held_out =
      ScoreRows(model, rows, {&split->held_out}, workers, check);
  if (!held_out.ok()) return held_out.status();
  if (settings.separator.has_value()) {
    if (absl::Status status =
            FitModelSeparator(*settings.separator, rows, *split, *held_out,
                              workers, check, model);
        !status.ok())
      return status;
  }
  announce("calibration", 0.99);
  if (settings.calibrate) {
    absl::Status status = Calibrate(*held_out, model);
    if (status.ok())
      status = LearnUsualVerdicts(rows, *split, workers, check, model);
    if (!status.ok()) return status;
  }
  if (absl::Status status = Validate(model); !status.ok()) return status;
  return model;
}

}  // namespace poe
