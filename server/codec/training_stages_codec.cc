#include "server/codec/training_stages_codec.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "poe/group_settings.h"
#include "server/codec/training_codec.h"
#include "server/errors.h"

namespace poe::server {
namespace {

constexpr double kMomentumRate = 0.05;
constexpr double kAdamRate = 0.003;

absl::Status UnknownValue(absl::string_view field, int value,
                          absl::string_view wanted) {
  return FieldError(field, "INVALID_VALUE",
                    absl::StrCat("is ", value, "; must be ", wanted));
}

absl::StatusOr<OptimizerSettings> DecodeOptimizer(
    const v1::OptimizerSettings& message, absl::string_view field) {
  using Message = v1::OptimizerSettings;
  OptimizerSettings settings;
  switch (message.kind()) {
    case Message::KIND_UNSPECIFIED:
    case Message::KIND_MOMENTUM:
      settings.kind = OptimizerSettings::Kind::kMomentum;
      settings.rate = kMomentumRate;
      break;
    case Message::KIND_ADAM:
      settings.kind = OptimizerSettings::Kind::kAdam;
      settings.rate = kAdamRate;
      break;
    default:
      return UnknownValue(absl::StrCat(field, ".kind"), message.kind(),
                          "KIND_MOMENTUM or KIND_ADAM");
  }
  switch (message.schedule()) {
    case Message::SCHEDULE_UNSPECIFIED:
    case Message::SCHEDULE_CONSTANT:
      settings.schedule = OptimizerSettings::Schedule::kConstant;
      break;
    case Message::SCHEDULE_LINEAR:
      settings.schedule = OptimizerSettings::Schedule::kLinear;
      break;
    case Message::SCHEDULE_COSINE:
      settings.schedule = OptimizerSettings::Schedule::kCosine;
      break;
    default:
      return UnknownValue(
          absl::StrCat(field, ".schedule"), message.schedule(),
          "SCHEDULE_CONSTANT, SCHEDULE_LINEAR or SCHEDULE_COSINE");
  }
  if (message.rate() != 0) settings.rate = message.rate();
  settings.final_rate_share = message.final_rate_share();
  if (message.has_momentum()) settings.momentum = message.momentum();
  settings.early_momentum = message.has_early_momentum()
                                ? message.early_momentum()
                                : settings.momentum;
  settings.early_epochs = message.early_epochs();
  if (message.has_second_decay())
    settings.second_decay = message.second_decay();
  settings.weight_decay = message.weight_decay();
  settings.rate_multipliers = {message.rate_multipliers().begin(),
                               message.rate_multipliers().end()};
  settings.average_share = message.average_share();
  return settings;
}

absl::StatusOr<ContrastiveDivergenceSettings> DecodeContrastiveDivergence(
    const v1::ContrastiveDivergenceStage& message, Family family,
    absl::string_view field) {
  if (message.epochs() != 0 && message.updates() != 0)
    return FieldError(
        field, "CONFLICT",
        absl::StrCat("has epochs ", message.epochs(), " and updates ",
                     message.updates(), "; set one of them"));
  ContrastiveDivergenceSettings settings;
  if (message.epochs() != 0) settings.epochs = message.epochs();
  if (message.updates() != 0) {
    settings.epochs = 0;
    settings.updates = message.updates();
  }
  if (message.batch_size() != 0) settings.batch_size = message.batch_size();
  if (message.gibbs_steps() != 0) settings.gibbs_steps = message.gibbs_steps();
  const bool sample = message.has_sample_data() ? message.sample_data()
                                                : family != Family::kBernoulli;
  settings.reconstruction =
      sample ? Reconstruction::kSample : Reconstruction::kMean;
  settings.grow_gibbs_steps_every = message.grow_gibbs_steps_every();
  settings.exact = message.exact();
  if (message.has_early_stopping())
    settings.early_stopping = {.patience = message.early_stopping().patience()};
  absl::StatusOr<OptimizerSettings> optimizer =
      DecodeOptimizer(message.optimizer(), absl::StrCat(field, ".optimizer"));
  if (!optimizer.ok()) return optimizer.status();
  settings.optimizer = *std::move(optimizer);
  return settings;
}

absl::StatusOr<SeparatorSettings> DecodeSeparator(
    const v1::SeparatorStage& message, absl::string_view field) {
  using Message = v1::SeparatorStage;
  SeparatorSettings settings;
  switch (message.rows()) {
    case Message::ROWS_UNSPECIFIED:
      settings.rows = SeparatorSettings::Rows::kHeldOutOrTraining;
      break;
    case Message::ROWS_TRAINING:
      settings.rows = SeparatorSettings::Rows::kTraining;
      break;
    case Message::ROWS_HELD_OUT:
      settings.rows = SeparatorSettings::Rows::kHeldOut;
      break;
    case Message::ROWS_ALL:
      settings.rows = SeparatorSettings::Rows::kAll;
      break;
    default:
      return UnknownValue(absl::StrCat(field, ".rows"), message.rows(),
                          "ROWS_TRAINING, ROWS_HELD_OUT or ROWS_ALL");
  }
  switch (message.method()) {
    case Message::METHOD_UNSPECIFIED:
    case Message::METHOD_MAXIMUM_MARGIN:
      settings.options.method = SeparatorOptions::Method::kMaximumMargin;
      break;
    case Message::METHOD_LOGISTIC:
      settings.options.method = SeparatorOptions::Method::kLogistic;
      break;
    default:
      return UnknownValue(absl::StrCat(field, ".method"), message.method(),
                          "METHOD_MAXIMUM_MARGIN or METHOD_LOGISTIC");
  }
  if (message.has_cost()) settings.options.cost = message.cost();
  return settings;
}

// Of long chains without data.
constexpr Index kMostChains = 100'000;
constexpr int kMostChainSteps = 1'000'000;

// Stages in the order of the request; each kind at most once, but for
// contrastive divergence and further layers.
class StageReader {
 public:
  explicit StageReader(TrainingSettings& settings) : settings_(settings) {
    settings_.fit_apart.reset();
    settings_.pool.reset();
    settings_.further_divergence.clear();
    settings_.unlearning.reset();
    settings_.next_layers.clear();
    settings_.normalizer.reset();
    settings_.separator.reset();
    settings_.calibrate = false;
  }

