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
#include "poe/usual_verdicts.h"

namespace poe {

// seen = (raw - shift) / scale, coordinate by coordinate. Where inputs are real
// it is theirs alone: outputs have shift 0 and scale 1.
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
  Index dimension = 0;      // D, of one frame
  bool sequential = false;  // observations are sequences of frames
  int num_symbols = 0;      // S, kCategorical only
  // Coordinates that a conditional model is given: ascending, each below D.
  std::vector<Index> input_coordinates;
  // Inputs are any finite numbers, whatever the family of the outputs, which is
  // kBernoulli or kCategorical.
  bool real_inputs = false;
  std::vector<std::string> coordinate_names;  // D or none
  int image_height = 0, image_width = 0;      // both 0: no image
  Preprocessing preprocessing;
  std::optional<Box> box;   // kGaussian, once fitted or given
  double box_margin = 0.1;  // of the data's range, where the box is fitted

  Index num_real_inputs() const {
    return real_inputs ? static_cast<Index>(input_coordinates.size()) : 0;
  }
  // Columns that experts see of a frame: D, but S for each symbol.
  Index width() const {
    const Index columns = family == Family::kCategorical ? num_symbols : 1;
    return (dimension - num_real_inputs()) * columns + num_real_inputs();
  }
};

// Where a coordinate stands in the frames that experts see.
struct Columns {
  Index first = 0, count = 1;
  bool is_real_input = false;

  bool is_symbol() const { return count > 1; }
};

// Of each coordinate, D in all. Columns follow each other as coordinates do,
// but those of real inputs stand behind all others.
std::vector<Columns> ColumnsOf(const DataSpec& spec);

// InvalidArgument naming the field at fault.
absl::Status Validate(const DataSpec& spec);

// A known or estimated log Z of a product, preprocessed units.
struct LogPartition {
  enum class Method { kExact, kAisForward, kAisReverse };
  Method method = Method::kExact;
  double value = 0;
  double standard_error = 0;  // 0 where exact
  Index length = 0;           // frames of the sequences it holds for, or 0
};

struct ClassModel {
  std::string name;
  // One layer in this version.
  std::vector<Product<float>> layers;
  // Ascending lengths, one each. Empty: none is known.
  std::vector<LogPartition> log_partitions;
  // Absent where no rows were held out.
  std::optional<ScorePercentiles> percentiles;
  // Of the experts of the lowest layer. Absent where nothing was calibrated.
  std::optional<UsualVerdicts> usual_verdicts;
};

// Immutable once it is served; all questions (scoring.h, reconstruction.h,
// sampling.h) take it by const reference and are thread-safe.
struct Model {
  DataSpec data_spec;
  std::vector<ClassModel> classes;
  std::optional<Separator> separator;
  std::optional<ProbabilityCalibration> calibration;
  // Of sequences where a class has no log partitions: the only length whose log
  // scores separator and percentiles know. 0: they know none.
  Index comparable_length = 0;

  Index num_classes() const { return static_cast<Index>(classes.size()); }
  // Log Z of a class's product for sequences of `length` frames (0: dense
  // rows); null where it is not known.
  const LogPartition* FindLogPartition(Index class_index, Index length) const;
  // Whether every class has some.
  bool has_log_partitions() const;
  // Experts of one class, the most over classes, and parameters in all.
  Index num_experts() const;
  Index num_parameters() const;
};

// InvalidArgument unless all parts of the model agree in shape and family and
// class names are distinct. Whatever comes from outside passes here.
absl::Status Validate(const Model& model);

// Raw observations as they arrive.
struct RawRows {
  Eigen::Map<const RowMatrix<float>> values{nullptr, 0, 0};  // frames x D
  absl::Span<const std::uint64_t> row_ids = {};  // N, or empty: 0, 1, 2, ...
  absl::Span<const std::uint8_t> observed =
      {};  // frames x D of 0/1; empty: all
  // First frame of each sequence and, last, the number of frames: N + 1.
  // Empty: dense rows of one frame each.
  absl::Span<const Index> starts = {};

  Index size() const {
    return starts.empty() ? values.rows()
                          : static_cast<Index>(starts.size()) - 1;
  }
  Index start(Index n) const { return starts.empty() ? n : starts[n]; }
  Index length(Index n) const { return start(n + 1) - start(n); }
  std::uint64_t row_id(Index n) const {
    return row_ids.empty() ? static_cast<std::uint64_t>(n) : row_ids[n];
  }
  bool IsObserved(Index frame, Index i) const {
    return observed.empty() || observed[frame * values.cols() + i] != 0;
  }
};

// Some observations, copied together.
class GatheredRows {
 public:
  GatheredRows(const RawRows& rows, absl::Span<const Index> numbers);
  // Valid as long as this object is neither moved nor changed.
  RawRows View() const;

 private:
  RowMatrix<float> values_;
  std::vector<std::uint64_t> row_ids_;
  std::vector<std::uint8_t> observed_;
  std::vector<Index> starts_;
};

// Observations [begin, end) preprocessed, symbols as one column each. Inputs of
// a conditional model are clamped. Missing values are 0 in preprocessed units.
// Rounding never carries a value out of the box.
Observations<float> Preprocess(const DataSpec& spec, const RawRows& rows,
                               Index begin, Index end);

// The way back, frames x D: raw = seen * scale + shift, and on the box; of
// several symbols the one with the greatest value.
RowMatrix<float> Unprocess(const DataSpec& spec,
                           const ConstRowMatrixRef<float>& values);

// log d preprocessed / d raw of coordinate i, which densities have to have
// added in raw units: 0 for bits and symbols.
double LogJacobian(const DataSpec& spec, Index i);

// One byte for each column of a frame: 1 where an input stands.
std::vector<std::uint8_t> InputMask(const DataSpec& spec);

// Clamps, in x = Preprocess(spec, rows, begin, ...), all values that are
// observed.
void KeepObserved(const DataSpec& spec, const RawRows& rows, Index begin,
                  Observations<float>& x);

// Copies observed raw values, from observation `begin` on, over those that a
// round trip through preprocessing has left in `values`.
void CopyObserved(const RawRows& rows, Index begin, RowMatrixRef<float> values);

// InvalidArgument, naming frame and column, if an observed value is not finite,
// or is no grey level in [0, 1] where Bernoulli data are not preprocessed, or
// no symbol of the alphabet (real inputs need be neither), or an input is
// missing, or the number of columns is not D.
absl::Status ValidateRows(const DataSpec& spec, const RawRows& rows);

}  // namespace poe

#endif  // POE_MODEL_H_
