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

// Gaussians that gradients are computed for at a time.
constexpr Index kTogether = 8;

// to = from', a few rows and columns at a time: matrices that lie one way and
// the other are both passed along cache lines.
template <typename From, typename To>
void Transpose(const From& from, To&& to) {
  for (Index r = 0; r < from.rows(); r += kTogether) {
    const Index rows = std::min(kTogether, from.rows() - r);
    for (Index c = 0; c < from.cols(); c += kTogether) {
      const Index cols = std::min(kTogether, from.cols() - c);
      to.block(c, r, cols, rows) = from.block(r, c, rows, cols).transpose();
    }
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
  RowMatrix<double> precision = -log_variance.template cast<double>();
  Exp(absl::Span<double>(precision.data(), precision.size()));
  if (circular) precision = precision.col(0).replicate(1, dimension).eval();
  offset_ = log_weight;
  messages_.resize(size, 2 * dimension);
  for (Index g = 0; g < size; ++g) {
    const auto own = precision.row(g).array();
    const double log_volume =
        circular ? static_cast<double>(dimension) *
                       static_cast<double>(log_variance(g, 0))
                 : log_variance.row(g).template cast<double>().sum();
    offset_(g) -= (log_volume + static_cast<double>(dimension) * kLog2Pi +
                   (own * distance_.row(g).array().square()).sum()) /
                  2;
    messages_.row(g).head(dimension) =
        (own * mean.row(g).template cast<double>().array())
            .template cast<Scalar>()
            .matrix();
    messages_.row(g).tail(dimension) = precision.row(g).template cast<Scalar>();
  }
  quadratic_.resize(2 * dimension, size);
  Transpose(-precision / 2, quadratic_.topRows(dimension));
  Transpose(precision.cwiseProduct(distance_),
            quadratic_.bottomRows(dimension));
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
  const RowMatrix<Scalar> sums = FeatureSums<Scalar>(bounded, shares, workers);
  workers.ParallelFor(size(), kLeastGaussians, [&](Index begin, Index end) {
    RowMatrix<double> own(kTogether, 2 * dimension());
    for (Index g = begin; g < end; ++g) {
      if ((g - begin) % kTogether == 0) {
        const Index count = std::min(kTogether, end - g);
        Transpose(sums.middleCols(g, count).template cast<double>(),
                  own.topRows(count));
      }
      const auto of_g = own.row((g - begin) % kTogether).array();
      const auto squares = of_g.head(dimension());
      const auto distances = of_g.tail(dimension());
      const auto distance = distance_.row(g).array();
      const auto precision =
          messages_.row(g).tail(dimension()).template cast<double>().array();
      mean_gradient.row(g) += (precision * (distances - distance * total(g)))
                                  .template cast<Scalar>()
                                  .matrix();
      const auto of_log_variance =
          (precision *
               (squares - distance * (2 * distances - distance * total(g))) -
           total(g)) /
          2;
      if (circular)
        log_variance_gradient(g, 0) +=
            static_cast<Scalar>(of_log_variance.sum());
      else
        log_variance_gradient.row(g) +=
            of_log_variance.template cast<Scalar>().matrix();
    }
  });
  return total;
}

template <typename Scalar>
void DiagonalGaussians<Scalar>::AddMessages(
    absl::Span<const Index> gaussians, Scalar exponent,
    absl::Span<Scalar> information, absl::Span<Scalar> precision) const {
  // A few columns at a time, so that their sums stay in registers.
  constexpr Index kColumns = 64;
  const auto add = [&](Index first, absl::Span<Scalar> to) {
    Index begin = 0;
    for (; begin + kColumns <= dimension(); begin += kColumns) {
      using Columns = Eigen::Array<Scalar, kColumns, 1>;
      Columns sum = Columns::Zero();
      for (Index g : gaussians)
        sum +=
            Eigen::Map<const Columns>(messages_.row(g).data() + first + begin);
      sum *= exponent;
      Eigen::Map<Columns>(to.data() + begin) += sum;
    }
    for (; begin < dimension(); ++begin) {
      Scalar sum = 0;
      for (Index g : gaussians) sum += messages_(g, first + begin);
      sum *= exponent;
      to[begin] += sum;
    }
  };
  add(0, information);
  add(dimension(), precision);
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
