// The distribution of a small product, exactly: enumerated where the data are
// bits or symbols, by Gauss-Legendre quadrature where they are real values.
#ifndef POE_TESTS_CORE_EXACT_DISTRIBUTION_H_
#define POE_TESTS_CORE_EXACT_DISTRIBUTION_H_

#include <vector>

#include "poe/product.h"

namespace poe {

// log b(x) + sum_m log f_m,beta(x).
std::vector<double> TemperedLogScores(const Product<double>& product,
                                      double beta,
                                      const Observations<double>& x);

// p(x) proportional to b(x) prod_m f_m,beta(x), for a few thousand states of
// bits or symbols, or for two real values. Values are those of all frames.
class ExactDistribution {
 public:
  // `length` is that of sequences; ignored for products of dense rows.
  ExactDistribution(const Product<double>& product, double beta,
                    Index length = 1);

  // All states, or the quadrature's nodes; probabilities sum to 1.
  const Observations<double>& points() const { return points_; }
  const std::vector<double>& probabilities() const { return probabilities_; }

  // Independent draws: row ids are 0 .. size-1.
  Observations<double> Sample(Index size, std::uint64_t seed) const;

  // The chance that independent draws fit worse than x, by Pearson's chi-square
  // over all states, or over a grid of equal cells.
  double PValue(const Observations<double>& x) const;

  // Mean over p of the gradient of the log score at beta 1 for the base
  // followed by all groups, and the standard deviation of each entry.
  struct Gradient {
    Vector<double> mean, deviation;
  };
  Gradient LogScoreGradient() const;
  // The same given those values of observation n of x that are clamped; they
  // must be those of some of the points.
  Gradient LogScoreGradientGiven(const Observations<double>& x, Index n) const;
  // log Z.
  double log_normalizer() const { return log_normalizer_; }

 private:
  bool discrete() const { return lower_.size() == 0; }
  Gradient LogScoreGradientUnder(
      const std::vector<double>& probabilities) const;
  Observations<double> Make(Index size) const;
  void Enumerate();
  void PlaceNodes();
  // Real data only: for each cell, a bound on the log scores in it.
  std::vector<double> CellBounds() const;
  Index CellOf(const Observations<double>& x, Index n) const;

  const Product<double>& product_;
  double beta_;
  Index length_;       // frames of an observation
  Index states_ = 2;   // of a bit or symbol
  Index columns_ = 1;  // that a value has in a frame: states_ for symbols
  Index cells_ = 6;    // that a real value's range is cut into
  Observations<double> points_;
  std::vector<double> probabilities_;
  double log_normalizer_ = 0;
  double greatest_log_score_ = 0;
  // Real data only: bounds of each coordinate.
  Vector<double> lower_, upper_;
};

// The frames of one observation, T x D.
RowMatrix<double> FramesOf(const Observations<double>& x, Index n);

// `count` copies of observation n, with row ids 0, 1, 2, ...
Observations<double> Repeat(const Observations<double>& x, Index n,
                            Index count);

// sum_n weights[n] d log p*(x_n) / d parameters at an inverse temperature, for
// the base followed by all groups.
Vector<double> LogScoreGradientOf(const Product<double>& product,
                                  const Observations<double>& x,
                                  absl::Span<const double> weights,
                                  double beta = 1);

}  // namespace poe

#endif  // POE_TESTS_CORE_EXACT_DISTRIBUTION_H_
