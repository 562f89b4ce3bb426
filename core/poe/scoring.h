// How plausible is this, and which class.
#ifndef POE_SCORING_H_
#define POE_SCORING_H_

#include <optional>

#include "poe/gibbs.h"
#include "poe/incomplete_scoring.h"
#include "poe/model.h"
#include "poe/raw_rows.h"

namespace poe {

struct ScoreOptions {
  bool per_expert = false;
  // How rows with missing values are scored, if they may be there.
  std::optional<IncompleteScoreOptions> missing = std::nullopt;

  friend bool operator==(const ScoreOptions&, const ScoreOptions&) = default;
};

// N observations, C classes, L layers; fields are empty where the model has
// nothing to say (no separator, no calibration, no held-out rows).
struct Scores {
  // N x (C L), class-major: log p*(x), of the lowest layer in raw units;
  // -infinity out of support, NaN where it is not known.
  RowMatrix<double> log_scores;
  // N x C: log p(x) under the lowest layer, in raw units, where the class's log
  // Z is known for the observation's length or can be computed
  // (log_partition.h), otherwise NaN; empty where no class has one. Of
  // conditional models over few bits or symbols, log p(outputs | inputs).
  RowMatrix<double> log_probabilities;
  // Where log probabilities are: the lengths of the observations, each once,
  // ascending; 0 for dense rows.
  std::vector<Index> lengths;
  // C lists, or none: what was computed of those lengths because the class had
  // nothing.
  std::vector<std::vector<LogPartition>> computed_log_partitions;
  // Nothing can be said of rows out of support, nor of sequences that
  // separator and percentiles do not compare.
  std::vector<std::int32_t> labels;  // -1 where nothing can be said
  std::vector<double> margins;       // 0 where nothing can be said
  RowMatrix<double> probabilities;   // N x C; 0 where nothing can be said
  // N x C, of log scores summed over layers; 0 out of support, NaN for a
  // sequence that is not compared.
  RowMatrix<double> percentiles;
  // N, or empty if every row is in support.
  std::vector<bool> out_of_support;
  // N x C with options.missing, 0 where nothing is missing, NaN where the log
  // score is: of log_scores.
  RowMatrix<double> standard_errors;
  // C matrices N x M if asked for, of the lowest layer; NaN out of support and
  // where values are missing.
  std::vector<RowMatrix<double>> expert_log_scores;
  // Of the same shapes, but 0 x 0 for a class without usual verdicts
  // (usual_verdicts.h).
  std::vector<RowMatrix<float>> objections;
};

// Whether Score gives log p(outputs | inputs): the model is conditional, over
// dense rows whose outputs have few enough combinations of bits or symbols to
// be listed for each row.
bool KnowsConditionalProbability(const DataSpec& spec,
                                 const Product<float>& product);

// What separator and percentiles see of the scores of some rows, N x (C L): log
// scores, where all have the same log Z. Those of conditional models depend on
// the inputs: theirs are log p(outputs | inputs), or NaN where those are not
// known. Those of sequences depend on the length: theirs are log probabilities
// where the model has log partitions, otherwise log scores of its
// comparable_length; NaN for any other length.
RowMatrix<double> Comparable(const Model& model, const RawRows& rows,
                             const Scores& scores);

// Rows must have passed ValidateRows. Where some of their values are missing,
// which takes options.missing, log scores are those of what was observed
// (incomplete_scoring.h), and so are log probabilities, labels, margins and
// probabilities; where the chains have collapsed there are none, nor a label
// (log score and standard error NaN); there are no percentiles (NaN), whose
// scores are of complete rows, nothing of higher layers (NaN, and no label),
// and of conditional models neither log probabilities nor labels. Fails with
// the status of `check`, which is asked every few hundred rows, and as
// ScoreIncomplete does.
absl::StatusOr<Scores> Score(const Model& model, const RawRows& rows,
                             const ScoreOptions& options,
                             const Workers& workers, InterruptCheck check);

}  // namespace poe

#endif  // POE_SCORING_H_
