#include "poe/opinion_pool.h"

#include <algorithm>
#include <cmath>

#include "Eigen/Cholesky"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/numerics/constants.h"
#include "poe/numerics/elementwise.h"

namespace poe {
namespace {

// How far sums may be from 1.
constexpr double kRounding = 1e-9;
constexpr int kMostSteps = 100'000;
// Of the objective, by concavity, when learning of weights ends.
constexpr double kGap = 1e-8;

absl::Status CheckShares(absl::Span<const double> shares, Index size,
                         absl::string_view what) {
  if (static_cast<Index>(shares.size()) != size)
    return absl::InvalidArgumentError(absl::StrCat(
        "there are ", shares.size(), " ", what, "; must be ", size));
  double sum = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    if (!(shares[i] >= 0))
      return absl::InvalidArgumentError(absl::StrCat(
          what, "[", i, "] is ", shares[i], "; they must be at least 0"));
    sum += shares[i];
  }
  if (!(std::abs(sum - 1) <= kRounding))
    return absl::InvalidArgumentError(
        absl::StrCat("the ", what, " sum to ", sum, "; they must sum to 1"));
  return absl::OkStatus();
}

absl::Status CheckListed(const RowMatrix<double>& opinions) {
  if (opinions.size() == 0)
    return absl::InvalidArgumentError("there are no opinions");
  for (Index m = 0; m < opinions.rows(); ++m) {
    const double log_sum =
        LogSumExp(absl::MakeConstSpan(opinions.row(m).data(), opinions.cols()));
    if (!(std::abs(log_sum) <= kRounding))
      return absl::InvalidArgumentError(
          absl::StrCat("the probabilities of opinion ", m, " sum to ",
                       std::exp(log_sum), "; they must sum to 1"));
  }
  return absl::OkStatus();
}

// log q(x) = constant + information.x - x.precision.x / 2.
struct NaturalGaussian {
  double constant = 0;
  Vector<double> information;
  RowMatrix<double> precision;
};

// Fails where the precision is not positive definite.
absl::StatusOr<double> LogDeterminant(const Eigen::LLT<Eigen::MatrixXd>& factor,
                                      absl::string_view name) {
  if (factor.info() != Eigen::Success)
    return absl::InvalidArgumentError(
        absl::StrCat("the precision of ", name, " is not positive definite"));
  return 2 * factor.matrixLLT().diagonal().array().log().sum();
}

absl::StatusOr<std::vector<NaturalGaussian>> Natural(
    absl::Span<const GaussianOpinion> opinions) {
  if (opinions.empty())
    return absl::InvalidArgumentError("there are no opinions");
  const Index dimension = opinions[0].mean.size();
  std::vector<NaturalGaussian> natural;
  for (std::size_t m = 0; m < opinions.size(); ++m) {
    const auto& [mean, precision] = opinions[m];
    if (mean.size() != dimension || precision.rows() != dimension ||
        precision.cols() != dimension)
      return absl::InvalidArgumentError(
          absl::StrCat("opinion ", m, " is not of dimension ", dimension,
                       ", that of the first"));
    const Eigen::LLT<Eigen::MatrixXd> factor(precision);
    const auto determinant =
        LogDeterminant(factor, absl::StrCat("opinion ", m));
    if (!determinant.ok()) return determinant.status();
    NaturalGaussian& one = natural.emplace_back();
    one.information = precision * mean;
    one.precision = precision;
    one.constant = (*determinant - static_cast<double>(dimension) * kLog2Pi -
                    mean.dot(one.information)) /
                   2;
  }
  return natural;
}

GaussianPool Pool(absl::Span<const NaturalGaussian> natural,
                  absl::Span<const double> weights) {
  NaturalGaussian sum = natural[0];
  sum.constant = 0;
  sum.information.setZero();
  sum.precision.setZero();
  for (std::size_t m = 0; m < natural.size(); ++m) {
    sum.constant += weights[m] * natural[m].constant;
    sum.information += weights[m] * natural[m].information;
    sum.precision += weights[m] * natural[m].precision;
  }
  const Eigen::LLT<Eigen::MatrixXd> factor(sum.precision);
  GaussianPool pool;
  pool.pool.mean = factor.solve(sum.information);
  pool.pool.precision = sum.precision;
  const auto dimension = static_cast<double>(sum.information.size());
  pool.log_partition =
      sum.constant +
      (dimension * kLog2Pi + pool.pool.mean.dot(sum.information)) / 2 -
      factor.matrixLLT().diagonal().array().log().sum();
  return pool;
}

// E[log q_m] under a distribution of this mean and covariance.
Vector<double> MeanLog(absl::Span<const NaturalGaussian> natural,
                       const Vector<double>& mean,
                       const RowMatrix<double>& covariance) {
  const RowMatrix<double> second = covariance + mean * mean.transpose();
  Vector<double> means(static_cast<Index>(natural.size()));
  for (std::size_t m = 0; m < natural.size(); ++m)
    means(static_cast<Index>(m)) =
        natural[m].constant + natural[m].information.dot(mean) -
        natural[m].precision.cwiseProduct(second).sum() / 2;
  return means;
}

// Maximizes weights.data - log Z(weights) by exponentiated gradients.
// `evaluate` gives log Z and E_p[log q_m], its gradient. At `weights` the
// maximum is less than the greatest entry of the gradient less its mean away.
template <typename Evaluate>
absl::StatusOr<std::vector<double>> Learn(const Vector<double>& data,
                                          InterruptCheck check,
                                          Evaluate evaluate) {
  const auto size = static_cast<std::size_t>(data.size());
  std::vector<double> weights(size, 1.0 / static_cast<double>(size));
  auto objective = [&](absl::Span<const double> at, Vector<double>& gradient) {
    Vector<double> of_model;
    const double log_partition = evaluate(at, of_model);
    gradient = data - of_model;
    return Eigen::Map<const Vector<double>>(at.data(), data.size()).dot(data) -
           log_partition;
  };
  Vector<double> gradient;
  double value = objective(weights, gradient);
  double rate = 1;
  for (int step = 0; step < kMostSteps; ++step) {
    if (absl::Status status = check(); !status.ok()) return status;
    const Eigen::Map<const Vector<double>> now(weights.data(), data.size());
    if (gradient.maxCoeff() - now.dot(gradient) < kGap) break;
    std::vector<double> next(size);
    double sum = 0;
    for (std::size_t m = 0; m < size; ++m) {
      const double climb =
          gradient(static_cast<Index>(m)) - gradient.maxCoeff();
      sum += next[m] = weights[m] * std::exp(rate * climb);
    }
    for (double& weight : next) weight /= sum;
    Vector<double> next_gradient;
    const double next_value = objective(next, next_gradient);
    if (next_value < value) {
      rate /= 2;
      if (rate < 1e-12) break;
      continue;
    }
    rate *= 1.25;
    value = next_value;
    weights = std::move(next);
    gradient = std::move(next_gradient);
  }
  return weights;
}

ListedPool Pool(const RowMatrix<double>& opinions,
                absl::Span<const double> weights) {
  ListedPool pool;
  pool.log_probabilities = Vector<double>::Zero(opinions.cols());
  // A weight of 0 leaves nothing of what has no probability.
  for (Index m = 0; m < opinions.rows(); ++m)
    if (weights[m] > 0)
      pool.log_probabilities += weights[m] * opinions.row(m).transpose();
  pool.log_partition = LogSumExp(absl::MakeConstSpan(
      pool.log_probabilities.data(), pool.log_probabilities.size()));
  pool.log_probabilities.array() -= pool.log_partition;
  return pool;
}

// sum_s shares[s] log q_m(s); states without a share do not count.
Vector<double> MeanLog(const RowMatrix<double>& opinions,
                       const Vector<double>& shares) {
  Vector<double> means = Vector<double>::Zero(opinions.rows());
  for (Index s = 0; s < opinions.cols(); ++s)
    if (shares(s) > 0) means += shares(s) * opinions.col(s);
  return means;
}

}  // namespace

