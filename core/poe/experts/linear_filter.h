// The Kalman filter over a batch of sequences, in square roots of covariances
// and in information form of the emissions, which may be tempered:
//   log f(x) = log integral of p(y) prod_t N(x_t; C y_t + d, R)^e over y.
// The covariances do not depend on x, so they are found once for all sequences;
// then the means of all sequences advance together by matrix products.
#ifndef POE_EXPERTS_LINEAR_FILTER_H_
#define POE_EXPERTS_LINEAR_FILTER_H_

#include <algorithm>
#include <vector>

#include "absl/types/span.h"
#include "poe/experts/frame_order.h"
#include "poe/experts/linear_system.h"

namespace poe {

// What the filter knows before it sees x. The emission scaled by sqrt(e / R) is
// kept as a product of an orthonormal basis (D x K, K = min(D, L)) and a K x L
// rest, so that a frame counts by K numbers and by its distance from the basis.
class FilterGains {
 public:
  // Matrices that rows are multiplied by are stored transposed.
  struct Step {
    RowMatrix<double> predicted;  // factor S of the predicted covariance, L x L
    RowMatrix<double> predicted_transposed;
    RowMatrix<double> gain_transposed;  // K x L: innovation -> S^-1 (m - A m)
    RowMatrix<double> filtered;  // a square root of the filtered covariance
    double log_determinant = 0;  // of I + S' C' (e / R) C S
  };

  FilterGains() = default;
  // `exponent` >= 0; at 0 all that depends on x is exactly 0.
  FilterGains(const LinearSystem& system, double exponent, Index longest);

  // Step t; the last one stored is that of all later times.
  const Step& at(Index t) const {
    return steps_[std::min<std::size_t>(t, steps_.size() - 1)];
  }
  Index stored_steps() const { return static_cast<Index>(steps_.size()); }

  Vector<double> scale;                   // sqrt(e / R), D
  RowMatrix<double> basis;                // D x K
  RowMatrix<double> basis_transposed;     // K x D
  RowMatrix<double> emission_transposed;  // L x K
  // A square root of the covariance of F^-1 (y_1 - m_1) given the first frame,
  // P_1 = F F'.
  RowMatrix<double> initial;
  double log_constant = 0;  // -e/2 sum_i log 2 pi R_i, for each frame

 private:
  std::vector<Step> steps_;
};

// What filtering leaves of a batch.
struct FilteredMeans {
  FilteredMeans() = default;
  FilteredMeans(const FrameOrder& order, Index latents)
      : latent(order.rows(), latents), initial(order.sequences(), latents) {}

  RowMatrix<double> latent;   // E[y_t | x_1 .. x_t], rows x L
  RowMatrix<double> initial;  // E[F^-1 (y_1 - m_1) | x_1], by position
};

// Filters the sequences at positions [begin, end): `values` (rows x D) are
// their frames; fills their part of `means`, and their log_scores[k] with
// log f. Finite whatever the values.
void FilterMeans(const LinearSystem& system, const FilterGains& gains,
                 const FrameOrder& order, const RowMatrix<double>& values,
                 Index begin, Index end, FilteredMeans& means,
                 absl::Span<double> log_scores);

}  // namespace poe

#endif  // POE_EXPERTS_LINEAR_FILTER_H_
