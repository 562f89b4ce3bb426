// What observations are, and the columns in which experts see them.
#ifndef POE_DATA_SPEC_H_
#define POE_DATA_SPEC_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "poe/observations.h"

namespace poe {

// seen = (raw - shift) / scale, coordinate by coordinate. Where inputs are real
// it is theirs alone: outputs have shift 0 and scale 1.
struct Preprocessing {
  enum class Kind { kNone, kUnitInterval, kStandardize };
  Kind kind = Kind::kNone;
  // D each and scale > 0, or empty for kNone.
  std::vector<double> shift, scale;

  bool operator==(const Preprocessing&) const = default;
};

// Bounds of each coordinate, raw units.
struct Box {
  std::vector<double> lower, upper;

  bool operator==(const Box&) const = default;
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

  bool operator==(const DataSpec&) const = default;
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

// InvalidArgument, naming the place, unless these coordinates are some that a
// group of experts can be shown alone: ascending, each below D, and not beside
// real inputs. None stands for all.
absl::Status ValidateCoordinates(const DataSpec& spec,
                                 absl::Span<const Index> coordinates);

// The data that experts see to whom these coordinates are shown, ascending,
// each below D, and the columns that those are of a frame. Inputs are inputs no
// longer, images no images. Not for real inputs.
DataSpec SelectCoordinates(const DataSpec& spec,
                           absl::Span<const Index> coordinates);
std::vector<Index> ColumnsOf(const DataSpec& spec,
                             absl::Span<const Index> coordinates);

// log d preprocessed / d raw of coordinate i, which densities have to have
// added in raw units: 0 for bits and symbols.
double LogJacobian(const DataSpec& spec, Index i);

// One byte for each column of a frame: 1 where an input stands.
std::vector<std::uint8_t> InputMask(const DataSpec& spec);

}  // namespace poe

#endif  // POE_DATA_SPEC_H_
