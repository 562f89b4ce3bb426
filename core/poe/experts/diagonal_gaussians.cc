#include "poe/experts/diagonal_gaussians.h"

#include <algorithm>
#include <type_traits>

#include "poe/numerics/constants.h"
#include "poe/numerics/elementwise.h"

namespace poe {
namespace {

constexpr Index kLeastFeatureRows = 32;
constexpr Index kLeastGaussians = 16;
// Nothing is farther than this, so that squares times any precision stay finite
// in double.
constexpr double kFarthest = 1e100;
// Features that gradients sum are no greater than this, so that their sums stay
// finite.
template <typename Scalar>
constexpr Scalar kGreatestFeature =
    std::is_same_v<Scalar, float> ? 1e30 : 1e200;

// body(g, i) for Gaussians [begin, end) and coordinates, a few Gaussians at a
// time: matrices that lie one way and the other are both passed along cache
// lines.
template <typename Body>
void ForEachEntry(Index begin, Index end, Index dimension, Body body) {
  constexpr Index kTogether = 8;
  for (Index first = begin; first < end; first += kTogether) {
    const Index last = std::min(end, first + kTogether);
    for (Index i = 0; i < dimension; ++i)
      for (Index g = first; g < last; ++g) body(g, i);
  }
}

}  // namespace

template <typename Scalar>
void GaussianFeatures(const Vector<double>& centre,
                      const ConstRowMatrixRef<Scalar>& x,
                      RowMatrixRef<double> features) {
  const Index dimension = centre.size();
  for (Index n = 0; n < x.rows(); ++n) {
    const Scalar* from = x.row(n).data();
    double* squares = features.row(n).data();
    double* distances = squares + dimension;
    for (Index i = 0; i < dimension; ++i) {
      const double distance = std::clamp(
          static_cast<double>(from[i]) - centre(i), -kFarthest, kFarthest);
      squares[i] = distance * distance;
      distances[i] = distance;
    }
  }
}

template <typename Scalar>
void DiagonalGaussians<Scalar>::Update(
    const ConstRowMatrixRef<Scalar>& mean,
    const ConstRowMatrixRef<Scalar>& log_variance,
    const Vector<double>& log_weight) {
  const Index size = mean.rows(), dimension = mean.cols();
  const bool circular = log_variance.cols() != dimension;
  distance_ = mean.template cast<double>();
  centre_ = distance_.colwise().mean();
  distance_.rowwise() -= centre_.transpose();
  RowMatrix<double> precisions = -log_variance.template cast<double>();
  Exp(absl::Span<double>(precisions.data(), precisions.size()));
  quadratic_.resize(2 * dimension, size);
  offset_ = log_weight;
  messages_.resize(size, 2 * dimension);
  ForEachEntry(0, size, dimension, [&](Index g, Index i) {
    const double s = log_variance(g, circular ? 0 : i);
    const double precision = precisions(g, circular ? 0 : i);
    const double distance = distance_(g, i);
    quadratic_(i, g) = -precision / 2;
    quadratic_(dimension + i, g) = precision * distance;
    offset_(g) -= (s + kLog2Pi + precision * distance * distance) / 2;
    messages_(g, i) =
        static_cast<Scalar>(precision * static_cast<double>(mean(g, i)));
    messages_(g, dimension + i) = static_cast<Scalar>(precision);
  });
}

template <typename Scalar>
void DiagonalGaussians<Scalar>::LogDensities(
    const ConstRowMatrixRef<double>& features,
    RowMatrixRef<double> log_densities) const {
  MultiplyRows<double>(features, quadratic_, log_densities);
  log_densities.rowwise() += offset_.transpose();
}

template <typename Scalar>
Vector<double> DiagonalGaussians<Scalar>::AddGradient(
    const ConstRowMatrixRef<double>& features,
    const ConstRowMatrixRef<double>& weights, const Workers& workers,
    RowMatrixRef<Scalar> mean_gradient,
    RowMatrixRef<Scalar> log_variance_gradient) const {
  const bool circular = log_variance_gradient.cols() != dimension();
  Vector<double> total = Vector<double>::Zero(size());
  for (Index n = 0; n < weights.rows(); ++n)
    total += weights.row(n).transpose();
  RowMatrix<Scalar> bounded(features.rows(), features.cols());
  RowMatrix<Scalar> shares(weights.rows(), weights.cols());
  workers.ParallelFor(
      features.rows(), kLeastFeatureRows, [&](Index begin, Index end) {
        const Index rows = end - begin;
        bounded.middleRows(begin, rows) =
            features.middleRows(begin, rows)
                .cwiseMin(kGreatestFeature<Scalar>)
                .cwiseMax(-kGreatestFeature<Scalar>)
                .template cast<Scalar>();
        shares.middleRows(begin, rows) =
            weights.middleRows(begin, rows).template cast<Scalar>();
      });
  const RowMatrix<double> sums =
      FeatureSums<Scalar>(bounded, shares, workers).template cast<double>();
  workers.ParallelFor(size(), kLeastGaussians, [&](Index begin, Index end) {
    ForEachEntry(begin, end, dimension(), [&](Index g, Index i) {
      const double precision = -2 * quadratic_(i, g);
      const double distance = distance_(g, i);
      const double first = sums(dimension() + i, g) - distance * total(g);
      const double second = sums(i, g) -
                            2 * distance * sums(dimension() + i, g) +
                            distance * distance * total(g);
      mean_gradient(g, i) += static_cast<Scalar>(precision * first);
      log_variance_gradient(g, circular ? 0 : i) +=
          static_cast<Scalar>((precision * second - total(g)) / 2);
    });
  });
  return total;
}

template <typename Scalar>
void DiagonalGaussians<Scalar>::AddMessages(
    absl::Span<const Index> gaussians, Scalar exponent,
    absl::Span<Scalar> information, absl::Span<Scalar> precision) const {
  // Summed apart and then added, so that no multiplication is fused with an
  // addition in one place and not in another.
  Eigen::Matrix<Scalar, 1, Eigen::Dynamic> sum =
      Eigen::Matrix<Scalar, 1, Eigen::Dynamic>::Zero(2 * dimension());
  for (Index g : gaussians) sum += messages_.row(g);
  sum *= exponent;
  for (Index i = 0; i < dimension(); ++i) information[i] += sum(i);
  for (Index i = 0; i < dimension(); ++i) precision[i] += sum(dimension() + i);
}

template <typename Scalar>
void DiagonalGaussians<Scalar>::AddMessages(
    const ConstRowMatrixRef<Scalar>& weights, RowMatrixRef<Scalar> information,
    RowMatrixRef<Scalar> precision) const {
  RowMatrix<Scalar> sums(weights.rows(), 2 * dimension());
  MultiplyRows<Scalar>(weights, messages_, sums);
  information += sums.leftCols(dimension());
  precision += sums.rightCols(dimension());
}

template <typename Scalar>
RowMatrix<Scalar> FeatureSums(const ConstRowMatrixRef<Scalar>& features,
                              const ConstRowMatrixRef<Scalar>& weights,
                              const Workers& workers) {
  RowMatrix<Scalar> sums =
      RowMatrix<Scalar>::Zero(features.cols(), weights.cols());
  workers.ParallelFor(
      features.cols(), kLeastFeatureRows, [&](Index begin, Index end) {
        AddTransposedProduct<Scalar>(features, weights, begin,
                                     sums.middleRows(begin, end - begin));
      });
  return sums;
}

template <typename Scalar>
void MeanUnits(const ConstRowMatrixRef<Scalar>& log_variance,
               RowMatrixRef<Scalar> units) {
  for (Index g = 0; g < units.rows(); ++g) {
    if (log_variance.cols() == units.cols())
      units.row(g) = log_variance.row(g) / 2;
    else
      units.row(g).setConstant(log_variance(g, 0) / 2);
    Exp(absl::Span<Scalar>(units.row(g).data(), units.cols()));
  }
}

#define POE_INSTANTIATE(Scalar)                                            \
  template void GaussianFeatures<Scalar>(const Vector<double>&,            \
                                         const ConstRowMatrixRef<Scalar>&, \
                                         RowMatrixRef<double>);            \
  template class DiagonalGaussians<Scalar>;                                \
  template RowMatrix<Scalar> FeatureSums<Scalar>(                          \
      const ConstRowMatrixRef<Scalar>&, const ConstRowMatrixRef<Scalar>&,  \
      const Workers&);                                                     \
  template void MeanUnits<Scalar>(const ConstRowMatrixRef<Scalar>&,        \
                                  RowMatrixRef<Scalar>);
POE_INSTANTIATE(float)
POE_INSTANTIATE(double)
#undef POE_INSTANTIATE

}  // namespace poe
