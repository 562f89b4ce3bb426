// A linear dynamical system written out as one Gaussian over all frames: the
// plain twin of filter, smoother and exact log Z.
#ifndef POE_TESTS_CORE_LINEAR_DENSE_H_
#define POE_TESTS_CORE_LINEAR_DENSE_H_

#include "poe/experts/linear_dynamical.h"

namespace poe {

// Settings of random systems with the same parameters in both precisions.
template <typename Scalar>
typename LinearDynamical<Scalar>::Settings RandomSystems(Index experts,
                                                         Index latents,
                                                         Index dimension);

// The parameters of expert m read from the group's blocks.
struct DenseSystem {
  DenseSystem(const ExpertGroup<double>& group, Index m);

  Eigen::VectorXd initial_mean, offset, variance;
  Eigen::MatrixXd initial_covariance, transition, noise, emission;
};

// y ~ N(mean, covariance), all T L latent values; x = C y + d and noise of
// diagonal `variance`, all T D values.
struct DensePath {
  DensePath(const DenseSystem& system, Index length);

  Eigen::VectorXd mean, offset, variance;
  Eigen::MatrixXd covariance, emission;
};

// log integral of p(y) prod_t N(x_t; C y_t + d, R)^e over y, frames x T x D.
double DenseLogScore(const DenseSystem& system, const RowMatrix<double>& x,
                     double exponent);

// Of all latent values given x, emissions tempered.
struct DensePosterior {
  DensePosterior(const DensePath& path, const RowMatrix<double>& x,
                 double exponent);

  Eigen::VectorXd mean;
  Eigen::MatrixXd covariance;
};

}  // namespace poe

#endif  // POE_TESTS_CORE_LINEAR_DENSE_H_