absl::Status CheckPoolWeights(absl::Span<const double> weights,
                              Index opinions) {
  return CheckShares(weights, opinions, "weights");
}

absl::StatusOr<ListedPool> PoolListed(const RowMatrix<double>& opinions,
                                      absl::Span<const double> weights) {
  if (absl::Status status = CheckListed(opinions); !status.ok()) return status;
  if (absl::Status status = CheckPoolWeights(weights, opinions.rows());
      !status.ok())
    return status;
  ListedPool pool = Pool(opinions, weights);
  if (!std::isfinite(pool.log_partition))
    return absl::InvalidArgumentError(
        "no state has a probability under all opinions");
  return pool;
}

absl::StatusOr<std::vector<double>> LearnListedWeights(
    const RowMatrix<double>& opinions, absl::Span<const double> shares) {
  if (absl::Status status = CheckListed(opinions); !status.ok()) return status;
  if (absl::Status status = CheckShares(shares, opinions.cols(), "shares");
      !status.ok())
    return status;
  const Eigen::Map<const Vector<double>> of_data(shares.data(),
                                                 opinions.cols());
  const Vector<double> data = MeanLog(opinions, of_data);
  if (!data.allFinite())
    return absl::InvalidArgumentError(
        "an opinion gives no probability to a state that occurs");
  return Learn(data, NeverInterrupt,
               [&](absl::Span<const double> weights, Vector<double>& of_model) {
                 const ListedPool pool = Pool(opinions, weights);
                 of_model =
                     MeanLog(opinions, pool.log_probabilities.array().exp());
                 return pool.log_partition;
               });
}

absl::StatusOr<GaussianPool> PoolGaussians(
    absl::Span<const GaussianOpinion> opinions,
    absl::Span<const double> weights) {
  const auto natural = Natural(opinions);
  if (!natural.ok()) return natural.status();
  if (absl::Status status =
          CheckPoolWeights(weights, static_cast<Index>(opinions.size()));
      !status.ok())
    return status;
  return Pool(*natural, weights);
}

absl::StatusOr<std::vector<double>> LearnGaussianWeights(
    absl::Span<const GaussianOpinion> opinions, const Vector<double>& mean,
    const RowMatrix<double>& covariance, InterruptCheck check) {
  const auto natural = Natural(opinions);
  if (!natural.ok()) return natural.status();
  const Index dimension = opinions[0].mean.size();
  if (mean.size() != dimension || covariance.rows() != dimension ||
      covariance.cols() != dimension)
    return absl::InvalidArgumentError(
        absl::StrCat("mean and covariance of the data are not of dimension ",
                     dimension, ", that of the opinions"));
  return Learn(
      MeanLog(*natural, mean, covariance), check,
      [&](absl::Span<const double> weights, Vector<double>& of_model) {
        const GaussianPool pool = Pool(*natural, weights);
        const Eigen::MatrixXd identity =
            Eigen::MatrixXd::Identity(dimension, dimension);
        of_model = MeanLog(
            *natural, pool.pool.mean,
            Eigen::LLT<Eigen::MatrixXd>(pool.pool.precision).solve(identity));
        return pool.log_partition;
      });
}

}  // namespace poe
