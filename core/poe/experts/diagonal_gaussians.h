// What experts made of axis-aligned Gaussians share: log densities of many
// Gaussians at many frames, their gradients, and the messages they send.
#ifndef POE_EXPERTS_DIAGONAL_GAUSSIANS_H_
#define POE_EXPERTS_DIAGONAL_GAUSSIANS_H_

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "poe/numerics/matrix_product.h"
#include "poe/numerics/workers.h"

namespace poe {

// (x - centre)^2 and then x - centre; rows x 2D.
template <typename Scalar>
void GaussianFeatures(const Vector<double>& centre,
                      const ConstRowMatrixRef<Scalar>& x,
                      RowMatrixRef<double> features);

// G weighted Gaussians w_g N(x; mu_g, diag exp(s_g)) in D coordinates. Const
// methods are total and thread-safe.
//
// Squared distances are one product of the features [(x - c)^2, x - c], where c
// is the mean of the means, with a matrix 2D x G. It is computed in double
// whatever Scalar is, and loses about 1e-16 |x - c|^2 exp(-s) of a log density.
// Gradients sum those features in Scalar, whose rounding of about 1e-7 |x -
// c|^2 exp(-s) in float is far below the noise of contrastive divergence.
template <typename Scalar>
class DiagonalGaussians {
 public:
  // mean: G x D; log_variance s: G x D, or G x 1 for circular Gaussians;
  // log_weight: G. All finite, G and D at least 1. The same bits at any thread
  // count.
  void Update(const ConstRowMatrixRef<Scalar>& mean,
              const ConstRowMatrixRef<Scalar>& log_variance,
              const Vector<double>& log_weight, const Workers& workers);

  Index size() const { return offset_.size(); }             // G
  Index dimension() const { return centre_.size(); }        // D
  const Vector<double>& centre() const { return centre_; }  // c, D

  // log_densities(n, k) = log w_g + log N(x_n; mu_g, diag exp(s_g)), g = first
  // + k, of as many Gaussians as there are columns; x: rows x D. Each has the
  // same bits in any batch and among any Gaussians.
  void LogDensities(const ConstRowMatrixRef<Scalar>& x, Index first,
                    RowMatrixRef<double> log_densities) const;

  // Sets weights(n, k), 0 where they are padding's, to those of row `row` + n
  // and Gaussian `first` + k.
  using SetWeights = absl::FunctionRef<void(Index row, Index first,
                                            RowMatrixRef<Scalar> weights)>;

  // mean_gradient += sum_n weight(n, g) d log N(x_n) / d mu_g, and the same for
  // s_g, shaped like what Update was given; x (rows x D) has its padding. Each
  // thread asks for the weights of its own Gaussians. Returns sum_n weight(n,
  // g). The same bits at any thread count.
  Vector<double> AddGradient(const ConstRowMatrixRef<Scalar>& x,
                             SetWeights set_weights, const Workers& workers,
                             RowMatrixRef<Scalar> mean_gradient,
                             RowMatrixRef<Scalar> log_variance_gradient) const;

  // What Gaussian g says about x: information exp(-s) mu and then precision
  // exp(-s); G x 2D.
  ConstRowMatrixRef<Scalar> messages() const {
    return messages_.leftCols(2 * dimension());
  }

  // Sets each row of sums (rows x 2D) to the sum of the messages of the
  // Gaussians in the same row of `chosen`.
  void SumMessages(const RowMatrix<Index>& chosen,
                   RowMatrixRef<Scalar> sums) const;

  // Adds the messages of all Gaussians, weighted (rows x G), to rows of
  // information and precision, rows x D each.
  void AddMessages(const ConstRowMatrixRef<Scalar>& weights,
                   RowMatrixRef<Scalar> information,
                   RowMatrixRef<Scalar> precision) const;

 private:
  Vector<double> centre_;           // D: c
  RowMatrix<Scalar> distance_;      // G x D: mu - c
  PackedMatrix<double> quadratic_;  // 2D x G
  Vector<double> offset_;           // G: log density at x = c
  RowMatrix<Scalar> messages_;      // G x 2D, and a cache line of padding
};

// Calls body(row, rows, expert, experts) for disjoint blocks of `rows` rows and
// `experts` experts of K Gaussians each, which cover all, on the threads. Few
// rows are not cut: each thread takes those experts whose Gaussians it also
// takes in Update and AddGradient, and has in its cache.
void ShareGaussians(
    Index rows, Index experts, Index components, const Workers& workers,
    absl::FunctionRef<void(Index row, Index rows, Index expert, Index experts)>
        body);

// The first of the experts of K Gaussians each that ShareGaussians gives to the
// second of two threads.
Index FirstOfSecondHalf(Index experts, Index components);

// Whether ShareGaussians cuts the experts and not the rows.
bool SharesExperts(Index rows, Index experts, Index components,
                   const Workers& workers);

// The sums that maximum likelihood rests on: sum_n weights(n, g) features(n,
// .), 2D x G, summed in Scalar. The same bits at any thread count.
template <typename Scalar>
RowMatrix<Scalar> FeatureSums(const ConstRowMatrixRef<Scalar>& features,
                              const ConstRowMatrixRef<Scalar>& weights,
                              const Workers& workers);

// Brings log variances, shaped as in Update, within bounds; each thread those
// of its own Gaussians.
template <typename Scalar>
void BoundLogVariances(double least, double greatest, const Workers& workers,
                       RowMatrixRef<Scalar> log_variance);

// units(g, i) = exp(s_gi / 2): means move in units of their Gaussian's standard
// deviation. Shapes as in Update.
template <typename Scalar>
void MeanUnits(const ConstRowMatrixRef<Scalar>& log_variance,
               const Workers& workers, RowMatrixRef<Scalar> units);

}  // namespace poe

#endif  // POE_EXPERTS_DIAGONAL_GAUSSIANS_H_