  absl::Status Read(const v1::TrainStage& stage, absl::string_view field) {
    constexpr absl::string_view kAvailable =
        "there are initialize, contrastive_divergence, pool, unlearn, "
        "next_layer, normalizer, separator and calibration";
    switch (stage.kind_case()) {
      case v1::TrainStage::kContrastiveDivergence:
        return ReadContrastiveDivergence(
            stage.contrastive_divergence(),
            absl::StrCat(field, ".contrastive_divergence"));
      case v1::TrainStage::kSeparator:
        return ReadSeparator(stage.separator(),
                             absl::StrCat(field, ".separator"));
      case v1::TrainStage::kCalibration:
        if (settings_.calibrate)
          return FieldError(absl::StrCat(field, ".calibration"), "DUPLICATE",
                            "is the second calibration; give one");
        settings_.calibrate = true;
        return absl::OkStatus();
      case v1::TrainStage::kInitialize:
        return ReadInitialize(stage.initialize(),
                              absl::StrCat(field, ".initialize"));
      case v1::TrainStage::kPool:
        return ReadPool(stage.pool(), absl::StrCat(field, ".pool"));
      case v1::TrainStage::kUnlearn:
        return ReadUnlearn(stage.unlearn(), absl::StrCat(field, ".unlearn"));
      case v1::TrainStage::kNextLayer:
        return ReadNextLayer(stage.next_layer(),
                             absl::StrCat(field, ".next_layer"));
      case v1::TrainStage::kNormalizer:
        return ReadNormalizer(stage.normalizer(),
                              absl::StrCat(field, ".normalizer"));
      default:
        return FieldError(field, "REQUIRED",
                          absl::StrCat("names no stage; ", kAvailable));
    }
  }

  absl::Status Finish() const {
    settings_.train_together = trained_;
    if (settings_.KeepsAll() && !settings_.separator.has_value())
      return FieldError("stages", "REQUIRED",
                        "has no separator; where all classes are kept, nothing "
                        "else is left to do");
    if (IsLearned() || settings_.KeepsAll()) return absl::OkStatus();
    return FieldError(
        "stages", "REQUIRED",
        "has none of initialize, contrastive_divergence and pool; "
        "without them nothing is trained");
  }

