#include "poe/experts/diagonal_gaussians.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "poe/numerics/constants.h"
#include "poe/numerics/elementwise.h"

namespace poe {
namespace {

constexpr Index kLeastFeatureRows = 32;
constexpr Index kLeastGaussians = 16;
// Fewer values are not worth another thread to sum them.
constexpr Index kLeastSummands = 16384;
// Gaussians whose means are summed in one go.
constexpr Index kSummedTogether = 32;
// Up to so many rows are not shared among threads, but the Gaussians are, if
// every thread gets so many experts that one more or less does not matter. Of
// more, what one thread writes and the other reads would outweigh that.
constexpr Index kFewRows = 256;
constexpr Index kLeastExperts = 4;
// Rows whose features stay in the cache while all Gaussians see them.
constexpr Index kDensityRows = 64;
// Rows that a gradient is summed over at a time, which bounds its memory.
constexpr Index kGradientRows = 1024;
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
// By so much rows of messages are longer, for the same reason.
template <typename Scalar>
constexpr Index kPadding = 64 / sizeof(Scalar);

// The features of rows, brought within +-greatest.
template <typename Scalar, typename Feature>
void SetFeatures(const Vector<double>& centre,
                 const ConstRowMatrixRef<Scalar>& x, double greatest,
                 RowMatrixRef<Feature> features) {
  const Index dimension = centre.size();
  for (Index n = 0; n < x.rows(); ++n) {
    const Scalar* from = x.row(n).data();
    Feature* squares = features.row(n).data();
    Feature* distances = squares + dimension;
    for (Index i = 0; i < dimension; ++i) {
      const double distance = std::clamp(
          static_cast<double>(from[i]) - centre(i), -kFarthest, kFarthest);
      squares[i] =
          static_cast<Feature>(std::min(distance * distance, greatest));
      distances[i] =
          static_cast<Feature>(std::clamp(distance, -greatest, greatest));
    }
  }
}

}  // namespace

template <typename Scalar>
void GaussianFeatures(const Vector<double>& centre,
                      const ConstRowMatrixRef<Scalar>& x,
                      RowMatrixRef<double> features) {
  SetFeatures<Scalar, double>(centre, x, HUGE_VAL, features);
}

template <typename Scalar>
void DiagonalGaussians<Scalar>::Update(
    const ConstRowMatrixRef<Scalar>& mean,
    const ConstRowMatrixRef<Scalar>& log_variance,
    const Vector<double>& log_weight, const Workers& workers) {
  const Index size = mean.rows(), dimension = mean.cols();
  const bool circular = log_variance.cols() != dimension;
  // Summed by blocks of Gaussians, so that a thread reads those that it moved.
  const Index blocks = (size + kSummedTogether - 1) / kSummedTogether;
  RowMatrix<double> sums(blocks, dimension);
  workers.ForEachInRuns(
      blocks, kLeastSummands / (kSummedTogether * dimension), [&](Index b) {
        const Index first = b * kSummedTogether;
        const Index last = std::min(first + kSummedTogether, size);
        sums.row(b).setZero();
        for (Index g = first; g < last; ++g)
          sums.row(b) += mean.row(g).template cast<double>();
      });
  centre_ = Vector<double>::Zero(dimension);
  for (Index b = 0; b < blocks; ++b) centre_ += sums.row(b).transpose();
  centre_ /= static_cast<double>(size);
  distance_.resize(size, dimension);
  offset_ = log_weight;
  messages_.resize(size, 2 * dimension + kPadding<Scalar>);
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
        messages_.row(g).segment(dimension, dimension) =
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
    const ConstRowMatrixRef<Scalar>& x, Index first,
    RowMatrixRef<double> log_densities) const {
  const auto offset = offset_.segment(first, log_densities.cols());
  RowMatrix<double> features(std::min(kDensityRows, x.rows()), 2 * dimension());
  for (Index row = 0; row < x.rows(); row += kDensityRows) {
    const Index count = std::min(kDensityRows, x.rows() - row);
    auto block = log_densities.middleRows(row, count);
    GaussianFeatures<Scalar>(centre_, x.middleRows(row, count),
                             features.topRows(count));
    quadratic_.MultiplyRows(features.topRows(count), first, block);
    block.rowwise() += offset.transpose();
  }
}

template <typename Scalar>
Vector<double> DiagonalGaussians<Scalar>::AddGradient(
    const ConstRowMatrixRef<Scalar>& x, SetWeights set_weights,
    const Workers& workers, RowMatrixRef<Scalar> mean_gradient,
    RowMatrixRef<Scalar> log_variance_gradient) const {
  const Index width = dimension();
  const bool circular = log_variance_gradient.cols() != width;
  Vector<double> total = Vector<double>::Zero(size());
  workers.ParallelFor(size(), kRowQuantum, [&](Index begin, Index end) {
    const Index count = end - begin;
    const Index most_rows = std::min(kGradientRows, x.rows());
    RowMatrix<Scalar> all_weights(most_rows, count);
    RowMatrix<Scalar> all_features(most_rows, 2 * width);
    RowMatrix<Scalar> sums = RowMatrix<Scalar>::Zero(count, 2 * width);
    for (Index row = 0; row < x.rows(); row += kGradientRows) {
      const Index rows = std::min(kGradientRows, x.rows() - row);
      auto weights = all_weights.topRows(rows);
      auto features = all_features.topRows(rows);
      set_weights(row, begin, weights);
      for (Index n = 0; n < rows; ++n)
        total.segment(begin, count) +=
            weights.row(n).transpose().template cast<double>();
      SetFeatures<Scalar, Scalar>(centre_, x.middleRows(row, rows),
                                  kGreatestFeature<Scalar>, features);
      AddTransposedProduct<Scalar>(weights, features, 0, sums);
    }
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
void DiagonalGaussians<Scalar>::SumMessages(const RowMatrix<Index>& chosen,
                                            RowMatrixRef<Scalar> sums) const {
  // A few columns at a time, whose sums stay in registers and which, of some
  // hundred Gaussians, stay in the nearest cache.
  constexpr Index kColumns = 64;
  using Columns = Eigen::Array<Scalar, kColumns, 1>;
  const Index width = 2 * dimension();
  const auto gaussians_of = [&](Index n) {
    return absl::MakeConstSpan(chosen.row(n).data(),
                               static_cast<std::size_t>(chosen.cols()));
  };
  Index begin = 0;
  for (; begin + kColumns <= width; begin += kColumns)
    for (Index n = 0; n < chosen.rows(); ++n) {
      Columns sum = Columns::Zero();
      for (Index g : gaussians_of(n))
        sum += Eigen::Map<const Columns>(messages_.row(g).data() + begin);
      Eigen::Map<Columns>(sums.row(n).data() + begin) = sum;
    }
  for (; begin < width; ++begin)
    for (Index n = 0; n < chosen.rows(); ++n) {
      Scalar sum = 0;
      for (Index g : gaussians_of(n)) sum += messages_(g, begin);
      sums(n, begin) = sum;
    }
}

template <typename Scalar>
void DiagonalGaussians<Scalar>::AddMessages(
    const ConstRowMatrixRef<Scalar>& weights, RowMatrixRef<Scalar> information,
    RowMatrixRef<Scalar> precision) const {
  RowMatrix<Scalar> sums(weights.rows(), 2 * dimension());
  MultiplyRows<Scalar>(weights, messages(), sums);
  information += sums.leftCols(dimension());
  precision += sums.rightCols(dimension());
}

namespace {

// The first expert that begins at this Gaussian or behind it.
Index ExpertFrom(Index gaussian, Index components) {
  return (gaussian + components - 1) / components;
}

}  // namespace

Index FirstOfSecondHalf(Index experts, Index components) {
  return ExpertFrom(experts * components / kRowQuantum / 2 * kRowQuantum,
                    components);
}

bool SharesExperts(Index rows, Index experts, Index components,
                   const Workers& workers) {
  const Index threads = workers.threads();
  return threads > 1 && rows >= 2 * kLeastRows && rows <= kFewRows &&
         experts * components >= threads * kLeastGaussians &&
         experts >= threads * kLeastExperts;
}

void ShareGaussians(Index rows, Index experts, Index components,
                    const Workers& workers,
                    absl::FunctionRef<void(Index, Index, Index, Index)> body) {
  if (!SharesExperts(rows, experts, components, workers)) {
    workers.ParallelFor(rows, kLeastRows, [&](Index begin, Index end) {
      body(begin, end - begin, 0, experts);
    });
    return;
  }
  const Index gaussians = experts * components;
  // An expert whose Gaussians two threads take in Update is the first one's.
  workers.ParallelFor(gaussians,
                      std::max(kLeastGaussians, gaussians * kLeastRows / rows),
                      [&](Index begin, Index end) {
                        const Index first = ExpertFrom(begin, components);
                        const Index last = ExpertFrom(end, components);
                        if (first < last) body(0, rows, first, last - first);
                      });
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
void BoundLogVariances(double least, double greatest, const Workers& workers,
                       RowMatrixRef<Scalar> log_variance) {
  workers.ParallelFor(log_variance.rows(), kLeastGaussians,
                      [&](Index begin, Index end) {
                        auto part = log_variance.middleRows(begin, end - begin);
                        part = part.cwiseMax(static_cast<Scalar>(least))
                                   .cwiseMin(static_cast<Scalar>(greatest));
                      });
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
  template void BoundLogVariances<Scalar>(double, double, const Workers&,  \
                                          RowMatrixRef<Scalar>);           \
  template void MeanUnits<Scalar>(const ConstRowMatrixRef<Scalar>&,        \
                                  const Workers&, RowMatrixRef<Scalar>);
POE_INSTANTIATE(float)
POE_INSTANTIATE(double)
#undef POE_INSTANTIATE

}  // namespace poe
