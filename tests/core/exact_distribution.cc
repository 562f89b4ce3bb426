#include "tests/core/exact_distribution.h"

#include <algorithm>
#include <cmath>

#include "boost/math/quadrature/gauss.hpp"
#include "boost/math/special_functions/gamma.hpp"
#include "gtest/gtest.h"
#include "poe/bases/gaussian.h"
#include "poe/numerics/elementwise.h"

namespace poe {
namespace {

constexpr Index kCells = 6;  // a coordinate's box is cut into
constexpr int kNodes = 15;   // a cell has in each coordinate
constexpr Index kProposals = 4096;

}  // namespace

std::vector<double> TemperedLogScores(const Product<double>& product,
                                      double beta,
                                      const Observations<double>& x) {
  std::vector<double> scores(x.size, 0);
  product.base().AddLogScores(x, absl::MakeSpan(scores));
  auto posteriors = product.NewPosteriors();
  product.Infer(x, beta, Workers::Inline(), posteriors);
  for (std::size_t i = 0; i < product.num_groups(); ++i)
    product.group(i).AddLogScores(*posteriors[i], absl::MakeSpan(scores));
  return scores;
}

Vector<double> LogScoreGradientOf(const Product<double>& product,
                                  const Observations<double>& x,
                                  absl::Span<const double> weights) {
  Vector<double> gradient = Vector<double>::Zero(product.num_parameters());
  auto posteriors = product.NewPosteriors();
  product.Infer(x, 1, Workers::Inline(), posteriors);
  Index first = product.base().parameters().size();
  product.base().AddGradient(x, weights, gradient.head(first));
  for (std::size_t i = 0; i < product.num_groups(); ++i) {
    const Index size = product.group(i).parameters().size();
    product.group(i).AddGradient(x, *posteriors[i], weights, Workers::Inline(),
                                 gradient.segment(first, size));
    first += size;
  }
  return gradient;
}

ExactDistribution::ExactDistribution(const Product<double>& product,
                                     double beta)
    : product_(product), beta_(beta) {
  std::vector<double> log_weights;
  if (product.base().family() == Family::kBernoulli) {
    Enumerate();
    log_weights.assign(points_.size, 0);
  } else {
    PlaceNodes();
    for (double weight : probabilities_)
      log_weights.push_back(std::log(weight));
  }
  const std::vector<double> scores = TemperedLogScores(product, beta, points_);
  greatest_log_score_ = *std::max_element(scores.begin(), scores.end());
  for (Index n = 0; n < points_.size; ++n) log_weights[n] += scores[n];
  log_normalizer_ = LogSumExp(log_weights);
  probabilities_.resize(points_.size);
  for (Index n = 0; n < points_.size; ++n)
    probabilities_[n] = std::exp(log_weights[n] - log_normalizer_);
}

void ExactDistribution::Enumerate() {
  const Index dimension = product_.dimension();
  points_ = MakeDense<double>(Index{1} << dimension, dimension);
  for (Index n = 0; n < points_.size; ++n)
    for (Index i = 0; i < dimension; ++i)
      points_.values(n, i) = static_cast<double>(n >> i & 1);
}

void ExactDistribution::PlaceNodes() {
  const auto& base = dynamic_cast<const GaussianBase<double>&>(product_.base());
  lower_ = base.lower();
  upper_ = base.upper();
  // Positions in [0, 1] and weights of one coordinate's nodes, cell by cell.
  using Gauss = boost::math::quadrature::gauss<double, kNodes>;
  std::vector<double> positions, weights;
  for (Index cell = 0; cell < kCells; ++cell) {
    for (int k = 0; k < kNodes; ++k) {
      const int half = std::abs(k - kNodes / 2);
      const double side = k < kNodes / 2 ? -1 : 1;
      const double node = side * Gauss::abscissa()[half];
      positions.push_back((static_cast<double>(cell) + (node + 1) / 2) /
                          kCells);
      weights.push_back(Gauss::weights()[half]);
    }
  }
  const Index dimension = product_.dimension();
  const auto line = static_cast<Index>(positions.size());
  Index size = 1;
  for (Index i = 0; i < dimension; ++i) size *= line;
  points_ = MakeDense<double>(size, dimension);
  probabilities_.assign(size, 1);
  for (Index n = 0; n < size; ++n) {
    Index rest = n;
    for (Index i = 0; i < dimension; ++i, rest /= line) {
      points_.values(n, i) =
          lower_(i) + positions[rest % line] * (upper_(i) - lower_(i));
      probabilities_[n] *= weights[rest % line];
    }
  }
}

Observations<double> ExactDistribution::Sample(Index size,
                                               std::uint64_t seed) const {
  const Index dimension = product_.dimension();
  Observations<double> x = MakeDense<double>(size, dimension);
  if (lower_.size() == 0) {
    std::vector<double> draws(size);
    FillUniform({seed, Purpose::kTest, 20, 0}, 0, absl::MakeSpan(draws));
    for (Index n = 0; n < size; ++n) {
      Index state = 0;
      for (double rest = draws[n] - probabilities_[0];
           rest > 0 && state + 1 < points_.size; rest -= probabilities_[state])
        ++state;
      x.values.row(n) = points_.values.row(state);
    }
    return x;
  }
  // Rejection below a bound that the nodes nearly reach.
  const double bound = greatest_log_score_ + 0.1;
  Observations<double> proposals = MakeDense<double>(kProposals, dimension);
  std::vector<double> draws(dimension + 1);
  std::vector<double> accept(kProposals);
  Index found = 0;
  for (std::uint32_t round = 0; found < size; ++round) {
    for (Index n = 0; n < kProposals; ++n) {
      FillUniform({seed, Purpose::kTest, 21, round},
                  static_cast<std::uint64_t>(n), absl::MakeSpan(draws));
      for (Index i = 0; i < dimension; ++i)
        proposals.values(n, i) = lower_(i) + draws[i] * (upper_(i) - lower_(i));
      accept[n] = draws[dimension];
    }
    const std::vector<double> scores =
        TemperedLogScores(product_, beta_, proposals);
    for (Index n = 0; n < kProposals && found < size; ++n) {
      EXPECT_LT(scores[n], bound);
      if (std::log(accept[n]) < scores[n] - bound)
        x.values.row(found++) = proposals.values.row(n);
    }
  }
  return x;
}

Index ExactDistribution::CellOf(const Observations<double>& x, Index n) const {
  Index cell = 0;
  for (Index i = x.dimension(); i-- > 0;) {
    if (lower_.size() == 0) {
      cell = 2 * cell + static_cast<Index>(x.values(n, i));
    } else {
      const double share =
          (x.values(n, i) - lower_(i)) / (upper_(i) - lower_(i));
      cell = kCells * cell +
             std::min(kCells - 1, static_cast<Index>(share * kCells));
    }
  }
  return cell;
}

double ExactDistribution::PValue(const Observations<double>& x) const {
  std::vector<double> expected(points_.size, 0), counts(points_.size, 0);
  for (Index n = 0; n < points_.size; ++n)
    expected[CellOf(points_, n)] +=
        probabilities_[n] * static_cast<double>(x.size);
  for (Index n = 0; n < x.size; ++n) counts[CellOf(x, n)] += 1;
  // Cells that expect few draws are thrown together.
  double chi_square = 0, rare_expected = 0, rare_count = 0;
  double cells = 0;
  auto add = [&](double expect, double count) {
    chi_square += (count - expect) * (count - expect) / expect;
    cells += 1;
  };
  for (std::size_t c = 0; c < expected.size(); ++c) {
    if (expected[c] >= 50) {
      add(expected[c], counts[c]);
    } else {
      rare_expected += expected[c];
      rare_count += counts[c];
    }
  }
  if (rare_expected >= 10) add(rare_expected, rare_count);
  return boost::math::gamma_q((cells - 1) / 2, chi_square / 2);
}

ExactDistribution::Gradient ExactDistribution::LogScoreGradient() const {
  Gradient gradient;
  gradient.mean = LogScoreGradientOf(product_, points_, probabilities_);
  Vector<double> variance = Vector<double>::Zero(gradient.mean.size());
  Observations<double> one = MakeDense<double>(1, product_.dimension());
  const double all = 1;
  for (Index n = 0; n < points_.size; ++n) {
    if (probabilities_[n] < 1e-9) continue;
    one.values.row(0) = points_.values.row(n);
    const Vector<double> of_point =
        LogScoreGradientOf(product_, one, absl::MakeConstSpan(&all, 1));
    variance += probabilities_[n] *
                (of_point - gradient.mean).array().square().matrix();
  }
  gradient.deviation = variance.cwiseSqrt();
  return gradient;
}

}  // namespace poe
