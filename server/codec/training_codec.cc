#include "server/codec/training_codec.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "poe/group_settings.h"
#include "poe/hierarchy.h"
#include "poe/kept_classes.h"
#include "server/codec/data_spec_codec.h"
#include "server/codec/kept_classes_codec.h"
#include "server/codec/training_stages_codec.h"
#include "server/errors.h"

namespace poe::server {
namespace {

constexpr absl::string_view kOneClass = "data";

absl::Status CheckExpectedRows(const v1::TrainStart& start) {
  if (start.expected_rows() < 0)
    return FieldError("expected_rows", "OUT_OF_RANGE",
                      absl::StrCat("is ", start.expected_rows(),
                                   "; must be at least 0, 0 for unknown"));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> DecodeClassNames(
    const v1::TrainStart& start, const TrainingLimits& limits) {
  if (start.class_names().empty())
    return std::vector<std::string>{std::string(kOneClass)};
  if (start.class_names_size() > limits.classes)
    return FieldError(
        "class_names", "TOO_MANY_CLASSES",
        absl::StrCat("has ", start.class_names_size(), " names; at most ",
                     limits.classes, " are taken"));
  std::set<absl::string_view> seen;
  for (int i = 0; i < start.class_names_size(); ++i) {
    const std::string& name = start.class_names(i);
    const std::string field = absl::StrCat("class_names[", i, "]");
    if (name.empty())
      return FieldError(field, "REQUIRED", "is empty; every class has a name");
    if (!seen.insert(name).second)
      return FieldError(
          field, "DUPLICATE",
          absl::StrCat("is ", Quoted(name), " again; names must differ"));
  }
  return std::vector<std::string>(start.class_names().begin(),
                                  start.class_names().end());
}

// That the names of files fit the rest; what they name is not looked at.
absl::Status CheckDataFiles(const v1::TrainStart& start,
                            const TrainingSettings& settings) {
  if (start.data_file().empty()) {
    if (start.label_file().empty()) return absl::OkStatus();
    return FieldError("label_file", "NOT_ALLOWED",
                      "is given without data_file; labels of chunks come with "
                      "them");
  }
  if (settings.data_spec.sequential)
    return FieldError("data_file", "NOT_ALLOWED",
                      "is given; it holds single rows, send sequences in "
                      "chunks");
  if (start.label_file().empty() && settings.class_names.size() > 1)
    return FieldError("label_file", "REQUIRED",
                      absl::StrCat("is missing; it says which of the ",
                                   settings.class_names.size(),
                                   " classes each row of data_file is of"));
  return absl::OkStatus();
}

template <typename Message, typename Get, typename Has>
std::optional<double> Optional(const Message& message, Has has, Get get) {
  if (!(message.*has)()) return std::nullopt;
  return (message.*get)();
}

BernoulliUnitsSettings DecodeUnits(const v1::BernoulliUnitsSettings& message) {
  BernoulliUnitsSettings settings;
  if (message.has_initial_weight_scale())
    settings.initial_weight_scale = message.initial_weight_scale();
  if (message.has_initial_bias())
    settings.initial_bias = message.initial_bias();
  return settings;
}

// All messages about Gaussians have these three fields.
template <typename Message>
void DecodeDeviations(const Message& message, StandardDeviations& settings) {
  settings.initial_standard_deviation =
      Optional(message, &Message::has_initial_standard_deviation,
               &Message::initial_standard_deviation);
  settings.least_standard_deviation =
      Optional(message, &Message::has_least_standard_deviation,
               &Message::least_standard_deviation);
  settings.greatest_standard_deviation =
      Optional(message, &Message::has_greatest_standard_deviation,
               &Message::greatest_standard_deviation);
}

absl::StatusOr<UnigaussSettings> DecodeUnigauss(
    const v1::UnigaussSettings& message, absl::string_view field) {
  using Message = v1::UnigaussSettings;
  UnigaussSettings settings;
  DecodeDeviations(message, settings);
  settings.circular = message.circular();
  settings.initial_log_volume_odds =
      Optional(message, &Message::has_initial_log_volume_odds,
               &Message::initial_log_volume_odds);
  switch (message.centres()) {
    case Message::CENTRES_UNSPECIFIED:
    case Message::CENTRES_DATA:
      settings.centres = UnigaussSettings::Centres::kData;
      break;
    case Message::CENTRES_UNIFORM:
      settings.centres = UnigaussSettings::Centres::kUniform;
      break;
    case Message::CENTRES_MEAN:
      settings.centres = UnigaussSettings::Centres::kMean;
      break;
    default:
      return FieldError(
          absl::StrCat(field, ".centres"), "INVALID_VALUE",
          absl::StrCat("is ", static_cast<int>(message.centres()),
                       "; must be CENTRES_DATA, CENTRES_UNIFORM or "
                       "CENTRES_MEAN"));
  }
  return settings;
}

absl::StatusOr<GroupSettings> DecodeGroup(const v1::GroupSettings& message,
                                          absl::string_view field) {
  GroupSettings settings;
  settings.coordinates.assign(message.coordinates().begin(),
                              message.coordinates().end());
  settings.num_experts = message.num_experts();
  if (message.has_power()) settings.power = message.power();
  switch (message.kind_case()) {
    case v1::GroupSettings::kBernoulliUnits:
      settings.kind = DecodeUnits(message.bernoulli_units());
      return settings;
    case v1::GroupSettings::kUnigauss: {
      absl::StatusOr<UnigaussSettings> unigauss =
          DecodeUnigauss(message.unigauss(), absl::StrCat(field, ".unigauss"));
      if (!unigauss.ok()) return unigauss.status();
      settings.kind = *std::move(unigauss);
      return settings;
    }
    case v1::GroupSettings::kGaussianMixture: {
      GaussianMixtureSettings mixture;
      mixture.num_components = message.gaussian_mixture().num_components();
      DecodeDeviations(message.gaussian_mixture(), mixture);
      settings.kind = mixture;
      return settings;
    }
    case v1::GroupSettings::kHiddenMarkov: {
      HiddenMarkovSettings markov;
      markov.num_states = message.hidden_markov().num_states();
      DecodeDeviations(message.hidden_markov(), markov);
      settings.kind = markov;
      return settings;
    }
    case v1::GroupSettings::kLinearDynamical: {
      LinearDynamicalSettings system;
      system.num_latent = message.linear_dynamical().num_latent();
      DecodeDeviations(message.linear_dynamical(), system);
      settings.kind = system;
      return settings;
    }
    case v1::GroupSettings::kGaussianTree: {
      GaussianTreeSettings tree;
      tree.num_trees = message.gaussian_tree().num_trees();
      tree.with_uniform = message.gaussian_tree().with_uniform();
      DecodeDeviations(message.gaussian_tree(), tree);
      settings.kind = tree;
      return settings;
    }
    default:
      return FieldError(field, "REQUIRED", "names no kind of expert");
  }
}

absl::StatusOr<std::vector<ProductSettings>> DecodeProducts(
    const v1::TrainStart& start, std::size_t classes, bool keeps_all) {
  const auto given = static_cast<std::size_t>(start.products_size());
  if (given != 1 && given != classes && !(given == 0 && keeps_all))
    return FieldError("products", "WRONG_SIZE",
                      absl::StrCat("has ", given, " elements for ", classes,
                                   " classes; give one for all or one for "
                                   "each"));
  std::vector<ProductSettings> products;
  for (int p = 0; p < start.products_size(); ++p) {
    absl::StatusOr<ProductSettings> product = DecodeProductSettings(
        start.products(p), absl::StrCat("products[", p, "]"));
    if (!product.ok()) return product.status();
    products.push_back(*std::move(product));
  }
  return products;
}

// Of a product and its base.
double NumParameters(const ProductSettings& product, const DataSpec& spec) {
  double total = 2 * static_cast<double>(spec.width());
  for (const GroupSettings& group : product.groups)
    total += poe::NumParameters(group, spec);
  return total;
}

// Of all layers of a class that is trained.
double NumParametersOfClass(const ProductSettings& lowest,
                            const TrainingSettings& settings) {
  double total = NumParameters(lowest, settings.data_spec);
  Index hidden = NumHidden(lowest);
  for (const LayerSettings& layer : settings.next_layers) {
    total += NumParameters(layer.product, HiddenSpec(hidden));
    hidden = NumHidden(layer.product);
  }
  return total;
}

double NumParameters(const TrainingSettings& settings, const Model* base) {
  double total = 0;
  for (std::size_t c = 0; c < settings.class_names.size(); ++c) {
    if (!settings.IsKept(static_cast<Index>(c))) {
      total += NumParametersOfClass(settings.ProductOf(static_cast<Index>(c)),
                                    settings);
      continue;
    }
    const ClassModel& kept = *base->FindClass(settings.class_names[c]);
    for (const Product<float>& layer : kept.layers)
      total += static_cast<double>(layer.num_parameters());
  }
  return total;
}

// The greatest number that a class has, of all its layers.
std::int64_t NumExperts(const TrainingSettings& settings) {
  const auto of_product = [](const ProductSettings& product) {
    std::int64_t total = 0;
    for (const GroupSettings& group : product.groups)
      total += group.num_experts;
    return total;
  };
  std::int64_t most = 0;
  for (const ProductSettings& product : settings.products)
    most = std::max(most, of_product(product));
  for (const LayerSettings& layer : settings.next_layers)
    most += of_product(layer.product);
  return most;
}

absl::Status CheckSize(const TrainingSettings& settings,
                       const TrainingLimits& limits, const Model* base) {
  const std::int64_t experts = NumExperts(settings);
  if (experts > limits.experts)
    return FieldError("products", "TOO_MANY_EXPERTS",
                      absl::StrCat("ask for ", experts,
                                   " experts of one class, all layers "
                                   "together; at most ",
                                   limits.experts, " are trained"),
                      {{"limit", absl::StrCat(limits.experts)}});
  const double parameters = NumParameters(settings, base);
  if (parameters <= static_cast<double>(limits.parameters))
    return absl::OkStatus();
  return FieldError(
      "products", "MODEL_TOO_LARGE",
      absl::StrCat("ask for ", parameters, " parameters in all; at most ",
                   limits.parameters, " are trained"),
      {{"limit", absl::StrCat(limits.parameters)}});
}

}  // namespace

absl::StatusOr<ProductSettings> DecodeProductSettings(
    const v1::ProductSettings& message, absl::string_view field) {
  ProductSettings settings;
  settings.gaussian_factor = message.base().gaussian_factor();
  settings.fixed_variance = message.base().fixed_variance();
  if (message.base().has_deviation_multiple())
    settings.base_deviation_multiple = message.base().deviation_multiple();
  for (int g = 0; g < message.groups_size(); ++g) {
    absl::StatusOr<GroupSettings> group =
        DecodeGroup(message.groups(g), absl::StrCat(field, ".groups[", g, "]"));
    if (!group.ok()) return group.status();
    settings.groups.push_back(*std::move(group));
  }
  return settings;
}

absl::StatusOr<TrainingSettings> DecodeTrainStart(const v1::TrainStart& start,
                                                  std::uint64_t seed,
                                                  const TrainingLimits& limits,
                                                  const Model* base) {
  absl::Status status = CheckExpectedRows(start);
  if (status.ok()) status = CheckBaseVersion(start, base);
  if (!status.ok()) return status;
  if (start.base_version() == 0) base = nullptr;
  if (start.data_spec().dimension() > limits.dimension)
    return FieldError(
        "data_spec.dimension", "OUT_OF_RANGE",
        absl::StrCat("is ", start.data_spec().dimension(), "; at most ",
                     limits.dimension, " coordinates are trained"));
  absl::StatusOr<DataSpec> spec =
      base == nullptr
          ? DecodeDataSpec(start.data_spec(), SpecOrigin::kTrainStart)
          : DecodeKeptDataSpec(start, *base);
  if (!spec.ok()) return spec.status();
  absl::StatusOr<std::vector<std::string>> names =
      DecodeClassNames(start, limits);
  if (!names.ok()) return names.status();
  absl::StatusOr<std::vector<Index>> kept =
      DecodeKeptClassNames(start, *names, base);
  if (!kept.ok()) return kept.status();
  absl::StatusOr<std::vector<ProductSettings>> products =
      DecodeProducts(start, names->size(), kept->size() == names->size());
  if (!products.ok()) return products.status();

  TrainingSettings settings;
  settings.class_names = *std::move(names);
  settings.data_spec = *std::move(spec);
  settings.products = *std::move(products);
  settings.kept_classes = *std::move(kept);
  settings.held_out_share = start.held_out_share();
  settings.seed = seed;
  status = DecodeStages(start, settings);
  if (status.ok())
    status = AsFieldError("", "INVALID_SETTINGS", Validate(settings));
  if (status.ok())
    status =
        AsFieldError("stages", "WRONG_LAYERS", ValidateKept(settings, base));
  if (status.ok()) status = CheckSize(settings, limits, base);
  if (status.ok()) status = CheckDataFiles(start, settings);
  if (!status.ok()) return status;
  return settings;
}

}  // namespace poe::server
