// Densities of frames under many diagonal Gaussians at once, by matrix
// products.
#ifndef POE_EXPERTS_GAUSSIAN_EMISSIONS_H_
#define POE_EXPERTS_GAUSSIAN_EMISSIONS_H_

#include "poe/numerics/matrix_product.h"
#include "poe/numerics/workers.h"

namespace poe {

// Sums over frames of weights (K), of weights times x - c, and of weights times
// (x - c)^2 (K x D each).
struct WeightedMoments {
  Vector<double> total;
  RowMatrix<double> first, second;
};

// About `centre` (D). `x` is PaddedRows(frames) x D, `weights` as many rows x
// K, 0 in the padding. The same bits at any number of threads.
template <typename Scalar>
WeightedMoments MomentsAbout(const Vector<double>& centre,
                             const RowMatrix<Scalar>& x,
                             const RowMatrix<double>& weights,
                             const Workers& workers);

// K Gaussians N(mean_k, diag exp(log_variance_k)). Const methods are
// thread-safe.
template <typename Scalar>
class GaussianEmissions {
 public:
  // K x D each.
  void Set(const ConstRowMatrixRef<Scalar>& mean,
           const ConstRowMatrixRef<Scalar>& log_variance);

  // log_densities(f, k) = log N(x_f; ...), for any number of frames, finite
  // however far away.
  void LogDensities(const ConstRowMatrixRef<Scalar>& x,
                    RowMatrixRef<double> log_densities) const;

  // What Gaussian k says of a frame: K x D each.
  const RowMatrix<Scalar>& information() const { return information_; }
  const RowMatrix<Scalar>& precision() const { return precision_; }

  // Adds the gradient of sum weights(f, k) log N(x_f; ...). Shapes as in
  // MomentsAbout; gradients K x D.
  void AddGradient(const RowMatrix<Scalar>& x, const RowMatrix<double>& weights,
                   const Workers& workers, RowMatrixRef<Scalar> mean_gradient,
                   RowMatrixRef<Scalar> log_variance_gradient) const;

 private:
  RowMatrix<Scalar> information_, precision_;
  // Log densities are [(x-c)^2, x-c] times `quadratic_` plus `offset_`, where c
  // is the mean of the means.
  Vector<double> centre_;        // D
  RowMatrix<double> distance_;   // K x D: mean - c
  RowMatrix<double> quadratic_;  // 2D x K
  Vector<double> offset_;        // K
};

}  // namespace poe

#endif  // POE_EXPERTS_GAUSSIAN_EMISSIONS_H_
