// Observations as the mathematics sees them: preprocessed values in padded
// row-major matrices.
#ifndef POE_OBSERVATIONS_H_
#define POE_OBSERVATIONS_H_

#include <cstdint>
#include <utility>
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
// have one frame each; sequence n has lengths[n] >= 1 frames, laid end to end.
template <typename Scalar>
struct Observations {
  Index size = 0;                      // N
  RowMatrix<Scalar> values;            // PaddedRows(frames) x D; padding is 0
  std::vector<Index> lengths;          // N, or empty for dense observations
  std::vector<std::uint64_t> row_ids;  // N: names the rows' random draws
  // frames x D, or empty for none. Values under 1 stay as they are in every
  // reconstruction: what was observed of an incomplete row, and the inputs of
  // a conditional model.
  std::vector<std::uint8_t> clamped;

  bool sequential() const { return !lengths.empty(); }
  Index dimension() const { return values.cols(); }
  Index length(Index n) const { return sequential() ? lengths[n] : 1; }
  // Rows of `values` in use.
  Index frames() const {
    if (!sequential()) return size;
    Index total = 0;
    for (Index length : lengths) total += length;
    return total;
  }
  // The first frame of each observation, and at the end their number: N + 1.
  std::vector<Index> FrameStarts() const {
    std::vector<Index> starts(size + 1, 0);
    for (Index n = 0; n < size; ++n) starts[n + 1] = starts[n] + length(n);
    return starts;
  }
  bool IsClamped(Index frame, Index i) const {
    return !clamped.empty() && clamped[frame * values.cols() + i] != 0;
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

// Sequences of zeros with row ids 0 .. N-1.
template <typename Scalar>
Observations<Scalar> MakeSequences(std::vector<Index> lengths,
                                   Index dimension) {
  Index frames = 0;
  for (Index length : lengths) frames += length;
  Observations<Scalar> x =
      MakeDense<Scalar>(static_cast<Index>(lengths.size()), dimension);
  x.values = RowMatrix<Scalar>::Zero(PaddedRows(frames), dimension);
  x.lengths = std::move(lengths);
  return x;
}

// Sequences of `length` frames, or dense rows: zeros with row ids 0 .. N-1.
template <typename Scalar>
Observations<Scalar> MakeAlike(bool sequential, Index size, Index length,
                               Index dimension) {
  return sequential ? MakeSequences<Scalar>(std::vector<Index>(size, length),
                                            dimension)
                    : MakeDense<Scalar>(size, dimension);
}

// A pair of coordinates whose product appears in the log density.
struct Coupling {
  Index first, second;  // first < second
};

// What experts and base say about the data once the latents are known: natural
// parameters, one row for each frame. Messages add.
template <typename Scalar>
struct Messages {
  // Log-odds (Bernoulli), information h (Gaussian) or logits (categorical, one
  // column for each symbol): PaddedRows(frames) x D.
  RowMatrix<Scalar> linear;
  // Gaussian families only: diagonal of the precision, as `linear`.
  RowMatrix<Scalar> precision;
  // Structured Gaussian only: entries J_ij of the precision off the diagonal,
  // PaddedRows(frames) x couplings of all groups. A group adds to as many
  // columns as it has couplings, from `first_coupling` on.
  RowMatrix<Scalar> coupling;
  Index first_coupling = 0;
};

}  // namespace poe

#endif  // POE_OBSERVATIONS_H_
