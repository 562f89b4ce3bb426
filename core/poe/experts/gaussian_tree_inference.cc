// What a pass of inference leaves behind, and all that is read off it.
#include <algorithm>
#include <cmath>

#include "poe/experts/components.h"
#include "poe/experts/forest.h"
#include "poe/experts/gaussian_tree.h"

namespace poe {
namespace {

// Rows go in blocks of this many, whose columns are contiguous.
constexpr Index kBlock = 8;
constexpr Index kLeastBlocks = 4;
constexpr Index kLeastParameters = 16;
// Residuals further out count as this far, so that their squares are finite.
constexpr double kFarthest = 1e140;

using Lanes = Eigen::Array<double, kBlock, 1>;

struct Shares : Posterior {
  // Columns b D .. b D + D - 1 are the coordinates of the rows of block b.
  Eigen::Array<double, kBlock, Eigen::Dynamic> columns;
  RowMatrix<double> values;      // PaddedRows(N) x M S: P(z | x)
  RowMatrix<double> log_scores;  // PaddedRows(N) x M: log f(x)
  double scale = 1;              // power x inverse temperature
  Index size = 0;                // N
};

const Shares& SharesOf(const Posterior& posterior) {
  return static_cast<const Shares&>(posterior);
}

Index NumBlocks(Index rows) { return (rows + kBlock - 1) / kBlock; }

// A NaN, which only overflow could have made, is far away as well.
double Limited(double value) {
  value = value < kFarthest ? value : kFarthest;
  return value > -kFarthest ? value : -kFarthest;
}

// x_i - w x_pa(i) - b for the rows of one block.
template <typename Block>
Lanes Residual(const Block& columns, Index i, std::int32_t parent,
               double weight, double offset) {
  Lanes residual = columns.col(i) - offset;
  if (parent != kNoParent) residual -= weight * columns.col(parent);
  for (double& value : residual) value = Limited(value);
  return residual;
}

}  // namespace

template <typename Scalar>
std::unique_ptr<Posterior> GaussianTree<Scalar>::NewPosterior() const {
  return std::make_unique<Shares>();
}

template <typename Scalar>
void GaussianTree<Scalar>::Infer(const Observations<Scalar>& x, Scalar beta,
                                 const Workers& workers,
                                 Posterior& posterior) const {
  auto& shares = static_cast<Shares&>(posterior);
  const Index rows = x.values.rows(), width = dimension();
  const Index states = num_states();
  shares.size = x.size;
  shares.scale = static_cast<double>(power_) * beta;
  shares.columns.resize(kBlock, NumBlocks(rows) * width);
  shares.values.resize(rows, num_experts() * states);
  shares.log_scores.resize(rows, num_experts());
  const RowMatrix<double> weight = this->block(0).template cast<double>();
  const RowMatrix<double> offset = this->block(1).template cast<double>();
  workers.ParallelFor(
      NumBlocks(rows), kLeastBlocks, [&](Index begin, Index end) {
        for (Index b = begin; b < end; ++b) {
          auto columns = shares.columns.middleCols(b * width, width);
          const Index used = std::min(kBlock, rows - b * kBlock);
          if (used < kBlock) columns.setZero();
          for (Index n = 0; n < used; ++n)
            for (Index i = 0; i < width; ++i)
              columns(n, i) =
                  Limited(static_cast<double>(x.values(b * kBlock + n, i)));
          for (Index m = 0; m < num_experts(); ++m) {
            for (Index k = 0; k < states; ++k) {
              Lanes value = Lanes::Constant(log_mixing_(m, k));
              if (k < num_trees_) {
                const Index t = m * num_trees_ + k;
                Lanes distance = Lanes::Zero();
                for (Index i = 0; i < width; ++i)
                  distance += inverse_variance_(t, i) *
                              Residual(columns, i, parents_[t * width + i],
                                       weight(t, i), offset(t, i))
                                  .square();
                value += log_peak_(t) - distance / 2;
              }
              value *= shares.scale;
              for (Index n = 0; n < used; ++n)
                shares.values(b * kBlock + n, m * states + k) = value(n);
            }
          }
          NormalizeComponents(shares.values.middleRows(b * kBlock, used),
                              shares.log_scores.middleRows(b * kBlock, used));
        }
      });
}

template <typename Scalar>
void GaussianTree<Scalar>::AddLogScores(const Posterior& posterior,
                                        absl::Span<double> log_scores) const {
  const Shares& shares = SharesOf(posterior);
  for (Index n = 0; n < shares.size; ++n)
    for (Index m = 0; m < num_experts(); ++m)
      log_scores[n] += shares.log_scores(n, m);
}

template <typename Scalar>
void GaussianTree<Scalar>::ExpertLogScores(
    const Posterior& posterior, RowMatrixRef<double> log_scores) const {
  const Index size = SharesOf(posterior).size;
  log_scores.topRows(size) = SharesOf(posterior).log_scores.topRows(size);
}

template <typename Scalar>
void GaussianTree<Scalar>::AddSampledMessages(
    const Observations<Scalar>& x, const Posterior& posterior,
    const Draws& draws, const Workers& workers,
    Messages<Scalar>& messages) const {
  const Shares& shares = SharesOf(posterior);
  const Index width = dimension(), states = num_states();
  const auto scaled = [&](const RowMatrix<double>& message) {
    return RowMatrix<Scalar>((shares.scale * message).template cast<Scalar>());
  };
  const RowMatrix<Scalar> information = scaled(information_);
  const RowMatrix<Scalar> precision = scaled(precision_);
  const RowMatrix<Scalar> coupling = scaled(coupling_);
  workers.ParallelFor(x.size, kBlock, [&](Index begin, Index end) {
    std::vector<Index> chosen(num_experts());
    for (Index n = begin; n < end; ++n) {
      DrawComponents(draws, x.row_ids[n], 0,
                     absl::MakeConstSpan(shares.values.row(n).data(),
                                         shares.values.cols()),
                     absl::MakeSpan(chosen));
      for (Index m = 0; m < num_experts(); ++m) {
        const Index k = chosen[m] - m * states;
        if (k == num_trees_) continue;
        const Index t = m * num_trees_ + k;
        messages.linear.row(n) += information.row(t);
        messages.precision.row(n) += precision.row(t);
        auto own = messages.coupling.row(n).segment(
            messages.first_coupling, static_cast<Index>(couplings_.size()));
        for (Index i = 0; i < width; ++i)
          if (column_[t * width + i] >= 0)
            own(column_[t * width + i]) += coupling(t, i);
      }
    }
  });
}

template <typename Scalar>
void GaussianTree<Scalar>::AddGradient(
    const Observations<Scalar>& x, const Posterior& posterior,
    absl::Span<const Scalar> weights, const Workers& workers,
    Eigen::Ref<Vector<Scalar>> gradient) const {
  const Shares& shares = SharesOf(posterior);
  const Index width = dimension(), states = num_states();
  const Index blocks = NumBlocks(shares.values.rows());
  // Row m S + k: the share of state k of expert m, times the row's weight and
  // the exponent.
  RowMatrix<double> weighted =
      RowMatrix<double>::Zero(shares.values.cols(), blocks * kBlock);
  double total_weight = 0;
  for (Index n = 0; n < x.size; ++n) {
    const double weight = shares.scale * weights[n];
    total_weight += weight;
    weighted.col(n) = weight * shares.values.row(n).transpose();
  }
  auto weight_gradient = this->BlockOf(gradient, 0);
  auto offset_gradient = this->BlockOf(gradient, 1);
  auto log_variance_gradient = this->BlockOf(gradient, 2);
  auto logit_gradient = this->BlockOf(gradient, 3);
  const RowMatrix<double> weight = this->block(0).template cast<double>();
  const RowMatrix<double> offset = this->block(1).template cast<double>();
  workers.ParallelFor(
      weight.size(), kLeastParameters, [&](Index begin, Index end) {
        // Sums over rows of share times residual, residual x_pa, residual^2.
        std::vector<Lanes> first(end - begin, Lanes::Zero());
        std::vector<Lanes> product = first, second = first, total = first;
        for (Index b = 0; b < blocks; ++b) {
          const auto columns = shares.columns.middleCols(b * width, width);
          for (Index p = begin; p < end; ++p) {
            const Index t = p / width, i = p % width;
            const std::int32_t parent = parents_[p];
            const Lanes share =
                weighted.row(t / num_trees_ * states + t % num_trees_)
                    .template segment<kBlock>(b * kBlock)
                    .transpose()
                    .array();
            const Lanes residual =
                Residual(columns, i, parent, weight(t, i), offset(t, i));
            const Lanes pull = share * residual;
            first[p - begin] += pull;
            second[p - begin] += pull * residual;
            total[p - begin] += share;
            if (parent != kNoParent)
              product[p - begin] += pull * columns.col(parent);
          }
        }
        for (Index p = begin; p < end; ++p) {
          const Index t = p / width, i = p % width;
          const double precision = inverse_variance_(t, i);
          weight_gradient(t, i) +=
              static_cast<Scalar>(precision * product[p - begin].sum());
          offset_gradient(t, i) +=
              static_cast<Scalar>(precision * first[p - begin].sum());
          log_variance_gradient(t, i) += static_cast<Scalar>(
              (precision * second[p - begin].sum() - total[p - begin].sum()) /
              2);
        }
      });
  for (Index m = 0; m < num_experts(); ++m)
    for (Index k = 0; k < states; ++k)
      logit_gradient(m, k) +=
          static_cast<Scalar>(weighted.row(m * states + k).sum() -
                              std::exp(log_mixing_(m, k)) * total_weight);
}

template <typename Scalar>
void GaussianTree<Scalar>::HiddenProbabilities(
    const Posterior& posterior, RowMatrixRef<Scalar> probabilities) const {
  if (num_hidden() == 0) return;
  const RowMatrix<double>& shares = SharesOf(posterior).values;
  for (Index n = 0; n < shares.rows(); ++n)
    for (Index m = 0; m < num_experts(); ++m)
      probabilities.row(n).segment(m * num_trees_, num_trees_) =
          shares.row(n)
              .segment(m * num_states(), num_trees_)
              .template cast<Scalar>();
}

template <typename Scalar>
void GaussianTree<Scalar>::AddMessages(const ConstRowMatrixRef<Scalar>& states,
                                       const Workers& workers,
                                       Messages<Scalar>& messages) const {
  if (num_hidden() == 0) return;
  const Index trees = num_hidden(), width = dimension();
  // What each tree says: information, diagonal of the precision, couplings.
  RowMatrix<Scalar> said = RowMatrix<Scalar>::Zero(
      trees, 2 * width + static_cast<Index>(couplings_.size()));
  said.leftCols(width) = information_.template cast<Scalar>();
  said.middleCols(width, width) = precision_.template cast<Scalar>();
  for (Index t = 0; t < trees; ++t)
    for (Index i = 0; i < width; ++i)
      if (const Index column = column_[t * width + i]; column >= 0)
        said(t, 2 * width + column) = static_cast<Scalar>(coupling_(t, i));
  said *= power_;
  workers.ParallelFor(states.rows(), kBlock, [&](Index begin, Index end) {
    const Index count = end - begin;
    RowMatrix<Scalar> sums(count, said.cols());
    MultiplyRows<Scalar>(states.middleRows(begin, count), said, sums);
    messages.linear.middleRows(begin, count) += sums.leftCols(width);
    messages.precision.middleRows(begin, count) +=
        sums.middleCols(width, width);
    messages.coupling.block(begin, messages.first_coupling, count,
                            sums.cols() - 2 * width) +=
        sums.rightCols(sums.cols() - 2 * width);
  });
}

template class GaussianTree<float>;
template class GaussianTree<double>;

}  // namespace poe
