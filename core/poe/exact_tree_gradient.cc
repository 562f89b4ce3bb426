#include "poe/exact_tree_gradient.h"

#include <algorithm>
#include <cmath>

#include "Eigen/Cholesky"
#include "absl/strings/str_cat.h"
#include "poe/experts/gaussian_tree_product.h"
#include "poe/numerics/moments.h"
#include "poe/numerics/symmetric_eigen.h"

namespace poe {
namespace {

// Rows mean +- sqrt(D) c for the columns c of `root`, D x D: their moments are
// the mean and root root'. A gradient that is quadratic in x has the same mean
// over them as over any data with these moments.
template <typename Scalar>
void SetPoints(const Vector<double>& mean, const RowMatrix<double>& root,
               Index first, RowMatrix<Scalar>& values) {
  const Index width = mean.size();
  const double reach = std::sqrt(static_cast<double>(width));
  for (Index i = 0; i < width; ++i) {
    const Vector<double> step = reach * root.col(i);
    values.row(first + 2 * i) =
        (mean + step).transpose().template cast<Scalar>();
    values.row(first + 2 * i + 1) =
        (mean - step).transpose().template cast<Scalar>();
  }
}

RowMatrix<double> SquareRoot(const RowMatrix<double>& covariance) {
  const SymmetricEigen eigen = EigenOf(covariance);
  return eigen.vectors * eigen.values.cwiseMax(0).cwiseSqrt().asDiagonal();
}

}  // namespace

template <typename Scalar>
ExactTreeGradient<Scalar>::ExactTreeGradient(
    const Product<Scalar>& product, absl::Span<const std::uint8_t> inputs)
    : GradientEstimate<Scalar>(product) {
  const Index width = product.dimension();
  for (Index i = 0; i < width; ++i) {
    const bool is_input = !inputs.empty() && inputs[i] != 0;
    (is_input ? inputs_ : outputs_).push_back(i);
  }
  points_ = MakeDense<Scalar>(4 * width, width);
  const auto share = static_cast<Scalar>(0.5 / static_cast<double>(width));
  weights_.assign(4 * width, share);
  std::fill(weights_.begin() + 2 * width, weights_.end(), -share);
}

template <typename Scalar>
absl::Status ExactTreeGradient<Scalar>::ComputeGradient(
    const Observations<Scalar>& data, absl::Span<const Scalar> weights,
    const Workers& workers) {
  const std::vector<double> row_weights(weights.begin(), weights.end());
  const auto moments =
      WeightedMoments<Scalar>(data.values.topRows(data.size), row_weights);
  if (!moments.ok()) return moments.status();
  SetPoints(moments->mean, SquareRoot(moments->covariance), 0, points_.values);
  if (!inputs_.empty()) {
    input_mean_ = moments->mean(inputs_);
    const RowMatrix<double> covariance = moments->covariance(inputs_, inputs_);
    input_root_ = SquareRoot(covariance);
  }
  return ComputeGradient(workers);
}

template <typename Scalar>
absl::Status ExactTreeGradient<Scalar>::ComputeGradient(
    const Workers& workers) {
  const Product<Scalar>& product = this->product();
  const auto trees = GaussianTreeProduct<Scalar>::View(product);
  if (!trees.ok()) return trees.status();
  const std::vector<Index> states(trees->num_states().size(), 0);
  for (std::size_t m = 0; m < states.size(); ++m)
    if (trees->num_states()[m] > 1)
      return absl::FailedPreconditionError(
          absl::StrCat("expert ", m, " is a mixture; exact gradients are ",
                       "for products of single trees"));
  const auto natural = trees->Given(states);
  Eigen::MatrixXd precision = natural.precision.asDiagonal();
  for (std::size_t e = 0; e < trees->couplings().size(); ++e) {
    const auto [i, j] = trees->couplings()[e];
    precision(i, j) += natural.coupling(static_cast<Index>(e));
    precision(j, i) = precision(i, j);
  }
  const Eigen::MatrixXd free = precision(outputs_, outputs_);
  const Eigen::LLT<Eigen::MatrixXd> factor(free);
  if (factor.info() != Eigen::Success)
    return absl::InternalError(
        "the product's precision is too nearly singular to factor");
  const Vector<double> information = natural.information(outputs_);
  const Vector<double> free_mean = factor.solve(information);
  const Eigen::MatrixXd free_root = factor.matrixU().solve(
      Eigen::MatrixXd::Identity(free.rows(), free.cols()));
  const Index width = trees->dimension();
  Vector<double> mean(width);
  RowMatrix<double> root = RowMatrix<double>::Zero(width, width);
  mean(outputs_) = free_mean;
  root(outputs_, outputs_) = free_root;
  // Inputs are as in the data, and outputs given them have the precision J_oo
  // and the mean J_oo^-1 (h_o - J_oi x_i).
  if (!inputs_.empty()) {
    const Eigen::MatrixXd cross = precision(outputs_, inputs_);
    const Eigen::MatrixXd response = -factor.solve(cross);
    mean(inputs_) = input_mean_;
    mean(outputs_) += response * input_mean_;
    root(inputs_, inputs_) = input_root_;
    root(outputs_, inputs_) = response * input_root_;
  }
  SetPoints<Scalar>(mean, root, 2 * width, points_.values);
  auto posteriors = product.NewPosteriors();
  product.Infer(points_, 1, workers, posteriors);
  this->SetZero(workers);
  this->Add(points_, posteriors, weights_, workers);
  return absl::OkStatus();
}

template class ExactTreeGradient<float>;
template class ExactTreeGradient<double>;

}  // namespace poe
