// Observations as the mathematics sees them: preprocessed values in padded
// row-major matrices.
#ifndef POE_OBSERVATIONS_H_
#define POE_OBSERVATIONS_H_

#include <cstdint>
#include <vector>

#include "Eigen/Core"
#include "poe/numerics/matrix_product.h"

namespace poe {

// What values a coordinate takes given the experts' latent states.
enum class Family {
  kBernoulli,           // 0/1, or a grey level in [0, 1] read as a mean
  kGaussian,            // real, independent given the latents, on a box
  kCategorical,         // a symbol
  kStructuredGaussian,  // real, with sparse couplings
};

// N observations of D coordinates, in preprocessed units. Dense observations
// have one frame each; sequence n has lengths[n] frames, laid end to end.
template <typename Scalar>
struct Observations {
  Index size = 0;                      // N
  RowMatrix<Scalar> values;            // PaddedRows(frames) x D; padding is 0
  std::vector<Index> lengths;          // N, or empty for dense observations
  std::vector<std::uint64_t> row_ids;  // N: names the rows' random draws

  bool sequential() const { return !lengths.empty(); }
  Index dimension() const { return values.cols(); }
  // Rows of `values` in use.
  Index frames() const {
    if (!sequential()) return size;
    Index total = 0;
    for (Index length : lengths) total += length;
    return total;
  }
};

// N dense rows of zeros with row ids 0 .. N-1.
template <typename Scalar>
Observations<Scalar> MakeDense(Index size, Index dimension) {
  Observations<Scalar> x;
  x.size = size;
  x.values = RowMatrix<Scalar>::Zero(PaddedRows(size), dimension);
  x.row_ids.resize(size);
  for (Index n = 0; n < size; ++n) x.row_ids[n] = static_cast<std::uint64_t>(n);
  return x;
}

// What experts and base say about the data once the latents are known: natural
// parameters, one row for each frame. Messages add.
template <typename Scalar>
struct Messages {
  // Log-odds (Bernoulli), information h (Gaussian) or logits (categorical):
  // PaddedRows(frames) x D (x S for symbols).
  RowMatrix<Scalar> linear;
  // Gaussian families only: diagonal of the precision, as `linear`.
  RowMatrix<Scalar> precision;
  // Structured Gaussian only: precision of each coupled pair of coordinates,
  // PaddedRows(frames) x pairs.
  RowMatrix<Scalar> coupling;
};

}  // namespace poe

#endif  // POE_OBSERVATIONS_H_
