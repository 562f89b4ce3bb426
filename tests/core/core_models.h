// Small models that tests of the questions share.
#ifndef POE_TESTS_CORE_CORE_MODELS_H_
#define POE_TESTS_CORE_CORE_MODELS_H_

#include <cstdint>
#include <vector>

#include "poe/model.h"
#include "poe/raw_rows.h"

namespace poe {

// Standard normal values.
RowMatrix<float> NormalMatrix(Index rows, Index cols, std::uint64_t seed);
// Uniform on (lower, upper).
RowMatrix<float> UniformMatrix(Index rows, Index cols, float lower, float upper,
                               std::uint64_t seed);

// `values` must outlive the rows.
RawRows RowsOf(const RowMatrix<float>& values);

// Bernoulli units over `dimension` binary values or grey levels, random
// parameters, classes "0", "1", ...; with two or more classes a separator,
// probabilities and percentiles.
Model BernoulliModel(Index dimension, Index experts, Index classes);

// Bernoulli units on bits, random parameters.
Product<float> BernoulliProduct(Index dimension, Index experts,
                                std::uint64_t seed);

// As BernoulliModel, of layers: widths are those of the data, of the experts of
// the lowest layer, of those of the next, ...
Model LayeredModel(const std::vector<Index>& widths, Index classes);

// Unigauss experts on the box of a spec, which must have one.
Product<float> UnigaussProduct(const DataSpec& spec, Index experts,
                               std::uint64_t seed);

// Unigauss experts over raw values in [-1, 5], standardized; otherwise as
// above.
Model UnigaussModel(Index dimension, Index experts, Index classes);

}  // namespace poe

#endif  // POE_TESTS_CORE_CORE_MODELS_H_
