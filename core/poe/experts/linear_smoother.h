// Looking back over filtered sequences: draws of latent paths and smoothed
// moments.
#ifndef POE_EXPERTS_LINEAR_SMOOTHER_H_
#define POE_EXPERTS_LINEAR_SMOOTHER_H_

#include <vector>

#include "absl/types/span.h"
#include "poe/experts/linear_filter.h"
#include "poe/experts/linear_system.h"
#include "poe/numerics/workers.h"

namespace poe {

// What y_{t+1} says of y_t: with m and P the filtered moments at t,
// y_t = m + J (y_{t+1} - A m) + E N(0, I), J = P A' (A P A' + Q)^-1,
// E E' = (I - J A) P. Shared by all sequences.
class BackwardGains {
 public:
  struct Step {
    RowMatrix<double> gain, gain_transposed;      // J, L x L
    RowMatrix<double> factor, factor_transposed;  // E, L x L
    RowMatrix<double> filtered_transposed;
    // The noise of the transition in its own deviations, Q = F F':
    // F^-1 (y_{t+1} - A y_t) = H (y_{t+1} - A m) + G N(0, I), with the normal
    // draw of y_t.
    RowMatrix<double> noise_gain, noise_gain_transposed;  // H
    RowMatrix<double> noise_factor;                       // G
  };
  BackwardGains(const LinearSystem& system, const FilterGains& gains);

  const Step& at(Index t) const {
    return steps_[std::min<std::size_t>(t, steps_.size() - 1)];
  }

 private:
  std::vector<Step> steps_;
};

// Draws y at one time for the `active` first positions from `begin` on: their
// rows of `path` (L columns) hold y_{t+1} for the first `going` of them and are
// replaced by y_t. `noise` is standard normal, active x L.
void DrawStep(const LinearSystem& system, const BackwardGains& backward,
              const FrameOrder& order, const RowMatrix<double>& means,
              Index begin, Index t, Index going, Index active,
              const RowMatrix<double>& noise, RowMatrixRef<double> path);

// Expectations given x, summed over sequences with weights. F and G are the
// factors of P_1 and Q; r_t = x_t - d - C y_t.
struct SmoothedMoments {
  SmoothedMoments(Index latents, Index dimension);
  SmoothedMoments& operator+=(const SmoothedMoments& other);

  double sequences = 0, transitions = 0, frames = 0;  // weight of each
  Vector<double> initial;                             // F^-1 (y_1 - m_1)
  RowMatrix<double> initial_square;                   // its square, L x L
  RowMatrix<double> noise_square;     // of G^-1 (y_t - A y_{t-1}), L x L
  RowMatrix<double> noise_source;     // G^-1 (y_t - A y_{t-1}) y_{t-1}'
  RowMatrix<double> source_square;    // y_{t-1} y_{t-1}'
  Vector<double> residual;            // r_t
  Vector<double> residual_square;     // of each coordinate of r_t
  RowMatrix<double> residual_latent;  // r_t y_t', D x L
  Vector<double> latent;              // y_t
  RowMatrix<double> latent_square;    // y_t y_t'
};

// `weights` by position. The same bits at any number of threads.
SmoothedMoments Smooth(const LinearSystem& system, const FilterGains& gains,
                       const FrameOrder& order, const RowMatrix<double>& values,
                       const RowMatrix<double>& means,
                       absl::Span<const double> weights,
                       const Workers& workers);

}  // namespace poe

#endif  // POE_EXPERTS_LINEAR_SMOOTHER_H_
