#include "poe/usual_verdicts.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace poe {

std::optional<UsualVerdicts> UsualVerdicts::FromScores(
    const ConstRowMatrixRef<double>& log_scores,
    absl::Span<const Index> frames) {
  std::vector<Index> rows;
  for (Index n = 0; n < log_scores.rows(); ++n)
    if (log_scores.row(n).allFinite()) rows.push_back(n);
  if (rows.empty()) return std::nullopt;
  const auto last = static_cast<std::ptrdiff_t>(rows.size()) - 1;
  RowMatrix<double> quantiles(log_scores.cols(), 2);
  std::vector<double> scores(rows.size());
  for (Index m = 0; m < log_scores.cols(); ++m) {
    for (std::size_t i = 0; i < rows.size(); ++i)
      scores[i] = log_scores(rows[i], m) / static_cast<double>(frames[rows[i]]);
    std::sort(scores.begin(), scores.end());
    quantiles.row(m) << scores[last / 4], scores[last / 2];
  }
  return UsualVerdicts(std::move(quantiles));
}

absl::StatusOr<UsualVerdicts> UsualVerdicts::Create(
    RowMatrix<double> quantiles) {
  if (quantiles.rows() < 1 || quantiles.cols() != 2)
    return absl::InvalidArgumentError(absl::StrCat(
        "quantiles are ", quantiles.rows(), " x ", quantiles.cols(),
        "; there must be 2 for each of at least one expert"));
  for (Index m = 0; m < quantiles.rows(); ++m) {
    for (Index i = 0; i < 2; ++i)
      if (!std::isfinite(quantiles(m, i)))
        return absl::InvalidArgumentError(absl::StrCat("quantiles[", m, "][", i,
                                                       "] is ", quantiles(m, i),
                                                       "; it must be finite"));
    if (quantiles(m, 1) < quantiles(m, 0))
      return absl::InvalidArgumentError(absl::StrCat(
          "quantiles[", m, "][1] is ", quantiles(m, 1), ", less than ",
          quantiles(m, 0), " before it; they must ascend"));
  }
  return UsualVerdicts(std::move(quantiles));
}

RowMatrix<float> UsualVerdicts::Objections(
    const ConstRowMatrixRef<double>& log_scores,
    absl::Span<const Index> frames) const {
  const auto quartile = quantiles_.col(0).transpose().array();
  const auto median = quantiles_.col(1).transpose().array();
  RowMatrix<float> objections(log_scores.rows(), log_scores.cols());
  for (Index n = 0; n < log_scores.rows(); ++n) {
    const auto length = static_cast<double>(frames[n]);
    objections.row(n) = ((length * median - log_scores.row(n).array()) /
                         (length * (median - quartile)).max(1.0))
                            .cast<float>();
  }
  return objections;
}

}  // namespace poe
