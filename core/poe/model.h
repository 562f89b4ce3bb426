// A trained model: one stack of products for each class, the separator over
// their log scores, and the calibration.
#ifndef POE_MODEL_H_
#define POE_MODEL_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "poe/calibration.h"
#include "poe/data_spec.h"
#include "poe/product.h"
#include "poe/separator.h"
#include "poe/usual_verdicts.h"

namespace poe {

// A known or estimated log Z of a product, preprocessed units.
struct LogPartition {
  enum class Method { kExact, kAisForward, kAisReverse };
  Method method = Method::kExact;
  double value = 0;
  double standard_error = 0;  // 0 where exact
  Index length = 0;           // frames of the sequences it holds for, or 0
};

// Bennett's acceptance ratio of two classes, preprocessed units.
struct ClassPartitionDifference {
  Index class_index = 0, other_index = 0;
  double value = 0;  // log Z of the class less that of the other
  double standard_error = 0;
  Index length = 0;  // as of LogPartition
};

struct ClassModel {
  std::string name;
  // At least one, lowest first; see hierarchy.h.
  std::vector<Product<float>> layers;
  // Of the lowest layer, by ascending length and then method; for each length
  // either the exact one or estimates, one of each direction at most. Empty:
  // none is known.
  std::vector<LogPartition> log_partitions;
  // Of log scores summed over layers. Absent where no rows were held out.
  std::optional<ScorePercentiles> percentiles;
  // Of the experts of the lowest layer. Absent where nothing was calibrated.
  std::optional<UsualVerdicts> usual_verdicts;

  // Log Z of the lowest product for sequences of `length` frames (0: dense
  // rows): exact, or else the forward estimate, or else the reverse one; null
  // where it is not known.
  const LogPartition* FindLogPartition(Index length) const;
};

// Immutable once it is served; all questions (scoring.h, reconstruction.h,
// sampling.h) take it by const reference and are thread-safe.
struct Model {
  DataSpec data_spec;
  std::vector<ClassModel> classes;
  std::optional<Separator> separator;
  std::optional<ProbabilityCalibration> calibration;
  // At most one of a pair of classes and a length. Empty: none was estimated.
  std::vector<ClassPartitionDifference> log_partition_differences;
  // Of sequences where a class has no log partitions: the only length whose log
  // scores separator and percentiles know. 0: they know none.
  Index comparable_length = 0;

  Index num_classes() const { return static_cast<Index>(classes.size()); }
  // L, of each class.
  Index num_layers() const {
    return static_cast<Index>(classes[0].layers.size());
  }
  // The class of that name, or null.
  const ClassModel* FindClass(absl::string_view name) const;
  // Whether every class has some.
  bool has_log_partitions() const;
  // Experts of one class, the most over classes, and parameters in all.
  Index num_experts() const;
  Index num_parameters() const;
};

// InvalidArgument unless all parts of the model agree in shape and family and
// class names are distinct. Whatever comes from outside passes here.
absl::Status Validate(const Model& model);

}  // namespace poe

#endif  // POE_MODEL_H_
