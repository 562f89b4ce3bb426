#include "poe/experts/diagonal_gaussians.h"

#include <algorithm>
#include <type_traits>

#include "poe/numerics/constants.h"
#include "poe/numerics/elementwise.h"

namespace poe {
namespace {

constexpr Index kLeastFeatureRows = 32;
constexpr Index kLeastGaussians = 16;
// Up to so many rows are not shared among threads, but the Gaussians are.
constexpr Index kFewRows = 1024;
// Nothing is farther than this, so that squares times any precision stay finite
// in double.
constexpr double kFarthest = 1e100;
// Features that gradients sum are no greater than this, so that their sums stay
// finite.
template <typename Scalar>
constexpr Scalar kGreatestFeature =
    std::is_same_v<Scalar, float> ? 1e30 : 1e200;

// Gaussians whose columns are written at a time: a cache line of each row.
// Before that they lie in rows that are longer by as much, so that powers of
// two do not put a column into one set of the cache.
constexpr Index kTogether = 8;

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
    const Vector<double>& log_weight, const Workers& workers) {
  const Index size = mean.rows(), dimension = mean.cols();
  const bool circular = log_variance.cols() != dimension;
  centre_ = Vector<double>::Zero(dimension);
  for (Index g = 0; g < size; ++g)
    centre_ += mean.row(g).transpose().template cast<double>();
  centre_ /= static_cast<double>(size);
  distance_.resize(size, dimension);
  offset_ = log_weight;
  messages_.resize(size, 2 * dimension);
  quadratic_.Resize(2 * dimension, size);
  workers.ParallelFor(size, kLeastGaussians, [&](Index begin, Index end) {
    RowMatrix<double> columns(kTogether, 2 * dimension + kTogether);
    for (Index first = begin; first < end; first += kTogether) {
      const Index count = std::min(kTogether, end - first);
      for (Index k = 0; k < count; ++k) {
        const Index g = first + k;
        auto precision = columns.row(k).head(dimension).array();
        auto distance = columns.row(k).segment(dimension, dimension).array();
        if (circular)
          precision.setConstant(-static_cast<double>(log_variance(g, 0)));
        else
          precision = -log_variance.row(g).template cast<double>().array();
        // Sums of expressions, unlike those of memory, are taken in an order
        // that does not depend on the address.
        const double log_volume = (-precision).sum();
        Exp(absl::Span<double>(precision.data(), dimension));
        distance = mean.row(g).template cast<double>().array() -
                   centre_.transpose().array();
        offset_(g) -= (log_volume + static_cast<double>(dimension) * kLog2Pi +
                       (precision * distance.square()).sum()) /
                      2;
        distance_.row(g) = distance.template cast<Scalar>().matrix();
        messages_.row(g).head(dimension) =
            (precision * mean.row(g).template cast<double>().array())
                .template cast<Scalar>()
                .matrix();
        messages_.row(g).tail(dimension) =
            precision.template cast<Scalar>().matrix();
        distance *= precision;
        precision *= -0.5;
      }
      quadratic_.SetColumns(first, columns.topLeftCorner(count, 2 * dimension));
    }
  });
}

template <typename Scalar>
void DiagonalGaussians<Scalar>::LogDensities(
    const ConstRowMatrixRef<double>& features, const Workers& workers,
    RowMatrixRef<double> log_densities) const {
  const Index rows = features.rows();
  const auto compute = [&](Index row, Index count, Index begin, Index end) {
    auto block = log_densities.block(row, begin, count, end - begin);
    quadratic_.MultiplyRows(features.middleRows(row, count), begin, block);
    block.rowwise() += offset_.segment(begin, end - begin).transpose();
  };
  // Threads that took these Gaussians when they were updated have them at hand.
  if (rows <= kFewRows && size() >= 2 * kLeastGaussians)
    workers.ParallelFor(
        size(),
        std::max(kLeastGaussians,
                 size() * kLeastRows / std::max<Index>(rows, 1)),
        [&](Index begin, Index end) { compute(0, rows, begin, end); });
  else
    workers.ParallelFor(rows, kLeastRows, [&](Index begin, Index end) {
      compute(begin, end - begin, 0, size());
    });
}

template <typename Scalar>
Vector<double> DiagonalGaussians<Scalar>::AddGradient(
    const ConstRowMatrixRef<double>& features,
    const ConstRowMatrixRef<Scalar>& weights, const Workers& workers,
    RowMatrixRef<Scalar> mean_gradient,
    RowMatrixRef<Scalar> log_variance_gradient) const {
  const Index width = dimension();
  const bool circular = log_variance_gradient.cols() != width;
  Vector<double> total = Vector<double>::Zero(size());
  RowMatrix<Scalar> bounded(features.rows(), features.cols());
  workers.ParallelFor(features.rows(), kLeastFeatureRows,
                      [&](Index begin, Index end) {
                        bounded.middleRows(begin, end - begin) =
                            features.middleRows(begin, end - begin)
                                .cwiseMin(kGreatestFeature<Scalar>)
                                .cwiseMax(-kGreatestFeature<Scalar>)
                                .template cast<Scalar>();
                      });
  workers.ParallelFor(size(), kRowQuantum, [&](Index begin, Index end) {
    const Index count = end - begin;
    for (Index n = 0; n < weights.rows(); ++n)
      total.segment(begin, count) += weights.row(n)
                                         .segment(begin, count)
                                         .transpose()
                                         .template cast<double>();
    RowMatrix<Scalar> sums = RowMatrix<Scalar>::Zero(count, 2 * width);
    AddTransposedProduct<Scalar>(weights, bounded, begin, sums);
    Vector<double> of_mean(width), of_log_variance(width);
    for (Index g = begin; g < end; ++g) {
      const Scalar* squares = sums.row(g - begin).data();
      const Scalar* distances = squares + width;
      const Scalar* precision = messages_.row(g).data() + width;
      const Scalar* distance = distance_.row(g).data();
      const double share = total(g);
      // Of x - mu and (x - mu)^2, from sums about the centre.
      for (Index i = 0; i < width; ++i) {
        const double first = distances[i] - distance[i] * share;
        const double second = squares[i] - distance[i] * (distances[i] + first);
        of_mean(i) = precision[i] * first;
        of_log_variance(i) = (precision[i] * second - share) / 2;
      }
      mean_gradient.row(g) += of_mean.transpose().template cast<Scalar>();
      if (circular)
        log_variance_gradient(g, 0) +=
            static_cast<Scalar>(of_log_variance.sum());
      else
        log_variance_gradient.row(g) +=
            of_log_variance.transpose().template cast<Scalar>();
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
               const Workers& workers, RowMatrixRef<Scalar> units) {
  workers.ParallelFor(
      units.rows(), kLeastGaussians, [&](Index begin, Index end) {
        for (Index g = begin; g < end; ++g) {
          if (log_variance.cols() == units.cols())
            units.row(g) = log_variance.row(g) / 2;
          else
            units.row(g).setConstant(log_variance(g, 0) / 2);
          Exp(absl::Span<Scalar>(units.row(g).data(), units.cols()));
        }
      });
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
                                  const Workers&, RowMatrixRef<Scalar>);
POE_INSTANTIATE(float)
POE_INSTANTIATE(double)
#undef POE_INSTANTIATE

}  // namespace poe
