#ifndef POE_CLIENT_CPP_COMMAND_SPURIOUS_POINTS_H_
#define POE_CLIENT_CPP_COMMAND_SPURIOUS_POINTS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace poe::client {

// Points of `dimension` coordinates each, one after the other, in units in
// which distances mean something, with the model's log score of each.
struct ScoredPoints {
  absl::Span<const float> values;
  absl::Span<const double> log_scores;
  int64_t dimension = 0;

  int64_t size() const { return static_cast<int64_t>(log_scores.size()); }
};

// Chains that ended in one place where no data are.
struct SpuriousMode {
  // The chain there of the greatest log score, which stands for them, and the
  // row of the data that is nearest to it.
  int64_t chain = 0;
  double log_score = 0;
  double distance = 0;
  int64_t nearest_row = 0;
  int64_t chains = 0;
};

// What a model believes in and no data explain.
struct SpuriousPoints {
  // Of rows of the data: all but kUnusual of them have another row within this
  // distance, and a log score of at least this. A point is spurious if it has
  // the log score and not the neighbour.
  double usual_distance = 0;
  double usual_log_score = 0;
  // Chains that ended without a neighbour, whatever their log score.
  int64_t far_chains = 0;
  // By chains, the most first.
  std::vector<SpuriousMode> modes;
};

// The share of rows that may be as odd as a spurious point.
inline constexpr double kUnusual = 0.01;

// Compares ends of chains that never saw the data with the data, at least two
// rows. The usual distance is that of at most 1,000 rows, evenly chosen, from
// all others.
SpuriousPoints FindSpuriousPoints(const ScoredPoints& data,
                                  const ScoredPoints& ends);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_SPURIOUS_POINTS_H_
