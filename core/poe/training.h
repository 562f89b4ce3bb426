// From rows to a model: initialize, train each class's product, fit separator
// and calibration.
#ifndef POE_TRAINING_H_
#define POE_TRAINING_H_

#include <algorithm>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "poe/contrastive_divergence.h"
#include "poe/gibbs.h"
#include "poe/model.h"
#include "poe/raw_rows.h"
#include "poe/separator.h"

namespace poe {

struct BernoulliUnitsSettings {
  double initial_weight_scale = 0.01;
  double initial_bias = 0;
};

// Of the Gaussians that experts are made of, preprocessed units.
struct StandardDeviations {
  // Absent: the data's root mean square deviation.
  std::optional<double> initial_standard_deviation;
  // Absent: 1e-3 and 1e3 times the data's deviation.
  std::optional<double> least_standard_deviation, greatest_standard_deviation;
};

struct UnigaussSettings : StandardDeviations {
  enum class Centres { kData, kUniform, kMean };
  bool circular = false;
  // a + log V at the start. Absent: mixing logit 0.
  std::optional<double> initial_log_volume_odds;
  Centres centres = Centres::kData;
};

struct GaussianMixtureSettings : StandardDeviations {
  Index num_components = 0;  // K
};

// Emissions are Gaussian for real data, categorical for symbols.
struct HiddenMarkovSettings : StandardDeviations {
  Index num_states = 0;  // K
};

struct LinearDynamicalSettings : StandardDeviations {
  Index num_latent = 0;  // L
};

// Trees are found in the data (Chow-Liu) before anything else is trained.
struct GaussianTreeSettings : StandardDeviations {
  Index num_trees = 0;  // K
  bool with_uniform = false;
};

struct GroupSettings {
  Index num_experts = 0;
  double power = 1;
  std::variant<BernoulliUnitsSettings, UnigaussSettings,
               GaussianMixtureSettings, HiddenMarkovSettings,
               LinearDynamicalSettings, GaussianTreeSettings>
      kind;
  // That the experts see, ascending. Empty: all.
  std::vector<Index> coordinates = {};
};

// Experts fitted apart, each on its own, before they are trained together:
// expectation maximization for mixtures, hidden Markov models and linear
// dynamical systems, Chow-Liu for trees. Other kinds start as always.
struct FitApartSettings {
  double row_share = 1;  // of the rows that each expert sees, drawn by chance
  // Of the coordinates that each expert sees, here and ever after, drawn by
  // chance: of kinds that are fitted apart.
  double coordinate_share = 1;
  double power = 1;  // by which the fitted experts are softened
  // An expert that has not converged by then is refused (fit_apart.h).
  int max_iterations = 100;
};

struct ProductSettings {
  std::vector<GroupSettings> groups;
  bool gaussian_factor = false;  // kGaussian: a Gaussian beside the box
  bool fixed_variance = false;   // of that Gaussian; kStructuredGaussian: all
  // kStructuredGaussian: standard deviation of the base at the start, in those
  // of the data.
  double base_deviation_multiple = 3;
};

struct SeparatorSettings {
  enum class Rows { kHeldOutOrTraining, kTraining, kHeldOut, kAll };
  Rows rows = Rows::kHeldOutOrTraining;
  SeparatorOptions options;
};

// A logarithmic opinion pool of the experts as they start (tree_pool.h).
struct PoolSettings {
  // One for each expert, groups in order. Empty: learned.
  std::vector<double> weights;
};

// A product on top of another, of what that one's experts hide (hierarchy.h).
struct LayerSettings {
  ProductSettings product;  // of each class
  ContrastiveDivergenceSettings contrastive_divergence;
};

// Of the estimates of log Z that are stored with the model (normalizers.h).
struct NormalizerSettings {
  Index chains = 1000;      // in each direction, >= 2
  int temperatures = 1000;  // steps between base and product, >= 1
};

// InvalidArgument naming the field at fault.
absl::Status Validate(const NormalizerSettings& settings);

struct TrainingSettings {
  std::vector<std::string> class_names;  // at least one
  // Preprocessing and box are to be fitted; with kept_classes they are, and all
  // of it is their model's.
  DataSpec data_spec;
  // One for each class, or one for all; may be empty where all are kept.
  std::vector<ProductSettings> products;
  // Indices of classes, ascending, that are not trained but taken as they are
  // from an earlier model (kept_classes.h). All: only for a separator.
  std::vector<Index> kept_classes;
  std::optional<FitApartSettings> fit_apart;
  // Whether contrastive divergence follows.
  bool train_together = true;
  // Instead of that.
  std::optional<PoolSettings> pool = std::nullopt;
  ContrastiveDivergenceSettings contrastive_divergence;
  // Of the lowest layer, one after another when that is done.
  std::vector<ContrastiveDivergenceSettings> further_divergence = {};
  // Of the lowest layer, after all that: its `chains` are set. Dense rows
  // without inputs only.
  std::optional<ContrastiveDivergenceSettings> unlearning = std::nullopt;
  // Trained one after another when the layer below is done.
  std::vector<LayerSettings> next_layers;
  // Absent: log Z is known where it is exact and cheap (log_partition.h).
  std::optional<NormalizerSettings> normalizer;
  std::optional<SeparatorSettings> separator;
  bool calibrate = true;
  double held_out_share = 0;  // [0, 1)
  std::uint64_t seed = 0;

