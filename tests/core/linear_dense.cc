#include "tests/core/linear_dense.h"

#include <cmath>
#include <numbers>

#include "Eigen/Cholesky"
#include "Eigen/LU"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

Eigen::MatrixXd CovarianceFrom(const ExpertGroup<double>& group, int block,
                               Index m, Index latents) {
  Eigen::MatrixXd factor = Eigen::MatrixXd::Zero(latents, latents);
  Index next = 0;
  for (Index i = 0; i < latents; ++i)
    for (Index j = 0; j <= i; ++j, ++next)
      factor(i, j) = i == j ? std::exp(group.block(block)(m, next))
                            : group.block(block)(m, next);
  return factor * factor.transpose();
}

Eigen::VectorXd Flat(const RowMatrix<double>& x) {
  return Eigen::Map<const Eigen::VectorXd>(x.data(), x.size());
}

}  // namespace

template <typename Scalar>
typename LinearDynamical<Scalar>::Settings RandomSystems(Index experts,
                                                         Index latents,
                                                         Index dimension) {
  const Index triangle = latents * (latents + 1) / 2;
  typename LinearDynamical<Scalar>::Settings settings;
  const auto random = [](Index rows, Index cols, double scale,
                         std::uint32_t stream) {
    return RowMatrix<Scalar>(
        RandomMatrix(rows, cols, scale, stream).template cast<Scalar>());
  };
  settings.initial_mean = random(experts, latents, 0.7, 60);
  settings.initial_log_cholesky = random(experts, triangle, 0.4, 61);
  settings.transition = random(experts * latents, latents, 0.6, 62);
  settings.transition_log_cholesky = random(experts, triangle, 0.4, 63);
  settings.emission = random(experts * dimension, latents, 0.8, 64);
  settings.emission_offset = random(experts, dimension, 0.5, 65);
  settings.emission_log_variance = random(experts, dimension, 0.4, 66);
  return settings;
}

template LinearDynamical<float>::Settings RandomSystems<float>(Index, Index,
                                                               Index);
template LinearDynamical<double>::Settings RandomSystems<double>(Index, Index,
                                                                 Index);

DenseSystem::DenseSystem(const ExpertGroup<double>& group, Index m) {
  const Index latents = group.blocks()[0].cols;
  const Index dimension = group.blocks()[5].cols;
  initial_mean = group.block(0).row(m).transpose();
  initial_covariance = CovarianceFrom(group, 1, m, latents);
  transition = group.block(2).middleRows(m * latents, latents);
  noise = CovarianceFrom(group, 3, m, latents);
  emission = group.block(4).middleRows(m * dimension, dimension);
  offset = group.block(5).row(m).transpose();
  variance = group.block(6).row(m).transpose().array().exp();
}

DensePath::DensePath(const DenseSystem& system, Index length) {
  const Index latents = system.initial_mean.size();
  const Index dimension = system.offset.size();
  mean.resize(length * latents);
  covariance.setZero(length * latents, length * latents);
  emission.setZero(length * dimension, length * latents);
  offset = system.offset.replicate(length, 1);
  variance = system.variance.replicate(length, 1);
  Eigen::VectorXd frame_mean = system.initial_mean;
  Eigen::MatrixXd frame_covariance = system.initial_covariance;
  for (Index t = 0; t < length; ++t) {
    mean.segment(t * latents, latents) = frame_mean;
    emission.block(t * dimension, t * latents, dimension, latents) =
        system.emission;
    // cov(y_s, y_t) = A^(s - t) cov(y_t).
    Eigen::MatrixXd cross = frame_covariance;
    for (Index s = t; s < length; ++s) {
      covariance.block(s * latents, t * latents, latents, latents) = cross;
      covariance.block(t * latents, s * latents, latents, latents) =
          cross.transpose();
      cross = system.transition * cross;
    }
    frame_mean = system.transition * frame_mean;
    frame_covariance =
        system.transition * frame_covariance * system.transition.transpose() +
        system.noise;
  }
}

double DenseLogScore(const DenseSystem& system, const RowMatrix<double>& x,
                     double exponent) {
  const DensePath path(system, x.rows());
  Eigen::MatrixXd covariance =
      path.emission * path.covariance * path.emission.transpose();
  covariance.diagonal() += path.variance / exponent;
  const Eigen::VectorXd distance =
      Flat(x) - path.offset - path.emission * path.mean;
  const Eigen::LLT<Eigen::MatrixXd> factor(covariance);
  double score = 0;
  for (Index i = 0; i < distance.size(); ++i) {
    score -=
        std::log(2 * std::numbers::pi) / 2 + std::log(factor.matrixLLT()(i, i));
    score +=
        ((1 - exponent) * std::log(2 * std::numbers::pi * path.variance(i)) -
         std::log(exponent)) /
        2;
  }
  return score - distance.dot(factor.solve(distance)) / 2;
}

DensePosterior::DensePosterior(const DensePath& path,
                               const RowMatrix<double>& x, double exponent) {
  const Eigen::MatrixXd weighted =
      path.emission.transpose() *
      (exponent * path.variance.cwiseInverse()).asDiagonal();
  const Eigen::MatrixXd prior = path.covariance.inverse();
  covariance = (prior + weighted * path.emission).inverse();
  mean = covariance * (prior * path.mean + weighted * (Flat(x) - path.offset));
}

}  // namespace poe
