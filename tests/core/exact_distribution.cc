#include "tests/core/exact_distribution.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "boost/math/quadrature/gauss.hpp"
#include "boost/math/special_functions/gamma.hpp"
#include "gtest/gtest.h"
#include "poe/bases/categorical.h"
#include "poe/bases/gaussian.h"
#include "poe/bases/structured_gaussian.h"
#include "poe/numerics/elementwise.h"

namespace poe {
namespace {

constexpr int kNodes = 15;  // a cell has in each coordinate
constexpr Index kUnboundedCells = 12;
constexpr double kDeviations = 6;  // of an unbounded base, on either side
constexpr Index kProposals = 4096;
// By which log scores in a cell may exceed those at its nodes.
constexpr double kSlack = 0.5;

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
                                  absl::Span<const double> weights,
                                  double beta) {
  Vector<double> gradient = Vector<double>::Zero(product.num_parameters());
  auto posteriors = product.NewPosteriors();
  product.Infer(x, beta, Workers::Inline(), posteriors);
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

RowMatrix<double> FramesOf(const Observations<double>& x, Index n) {
  return x.values.middleRows(x.FrameStarts()[n], x.length(n));
}

Observations<double> Repeat(const Observations<double>& x, Index n,
                            Index count) {
  Observations<double> result =
      x.sequential()
          ? MakeSequences<double>(std::vector<Index>(count, x.length(n)),
                                  x.dimension())
          : MakeDense<double>(count, x.dimension());
  const RowMatrix<double> frames = FramesOf(x, n);
  for (Index k = 0; k < count; ++k)
    result.values.middleRows(k * frames.rows(), frames.rows()) = frames;
  return result;
}

Observations<double> ExactDistribution::Make(Index size) const {
  if (!product_.sequential())
    return MakeDense<double>(size, product_.dimension());
  return MakeSequences<double>(std::vector<Index>(size, length_),
                               product_.dimension());
}

ExactDistribution::ExactDistribution(const Product<double>& product,
                                     double beta, Index length)
    : product_(product),
      beta_(beta),
      length_(product.sequential() ? length : 1) {
  std::vector<double> log_weights;
  if (const auto* base =
          dynamic_cast<const CategoricalBase<double>*>(&product.base()))
    states_ = columns_ = base->num_symbols();
  if (product.base().family() == Family::kBernoulli ||
      product.base().family() == Family::kCategorical) {
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
  const Index values = length_ * product_.dimension() / columns_;
  Index size = 1;
  for (Index i = 0; i < values; ++i) size *= states_;
  points_ = Make(size);
  for (Index n = 0; n < size; ++n) {
    double* row = points_.values.row(n * length_).data();
    Index rest = n;
    for (Index i = 0; i < values; ++i, rest /= states_) {
      if (columns_ == 1)
        row[i] = static_cast<double>(rest % states_);
      else
        row[i * columns_ + rest % states_] = 1;
    }
  }
}

void ExactDistribution::PlaceNodes() {
  Vector<double> lower, upper;
  if (const auto* base =
          dynamic_cast<const GaussianBase<double>*>(&product_.base())) {
    lower = base->lower();
    upper = base->upper();
  } else {
    const auto& unbounded =
        dynamic_cast<const StructuredGaussianBase<double>&>(product_.base());
    const Vector<double> mean = unbounded.block(0).transpose();
    const Vector<double> reach =
        kDeviations * (unbounded.block(1).transpose() / 2).array().exp();
    lower = mean - reach;
    upper = mean + reach;
    cells_ = kUnboundedCells;
  }
  lower_ = lower.replicate(length_, 1);
  upper_ = upper.replicate(length_, 1);
  // Positions in [0, 1] and weights of one coordinate's nodes, cell by cell.
  using Gauss = boost::math::quadrature::gauss<double, kNodes>;
  std::vector<double> positions, weights;
  for (Index cell = 0; cell < cells_; ++cell) {
    for (int k = 0; k < kNodes; ++k) {
      const int half = std::abs(k - kNodes / 2);
      const double side = k < kNodes / 2 ? -1 : 1;
      const double node = side * Gauss::abscissa()[half];
      positions.push_back((static_cast<double>(cell) + (node + 1) / 2) /
                          static_cast<double>(cells_));
      weights.push_back(Gauss::weights()[half]);
    }
  }
  const Index values = lower_.size();
  const auto line = static_cast<Index>(positions.size());
  Index size = 1;
  double log_volume = 0;
  for (Index i = 0; i < values; ++i) {
    size *= line;
    log_volume += std::log((upper_(i) - lower_(i)) / (2.0 * cells_));
  }
  points_ = Make(size);
  probabilities_.assign(size, std::exp(log_volume));
  for (Index n = 0; n < size; ++n) {
    double* row = points_.values.row(n * length_).data();
    Index rest = n;
    for (Index i = 0; i < values; ++i, rest /= line) {
      row[i] = lower_(i) + positions[rest % line] * (upper_(i) - lower_(i));
      probabilities_[n] *= weights[rest % line];
    }
  }
}

Observations<double> ExactDistribution::Sample(Index size,
                                               std::uint64_t seed) const {
  Observations<double> x = Make(size);
  if (discrete()) {
    std::vector<double> draws(size);
    FillUniform({seed, Purpose::kTest, 20, 0}, 0, absl::MakeSpan(draws));
    for (Index n = 0; n < size; ++n) {
      Index state = 0;
      for (double rest = draws[n] - probabilities_[0];
           rest > 0 && state + 1 < points_.size; rest -= probabilities_[state])
        ++state;
      x.values.middleRows(n * length_, length_) =
          points_.values.middleRows(state * length_, length_);
    }
    return x;
  }
  const Index values = lower_.size();
  // Rejection below bounds, one for each cell, that its nodes nearly reach.
  const std::vector<double> bounds = CellBounds();
  std::vector<double> cumulative;
  double total = 0;
  for (double bound : bounds)
    cumulative.push_back(total += std::exp(bound - greatest_log_score_));
  Observations<double> proposals = Make(kProposals);
  std::vector<double> draws(values + 2);
  std::vector<double> accept(kProposals), bound(kProposals);
  Index found = 0;
  for (std::uint32_t round = 0; found < size; ++round) {
    for (Index n = 0; n < kProposals; ++n) {
      FillUniform({seed, Purpose::kTest, 21, round},
                  static_cast<std::uint64_t>(n), absl::MakeSpan(draws));
      Index cell = std::upper_bound(cumulative.begin(), cumulative.end() - 1,
                                    draws[values] * total) -
                   cumulative.begin();
      bound[n] = bounds[cell];
      accept[n] = draws[values + 1];
      double* row = proposals.values.row(n * length_).data();
      for (Index i = 0; i < values; ++i, cell /= cells_)
        row[i] = lower_(i) + (static_cast<double>(cell % cells_) + draws[i]) *
                                 (upper_(i) - lower_(i)) /
                                 static_cast<double>(cells_);
    }
    const std::vector<double> scores =
        TemperedLogScores(product_, beta_, proposals);
    for (Index n = 0; n < kProposals && found < size; ++n) {
      EXPECT_LT(scores[n], bound[n]);
      if (std::log(accept[n]) < scores[n] - bound[n])
        x.values.middleRows(length_ * found++, length_) =
            proposals.values.middleRows(n * length_, length_);
    }
  }
  return x;
}

std::vector<double> ExactDistribution::CellBounds() const {
  const std::vector<double> scores =
      TemperedLogScores(product_, beta_, points_);
  Index cells = 1;
  for (Index i = 0; i < lower_.size(); ++i) cells *= cells_;
  std::vector<double> bounds(cells, -std::numeric_limits<double>::infinity());
  for (Index n = 0; n < points_.size; ++n) {
    double& bound = bounds[CellOf(points_, n)];
    bound = std::max(bound, scores[n] + kSlack);
  }
  return bounds;
}

Index ExactDistribution::CellOf(const Observations<double>& x, Index n) const {
  const double* row = x.values.row(n * length_).data();
  Index cell = 0;
  for (Index i = length_ * x.dimension() / columns_; i-- > 0;) {
    if (discrete()) {
      Index state = 0;
      if (columns_ == 1)
        state = static_cast<Index>(row[i]);
      else
        while (row[i * columns_ + state] == 0) ++state;
      cell = states_ * cell + state;
    } else {
      const double share = (row[i] - lower_(i)) / (upper_(i) - lower_(i));
      cell = cells_ * cell +
             std::clamp<Index>(static_cast<Index>(std::floor(
                                   share * static_cast<double>(cells_))),
                               0, cells_ - 1);
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
  return LogScoreGradientUnder(probabilities_);
}

ExactDistribution::Gradient ExactDistribution::LogScoreGradientGiven(
    const Observations<double>& x, Index n) const {
  const RowMatrix<double> given = FramesOf(x, n);
  const Index first = x.FrameStarts()[n];
  std::vector<double> probabilities = probabilities_;
  double total = 0;
  for (Index k = 0; k < points_.size; ++k) {
    for (Index t = 0; t < length_; ++t)
      for (Index i = 0; i < given.cols(); ++i)
        if (x.IsClamped(first + t, i) &&
            points_.values(k * length_ + t, i) != given(t, i))
          probabilities[k] = 0;
    total += probabilities[k];
  }
  EXPECT_GT(total, 0);
  for (double& probability : probabilities) probability /= total;
  return LogScoreGradientUnder(probabilities);
}

ExactDistribution::Gradient ExactDistribution::LogScoreGradientUnder(
    const std::vector<double>& probabilities) const {
  Gradient gradient;
  gradient.mean = LogScoreGradientOf(product_, points_, probabilities);
  Vector<double> variance = Vector<double>::Zero(gradient.mean.size());
  Observations<double> one = Make(1);
  const double all = 1;
  for (Index n = 0; n < points_.size; ++n) {
    if (probabilities[n] < 1e-9) continue;
    one.values.topRows(length_) =
        points_.values.middleRows(n * length_, length_);
    const Vector<double> of_point =
        LogScoreGradientOf(product_, one, absl::MakeConstSpan(&all, 1));
    variance +=
        probabilities[n] * (of_point - gradient.mean).array().square().matrix();
  }
  gradient.deviation = variance.cwiseSqrt();
  return gradient;
}

}  // namespace poe
