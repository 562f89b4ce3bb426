// Questions that are answered for each row by itself, whatever rows it is asked
// with.
#ifndef POE_SERVER_ROW_ANSWERS_H_
#define POE_SERVER_ROW_ANSWERS_H_

#include <cstdint>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "poe/interrupt_check.h"
#include "poe/model.h"
#include "poe/numerics/workers.h"
#include "poe/raw_rows.h"
#include "poe/reconstruction.h"
#include "poe/scoring.h"

namespace poe::server {

using RowQuestion = std::variant<ScoreOptions, ReconstructOptions>;
// Scores to ScoreOptions, Reconstructions to ReconstructOptions.
using RowAnswer = std::variant<Scores, Reconstructions>;

// Asks the core. Rows must have passed ValidateRows. Errors are those of Score
// and Reconstruct.
absl::StatusOr<RowAnswer> Ask(const Model& model, const RawRows& rows,
                              const RowQuestion& question,
                              const Workers& workers, InterruptCheck check);

// Whether the two may be joined without a change to any bit of an answer: one
// that has values missing goes ways that one without does not.
bool CanJoin(const RawRows& one, const RawRows& other);

// Observations of several calls, copied one after the other. Each keeps the
// row id that it has in its own call.
class JoinedRows {
 public:
  // At least one, any two of which can be joined.
  explicit JoinedRows(absl::Span<const RawRows> parts);
  // Valid as long as this object is neither moved nor changed.
  RawRows View() const;

 private:
  RowMatrix<float> values_;
  std::vector<std::uint64_t> row_ids_;
  std::vector<std::uint8_t> observed_;
  std::vector<Index> starts_;
};

// The answer to observations [begin, end) of `rows`, to all of which `whole` is
// the answer: to the bit what they get when they are asked alone.
RowAnswer Part(const RowAnswer& whole, const RawRows& rows, Index begin,
               Index end);

}  // namespace poe::server

#endif  // POE_SERVER_ROW_ANSWERS_H_