 private:
  absl::Status ReadInitialize(const v1::InitializeStage& stage,
                              absl::string_view field) {
    if (settings_.fit_apart.has_value())
      return FieldError(field, "DUPLICATE",
                        "is the second of its kind; give one");
    if (IsLearned() || settings_.separator.has_value() || settings_.calibrate)
      return FieldError(field, "INVALID_ORDER",
                        "comes after another stage; it is the first");
    FitApartSettings& settings = settings_.fit_apart.emplace();
    if (stage.has_coordinate_share())
      settings.coordinate_share = stage.coordinate_share();
    if (stage.has_row_share()) settings.row_share = stage.row_share();
    if (stage.has_power()) settings.power = stage.power();
    if (stage.has_max_iterations())
      settings.max_iterations = stage.max_iterations();
    return AsFieldError(field.substr(0, field.find('.')), "INVALID_SETTINGS",
                        Validate(settings));
  }

  absl::Status ReadContrastiveDivergence(
      const v1::ContrastiveDivergenceStage& stage, absl::string_view field) {
    if (settings_.pool.has_value())
      return FieldError(field, "CONFLICT",
                        "comes after pool, which is instead of it");
    if (!settings_.next_layers.empty() || settings_.unlearning.has_value())
      return FieldError(field, "INVALID_ORDER",
                        "comes after unlearn or next_layer; it trains the "
                        "lowest layer");
    if (absl::Status status = CheckBeforeLast(field); !status.ok())
      return status;
    auto decoded =
        DecodeContrastiveDivergence(stage, settings_.data_spec.family, field);
    if (!decoded.ok()) return decoded.status();
    ContrastiveDivergenceSettings& settings =
        trained_ ? settings_.further_divergence.emplace_back()
                 : settings_.contrastive_divergence;
    trained_ = true;
    settings = *std::move(decoded);
    absl::Status status =
        AsFieldError(field, "INVALID_SETTINGS", Validate(settings.optimizer));
    if (!status.ok()) return status;
    const absl::string_view stage_field = field.substr(0, field.find('.'));
    return AsFieldError(stage_field, "INVALID_SETTINGS", Validate(settings));
  }

  absl::Status ReadPool(const v1::PoolStage& stage, absl::string_view field) {
    if (settings_.pool.has_value())
      return FieldError(field, "DUPLICATE",
                        "is the second of its kind; give one");
    if (trained_)
      return FieldError(field, "CONFLICT",
                        "comes after contrastive_divergence; a pool is instead "
                        "of training together");
    if (!settings_.next_layers.empty() || settings_.unlearning.has_value())
      return FieldError(field, "INVALID_ORDER",
                        "comes after unlearn or next_layer; it is of the "
                        "lowest layer");
    if (absl::Status status = CheckBeforeLast(field); !status.ok())
      return status;
    PoolSettings& settings = settings_.pool.emplace();
    settings.weights = {stage.weights().begin(), stage.weights().end()};
    return absl::OkStatus();
  }

  // Whether a stage has been read that makes something of the lowest layer.
  bool IsLearned() const {
    return trained_ || settings_.fit_apart.has_value() ||
           settings_.pool.has_value();
  }

  absl::Status ReadUnlearn(const v1::UnlearnStage& stage,
                           absl::string_view field) {
    if (settings_.unlearning.has_value())
      return FieldError(field, "DUPLICATE",
                        "is the second of its kind; give one");
    if (!IsLearned())
      return FieldError(field, "INVALID_ORDER",
                        "comes before anything is learned; "
                        "contrastive_divergence or initialize is first");
    if (!settings_.next_layers.empty())
      return FieldError(field, "INVALID_ORDER",
                        "comes after next_layer; it is for the lowest layer");
    if (absl::Status status = CheckBeforeLast(field); !status.ok())
      return status;
    constexpr std::int64_t kUpdates = 1000;
    ContrastiveDivergenceSettings& settings = settings_.unlearning.emplace();
    settings.epochs = 0;
    settings.updates = stage.updates() == 0 ? kUpdates : stage.updates();
    if (stage.batch_size() != 0) settings.batch_size = stage.batch_size();
    if (stage.gibbs_steps() != 0) settings.gibbs_steps = stage.gibbs_steps();
    LongChainSettings& chains = settings.chains.emplace();
    if (stage.chains() != 0) chains.chains = stage.chains();
    if (stage.steps() != 0) chains.steps = stage.steps();
    absl::StatusOr<OptimizerSettings> optimizer =
        DecodeOptimizer(stage.optimizer(), absl::StrCat(field, ".optimizer"));
    if (!optimizer.ok()) return optimizer.status();
    settings.optimizer = *std::move(optimizer);
    absl::Status status =
        AsFieldError(field, "INVALID_SETTINGS", Validate(settings.optimizer));
    if (!status.ok()) return status;
    if (chains.chains > kMostChains || chains.steps > kMostChainSteps)
      return FieldError(field, "OUT_OF_RANGE",
                        absl::StrCat("has ", chains.chains, " chains of ",
                                     chains.steps, " steps; at most ",
                                     kMostChains, " of ", kMostChainSteps));
    return AsFieldError(field.substr(0, field.find('.')), "INVALID_SETTINGS",
                        Validate(settings));
  }

