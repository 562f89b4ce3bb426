#include "poe/experts/train_gaussian_trees.h"

#include <cmath>
#include <utility>
#include <vector>

#include "Eigen/Cholesky"
#include "Eigen/Eigenvalues"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/experts/gaussian_tree_product.h"

namespace poe {
namespace {

constexpr double kLog2Pi = 1.8378770664093454836;

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
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(covariance);
  return solver.eigenvectors() *
         solver.eigenvalues().cwiseMax(0).cwiseSqrt().asDiagonal();
}

// The likelihood of fixed data under products that change.
template <typename Scalar>
class Likelihood {
 public:
  Likelihood(const Moments& data, const Workers& workers)
      : data_(data), workers_(workers) {
    const Index width = data.mean.size();
    points_ = MakeDense<Scalar>(4 * width, width);
    SetPoints(data.mean, SquareRoot(data.covariance), 0, points_.values);
    weights_.assign(4 * width, static_cast<Scalar>(0.5 / width));
    std::fill(weights_.begin() + 2 * width, weights_.end(),
              static_cast<Scalar>(-0.5 / width));
  }

  absl::StatusOr<TreeLikelihood<Scalar>> Compute(
      const Product<Scalar>& product) {
    const auto trees = GaussianTreeProduct<Scalar>::View(product);
    if (!trees.ok()) return trees.status();
    const std::vector<Index> states(trees->num_states().size(), 0);
    for (std::size_t m = 0; m < states.size(); ++m)
      if (trees->num_states()[m] > 1)
        return absl::FailedPreconditionError(
            absl::StrCat("expert ", m, " is a mixture; exact likelihoods are ",
                         "for products of single trees"));
    const Index width = trees->dimension();
    if (data_.mean.size() != width)
      return absl::InvalidArgumentError(
          absl::StrCat("the data have ", data_.mean.size(),
                       " columns but the product sees ", width));
    const auto natural = trees->Given(states);
    Eigen::MatrixXd precision = natural.precision.asDiagonal();
    for (std::size_t e = 0; e < trees->couplings().size(); ++e) {
      const auto [i, j] = trees->couplings()[e];
      precision(i, j) += natural.coupling(static_cast<Index>(e));
      precision(j, i) = precision(i, j);
    }
    const Eigen::LLT<Eigen::MatrixXd> factor(precision);
    if (factor.info() != Eigen::Success)
      return absl::InternalError(
          "the product's precision is too nearly singular to factor");
    const Vector<double> mean = factor.solve(natural.information);
    const double log_integral =
        (static_cast<double>(width) * kLog2Pi + natural.information.dot(mean)) /
            2 -
        factor.matrixLLT().diagonal().array().log().sum();
    TreeLikelihood<Scalar> result;
    result.mean_log_likelihood =
        natural.information.dot(data_.mean) -
        (precision.cwiseProduct(data_.covariance).sum() +
         data_.mean.dot(precision * data_.mean)) /
            2 -
        log_integral;
    const Eigen::MatrixXd root =
        factor.matrixU().solve(Eigen::MatrixXd::Identity(width, width));
    SetPoints<Scalar>(mean, root, 2 * width, points_.values);
    result.gradient = Gradient(product);
    return result;
  }

 private:
  // Mean over the data's points less mean over the product's.
  Vector<Scalar> Gradient(const Product<Scalar>& product) {
    Vector<Scalar> gradient = Vector<Scalar>::Zero(product.num_parameters());
    auto posteriors = product.NewPosteriors();
    product.Infer(points_, 1, workers_, posteriors);
    Index first = product.base().parameters().size();
    product.base().AddGradient(points_, weights_, gradient.head(first));
    for (std::size_t i = 0; i < product.num_groups(); ++i) {
      const Index size = product.group(i).parameters().size();
      product.group(i).AddGradient(points_, *posteriors[i], weights_, workers_,
                                   gradient.segment(first, size));
      first += size;
    }
    return gradient;
  }

  const Moments& data_;
  const Workers& workers_;
  Observations<Scalar> points_;  // 2 D of the data, 2 D of the product
  std::vector<Scalar> weights_;
};

}  // namespace

TreeTrainingSettings::TreeTrainingSettings() {
  optimizer.kind = OptimizerSettings::Kind::kAdam;
  optimizer.schedule = OptimizerSettings::Schedule::kCosine;
  optimizer.rate = 0.02;
}

template <typename Scalar>
absl::StatusOr<TreeLikelihood<Scalar>> ExactTreeLikelihood(
    const Product<Scalar>& product, const Moments& data,
    const Workers& workers) {
  return Likelihood<Scalar>(data, workers).Compute(product);
}

template <typename Scalar>
absl::StatusOr<TrainedTrees<Scalar>> TrainGaussianTrees(
    const Product<Scalar>& start, const Moments& data,
    const TreeTrainingSettings& settings, const Workers& workers) {
  const absl::Status status = Validate(settings.optimizer);
  if (!status.ok()) return status;
  if (settings.updates < 0)
    return absl::InvalidArgumentError(absl::StrCat(
        "updates is ", settings.updates, "; it must be at least 0"));
  Likelihood<Scalar> likelihood(data, workers);
  Product<Scalar> product = start;
  std::vector<Optimizer<Scalar>> optimizers(
      product.num_groups() + 1,
      Optimizer<Scalar>(settings.optimizer, settings.updates));
  TrainedTrees<Scalar> best = {start, -HUGE_VAL};
  for (int update = 0;; ++update) {
    const auto current = likelihood.Compute(product);
    if (!current.ok()) return current.status();
    if (current->mean_log_likelihood > best.mean_log_likelihood)
      best = {product, current->mean_log_likelihood};
    if (update == settings.updates) return best;
    Index first = product.base().parameters().size();
    optimizers[0].Step(update, 0, current->gradient.head(first), workers,
                       product.mutable_base());
    for (std::size_t i = 0; i < product.num_groups(); ++i) {
      const Index size = product.group(i).parameters().size();
      optimizers[i + 1].Step(update, 0, current->gradient.segment(first, size),
                             workers, product.mutable_group(i));
      first += size;
    }
  }
}

template absl::StatusOr<TreeLikelihood<float>> ExactTreeLikelihood<float>(
    const Product<float>&, const Moments&, const Workers&);
template absl::StatusOr<TreeLikelihood<double>> ExactTreeLikelihood<double>(
    const Product<double>&, const Moments&, const Workers&);
template absl::StatusOr<TrainedTrees<float>> TrainGaussianTrees<float>(
    const Product<float>&, const Moments&, const TreeTrainingSettings&,
    const Workers&);
template absl::StatusOr<TrainedTrees<double>> TrainGaussianTrees<double>(
    const Product<double>&, const Moments&, const TreeTrainingSettings&,
    const Workers&);

}  // namespace poe
