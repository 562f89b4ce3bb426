// Observations as they arrive, and the way to what experts see and back.
#ifndef POE_RAW_ROWS_H_
#define POE_RAW_ROWS_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "poe/data_spec.h"
#include "poe/numerics/workers.h"

namespace poe {

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
  bool IsComplete(Index n) const {
    if (observed.empty()) return true;
    const auto mask =
        observed.subspan(start(n) * values.cols(), length(n) * values.cols());
    return std::find(mask.begin(), mask.end(), 0) == mask.end();
  }
};

// The first observation of which no value is observed but inputs, or -1.
Index FindUnobserved(const DataSpec& spec, const RawRows& rows);

// Some observations, copied together.
class GatheredRows {
 public:
  GatheredRows(const RawRows& rows, absl::Span<const Index> numbers,
               const Workers& workers = Workers::Inline());
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
                               Index begin, Index end,
                               const Workers& workers = Workers::Inline());

// The way back, frames x D: raw = seen * scale + shift, and on the box; of
// several symbols the one with the greatest value.
RowMatrix<float> Unprocess(const DataSpec& spec,
                           const ConstRowMatrixRef<float>& values);

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

#endif  // POE_RAW_ROWS_H_