  // The lowest layer of a class that is trained.
  const ProductSettings& ProductOf(Index class_index) const {
    return products[products.size() == 1 ? 0 : class_index];
  }
  // Whether any stage goes by held-out rows.
  bool StopsEarly() const;
  bool IsKept(Index class_index) const {
    return std::binary_search(kept_classes.begin(), kept_classes.end(),
                              class_index);
  }
  bool KeepsAll() const { return kept_classes.size() == class_names.size(); }
  // Rows of classes that are kept are for separator and calibration alone.
  bool NeedsRows(Index class_index) const {
    return !IsKept(class_index) || separator.has_value() || calibrate;
  }
};

// InvalidArgument naming the field at fault. Needs no data.
absl::Status Validate(const LayerSettings& settings);
absl::Status Validate(const TrainingSettings& settings);

// Raw training rows; they may lie in a mapped file. Row ids are ignored: draws
// are named by the numbers of the rows.
struct TrainingRows : RawRows {
  absl::Span<const std::int32_t> labels = {};  // N; may be empty with one class
  absl::Span<const float> weights = {};        // N, or empty: all 1
};

struct TrainingProgress {
  std::string stage;  // "initialize", "contrastive divergence", "pool",
                      // "unlearning", "normalizer", "separator", "calibration"
  Index class_index = 0;
  Index layer = 0;
  int epoch = 0, epochs = 0;
  std::int64_t update = 0, updates = 0;  // of this stage of this layer
  double fraction = 0;                   // of the whole job
  double rows_per_second = 0;
  std::optional<double> reconstruction_error;
  // Mean log score of held-out minus training rows, once an epoch.
  std::optional<double> free_energy_gap;
  std::optional<double> gradient_norm;
  // One of the two at an epoch's end, where early stopping goes by it
  // (held_out_figure.h), and the best epoch so far; 0: the start.
  std::optional<double> held_out_log_probability, held_out_reconstruction_error;
  std::optional<int> best_epoch;
  // Once a pool is made: TreePool.
  std::vector<double> pool_weights;
  std::optional<double> pool_gain;
  double seconds = 0;
};

// Called at every epoch's end and at most a few times a second between.
using ProgressCallback = absl::FunctionRef<void(const TrainingProgress&)>;

// What is left of a training whose parameters stopped being finite, or that
// took too long.
struct Checkpoint {
  // The classes trained or kept before that, and last the one it happened in,
  // its highest layer as it was after `update` of the updates of the stage (0:
  // as that started). Those not reached are missing, and so are layers that the
  // last class has not reached; there is no separator and no calibration.
  Model model;
  std::int64_t update = 0;
};

// Lets a training go on where an earlier one of the same settings, rows and
// program was interrupted; it ends with the same bits as one that was not.
struct Resumption {
  // What `keep` has got of the earlier one, or empty: from the start. It must
  // outlive the training.
  absl::string_view from;
  // Asked before every update: whether the state is to be kept now.
  absl::FunctionRef<bool()> is_due;
  // `update` is that of the stage that is running.
  absl::FunctionRef<void(const std::string& snapshot, std::int64_t update)>
      keep;
};

// The same settings, rows and seed give the same bits at any number of threads.
// InvalidArgument for rows that do not fit the settings (naming the row),
// FailedPrecondition for a class without rows, or without held-out rows where a
// stage stops early, Internal naming the update where a parameter stopped being
// finite; the status of `check`, which is asked at every update. `checkpoint`,
// unless null, is set where a parameter stopped being finite, and where `check`
// says DeadlineExceeded while parameters are trained. DataLoss if
// `resumption`, unless null, does not fit. `earlier` is the model that
// settings.kept_classes are from (ValidateKept), null where there are none;
// FailedPrecondition where no row of a class that is trained is in the support
// that it has. A class that is trained has the same bits as in a training of
// all classes in which the same data spec is fitted.
absl::StatusOr<Model> Train(const TrainingSettings& settings,
                            const TrainingRows& rows, const Workers& workers,
                            ProgressCallback progress, InterruptCheck check,
                            std::optional<Checkpoint>* checkpoint = nullptr,
                            const Resumption* resumption = nullptr,
                            const Model* earlier = nullptr);

}  // namespace poe

#endif  // POE_TRAINING_H_