  absl::Status ReadNextLayer(const v1::NextLayerStage& stage,
                             absl::string_view field) {
    if (!IsLearned())
      return FieldError(field, "INVALID_ORDER",
                        "comes before the lowest layer is trained; "
                        "contrastive_divergence or initialize is first");
    if (absl::Status status = CheckBeforeLast(field); !status.ok())
      return status;
    auto product =
        DecodeProductSettings(stage.product(), absl::StrCat(field, ".product"));
    if (!product.ok()) return product.status();
    const std::string learning = absl::StrCat(field, ".contrastive_divergence");
    auto divergence = DecodeContrastiveDivergence(
        stage.contrastive_divergence(), Family::kBernoulli, learning);
    if (!divergence.ok()) return divergence.status();
    const LayerSettings& layer = settings_.next_layers.emplace_back(
        LayerSettings{*std::move(product), *std::move(divergence)});
    absl::Status status =
        AsFieldError(learning, "INVALID_SETTINGS",
                     Validate(layer.contrastive_divergence.optimizer));
    if (!status.ok()) return status;
    return AsFieldError(field, "INVALID_SETTINGS", Validate(layer));
  }

  absl::Status CheckBeforeLast(absl::string_view field) const {
    if (!settings_.separator.has_value() && !settings_.calibrate)
      return absl::OkStatus();
    return FieldError(field, "INVALID_ORDER",
                      "comes after separator or calibration; those are the "
                      "last stages");
  }

  absl::Status ReadNormalizer(const v1::NormalizerStage& stage,
                              absl::string_view field) {
    if (settings_.normalizer.has_value())
      return FieldError(field, "DUPLICATE",
                        "is the second normalizer; give one");
    if (absl::Status status = CheckBeforeLast(field); !status.ok())
      return status;
    NormalizerSettings& settings = settings_.normalizer.emplace();
    if (stage.chains() != 0) settings.chains = stage.chains();
    if (stage.temperatures() != 0) settings.temperatures = stage.temperatures();
    return AsFieldError(field.substr(0, field.find('.')), "INVALID_SETTINGS",
                        Validate(settings));
  }

  absl::Status ReadSeparator(const v1::SeparatorStage& stage,
                             absl::string_view field) {
    if (settings_.separator.has_value())
      return FieldError(field, "DUPLICATE",
                        "is the second separator; give one");
    if (settings_.calibrate)
      return FieldError(field, "INVALID_ORDER",
                        "comes after calibration, which rests on it");
    if (settings_.class_names.size() < 2)
      return FieldError(field, "NOT_ALLOWED",
                        "is given; a separator needs two or more classes");
    auto decoded = DecodeSeparator(stage, field);
    if (!decoded.ok()) return decoded.status();
    settings_.separator = *std::move(decoded);
    return absl::OkStatus();
  }

  TrainingSettings& settings_;
  bool trained_ = false;
};

}  // namespace

absl::Status DecodeStages(const v1::TrainStart& start,
                          TrainingSettings& settings) {
  if (start.stages().empty()) {
    absl::StatusOr<ContrastiveDivergenceSettings> defaults =
        DecodeContrastiveDivergence({}, settings.data_spec.family, "stages");
    if (!defaults.ok()) return defaults.status();
    settings.contrastive_divergence = *std::move(defaults);
    settings.further_divergence.clear();
    settings.fit_apart.reset();
    settings.pool.reset();
    settings.unlearning.reset();
    settings.train_together = true;
    settings.separator.reset();
    if (settings.class_names.size() > 1) settings.separator.emplace();
    settings.calibrate = true;
    return absl::OkStatus();
  }
  StageReader reader(settings);
  for (int i = 0; i < start.stages_size(); ++i) {
    absl::Status status =
        reader.Read(start.stages(i), absl::StrCat("stages[", i, "]"));
    if (!status.ok()) return status;
  }
  return reader.Finish();
}

}  // namespace poe::server
