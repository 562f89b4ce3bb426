// A trained model: one stack of products for each class, the separator over
// their log scores, and the calibration.
#ifndef POE_MODEL_H_
#define POE_MODEL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "poe/calibration.h"
#include "poe/product.h"
#include "poe/separator.h"

namespace poe {

// seen = (raw - shift) / scale, coordinate by coordinate.
struct Preprocessing {
  enum class Kind { kNone, kUnitInterval, kStandardize };
  Kind kind = Kind::kNone;
  // D each and scale > 0, or empty for kNone.
  std::vector<double> shift, scale;
};

// Bounds of each coordinate, raw units.
struct Box {
  std::vector<double> lower, upper;
};

// What one observation is.
struct DataSpec {
  Family family = Family::kBernoulli;
  Index dimension = 0;
  std::vector<std::string> coordinate_names;  // D or none
  int image_height = 0, image_width = 0;      // both 0: no image
  Preprocessing preprocessing;
  std::optional<Box> box;   // kGaussian, once fitted or given
  double box_margin = 0.1;  // of the data's range, where the box is fitted
};

// InvalidArgument naming the field at fault.
absl::Status Validate(const DataSpec& spec);

struct ClassModel {
  std::string name;
  // One layer in this version.
  std::vector<Product<float>> layers;
  // Absent where no rows were held out.
  std::optional<ScorePercentiles> percentiles;
};

// Immutable once it is served; all questions (scoring.h, reconstruction.h,
// sampling.h) take it by const reference and are thread-safe.
struct Model {
  DataSpec data_spec;
  std::vector<ClassModel> classes;
  std::optional<Separator> separator;
  std::optional<ProbabilityCalibration> calibration;

  Index num_classes() const { return static_cast<Index>(classes.size()); }
  // Experts of one class, the most over classes, and parameters in all.
  Index num_experts() const;
  Index num_parameters() const;
};

// InvalidArgument unless all parts of the model agree in shape and family and
// class names are distinct. Whatever comes from outside passes here.
absl::Status Validate(const Model& model);

// Raw rows as they arrive, N x D.
struct RawRows {
  Eigen::Map<const RowMatrix<float>> values{nullptr, 0, 0};
  absl::Span<const std::uint64_t> row_ids;  // N, or empty: 0, 1, 2, ...
  absl::Span<const std::uint8_t> observed;  // N x D of 0/1, or empty: all
  Index size() const { return values.rows(); }
};

// Rows [begin, end) preprocessed; missing values are 0 in preprocessed units.
// Rounding never carries a value out of the box.
Observations<float> Preprocess(const DataSpec& spec, const RawRows& rows,
                               Index begin, Index end);

// The way back, in place: raw = seen * scale + shift, and on the box.
void Unprocess(const DataSpec& spec, RowMatrixRef<float> values);

// InvalidArgument, naming row and column, if an observed value is not finite,
// or is no grey level in [0, 1] where Bernoulli data are not preprocessed, or
// the number of columns is not D.
absl::Status ValidateRows(const DataSpec& spec, const RawRows& rows);

}  // namespace poe

#endif  // POE_MODEL_H_
