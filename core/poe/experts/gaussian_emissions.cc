#include "poe/experts/gaussian_emissions.h"

#include <algorithm>
#include <cmath>

namespace poe {
namespace {

constexpr double kLog2Pi = 1.8378770664093454836;
constexpr Index kLeastColumns = 32;
// Distances whose squares, times any precision, still are finite.
constexpr double kFarthest = 1e100;

// (x - c)^2, x - c: frames x 2D.
template <typename Scalar>
RowMatrix<double> Features(const Vector<double>& centre,
                           const ConstRowMatrixRef<Scalar>& x) {
  const Index coordinates = x.cols();
  RowMatrix<double> features(x.rows(), 2 * coordinates);
  for (Index f = 0; f < x.rows(); ++f) {
    for (Index i = 0; i < coordinates; ++i) {
      const double distance = std::clamp(
          static_cast<double>(x(f, i)) - centre(i), -kFarthest, kFarthest);
      features(f, i) = distance * distance;
      features(f, coordinates + i) = distance;
    }
  }
  return features;
}

}  // namespace

template <typename Scalar>
WeightedMoments MomentsAbout(const Vector<double>& centre,
                             const RowMatrix<Scalar>& x,
                             const RowMatrix<double>& weights,
                             const Workers& workers) {
  const Index coordinates = x.cols();
  const RowMatrix<double> features = Features<Scalar>(centre, x);
  RowMatrix<double> sums =
      RowMatrix<double>::Zero(2 * coordinates, weights.cols());
  workers.ParallelFor(
      2 * coordinates, kLeastColumns, [&](Index begin, Index end) {
        AddTransposedProduct<double>(features, weights, begin,
                                     sums.middleRows(begin, end - begin));
      });
  return {weights.colwise().sum().transpose(),
          sums.bottomRows(coordinates).transpose(),
          sums.topRows(coordinates).transpose()};
}

template <typename Scalar>
void GaussianEmissions<Scalar>::Set(
    const ConstRowMatrixRef<Scalar>& mean,
    const ConstRowMatrixRef<Scalar>& log_variance) {
  const Index states = mean.rows(), coordinates = mean.cols();
  const RowMatrix<double> means = mean.template cast<double>();
  centre_ = means.colwise().mean();
  distance_ = means.rowwise() - centre_.transpose();
  quadratic_.resize(2 * coordinates, states);
  offset_.resize(states);
  information_.resize(states, coordinates);
  precision_.resize(states, coordinates);
  for (Index k = 0; k < states; ++k) {
    double offset = 0;
    for (Index i = 0; i < coordinates; ++i) {
      const double s = log_variance(k, i);
      const double precision = std::exp(-s);
      const double distance = distance_(k, i);
      quadratic_(i, k) = -precision / 2;
      quadratic_(coordinates + i, k) = precision * distance;
      offset -= (s + kLog2Pi + precision * distance * distance) / 2;
      information_(k, i) = static_cast<Scalar>(precision * means(k, i));
      precision_(k, i) = static_cast<Scalar>(precision);
    }
    offset_(k) = offset;
  }
}

template <typename Scalar>
void GaussianEmissions<Scalar>::LogDensities(
    const ConstRowMatrixRef<Scalar>& x,
    RowMatrixRef<double> log_densities) const {
  MultiplyRows<double>(Features<Scalar>(centre_, x), quadratic_, log_densities);
  for (Index f = 0; f < log_densities.rows(); ++f)
    log_densities.row(f) += offset_.transpose();
}

template <typename Scalar>
void GaussianEmissions<Scalar>::AddGradient(
    const RowMatrix<Scalar>& x, const RowMatrix<double>& weights,
    const Workers& workers, RowMatrixRef<Scalar> mean_gradient,
    RowMatrixRef<Scalar> log_variance_gradient) const {
  const WeightedMoments sums = MomentsAbout(centre_, x, weights, workers);
  for (Index k = 0; k < distance_.rows(); ++k) {
    const double total = sums.total(k);
    for (Index i = 0; i < distance_.cols(); ++i) {
      const double precision = -2 * quadratic_(i, k);
      const double distance = distance_(k, i);
      const double first = sums.first(k, i) - distance * total;
      const double second = sums.second(k, i) -
                            2 * distance * sums.first(k, i) +
                            distance * distance * total;
      mean_gradient(k, i) += static_cast<Scalar>(precision * first);
      log_variance_gradient(k, i) +=
          static_cast<Scalar>((precision * second - total) / 2);
    }
  }
}

#define POE_INSTANTIATE(Scalar)                        \
  template WeightedMoments MomentsAbout<Scalar>(       \
      const Vector<double>&, const RowMatrix<Scalar>&, \
      const RowMatrix<double>&, const Workers&);       \
  template class GaussianEmissions<Scalar>;
POE_INSTANTIATE(float)
POE_INSTANTIATE(double)
#undef POE_INSTANTIATE

}  // namespace poe
