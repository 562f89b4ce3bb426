// Draws from Gaussians given by information and sparse precision.
#ifndef POE_NUMERICS_SPARSE_GAUSSIAN_H_
#define POE_NUMERICS_SPARSE_GAUSSIAN_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "poe/numerics/matrix_product.h"
#include "poe/observations.h"

namespace poe {

// Entries on and below the diagonal of the Cholesky factor of a precision with
// these couplings, in the order in which SparseGaussian eliminates coordinates;
// `most` + 1 as soon as they are more. Only counts, in memory O(D + couplings).
std::int64_t FactorEntries(Index dimension,
                           absl::Span<const Coupling> couplings,
                           std::int64_t most);

// Gaussians of D coordinates with one pattern of couplings: proportional to
// exp(h.x - x'Jx / 2), where J has `precision` on its diagonal and `coupling`
// at the couplings (summed where one is named twice). Not thread-safe; the
// factor of the last precision is kept for the next draw.
class SparseGaussian {
 public:
  SparseGaussian(Index dimension, absl::Span<const Coupling> couplings);
  ~SparseGaussian();
  SparseGaussian(const SparseGaussian&) = delete;
  SparseGaussian& operator=(const SparseGaussian&) = delete;

  // Sets `x` to mean + A noise with A A' the covariance (`noise` standard
  // normal gives a draw, 0 the mean), given the values of x under 1 in
  // `clamped` (D, or empty for none). `precision` is positive; where rounding
  // has made J indefinite, its diagonal is raised by the least relative power
  // of ten that helps, from 1e-12 on.
  void Draw(const Vector<double>& information, const Vector<double>& precision,
            const Vector<double>& coupling,
            absl::Span<const std::uint8_t> clamped, const Vector<double>& noise,
            Vector<double>& x);

  // log of the integral of exp(h.x - x'Jx / 2) over the values that are not
  // clamped, given those of `x` under 1 in `clamped`; both empty for none.
  // Raises the diagonal as Draw does.
  double LogIntegral(const Vector<double>& information,
                     const Vector<double>& precision,
                     const Vector<double>& coupling,
                     absl::Span<const std::uint8_t> clamped,
                     const Vector<double>& x);

 private:
  struct Factor;

  // h of the values that are not clamped, given those that are.
  Vector<double> InformationGiven(const Vector<double>& information,
                                  const Vector<double>& coupling,
                                  absl::Span<const std::uint8_t> clamped,
                                  const Vector<double>& x) const;

  void Refactor(const Vector<double>& precision, const Vector<double>& coupling,
                absl::Span<const std::uint8_t> clamped);

  std::vector<Coupling> couplings_;
  std::unique_ptr<Factor> factor_;  // null without couplings
  Vector<double> precision_, coupling_;
  std::vector<std::uint8_t> clamped_;
};

}  // namespace poe

#endif  // POE_NUMERICS_SPARSE_GAUSSIAN_H_
