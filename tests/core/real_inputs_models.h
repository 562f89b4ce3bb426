// Conditional models whose inputs are real numbers while their outputs are
// symbols or bits, and their probabilities computed plainly.
#ifndef POE_TESTS_CORE_REAL_INPUTS_MODELS_H_
#define POE_TESTS_CORE_REAL_INPUTS_MODELS_H_

#include <cstdint>
#include <vector>

#include "poe/model.h"

namespace poe {

// Coordinates 0 and 2 are inputs, shifted and scaled; 1 and 3 are outputs:
// three symbols each, or bits.
DataSpec MixedSpec(Family family);

// Bernoulli units with random parameters over MixedSpec(family).
template <typename Scalar>
Product<Scalar> MixedProduct(Family family);

Model MixedModel(Family family);

// Every value of both outputs beside these inputs, raw: (S S or 4) x 4.
RowMatrix<float> AllOutputs(Family family, float first, float second);

// Rows of random inputs and outputs, raw.
RowMatrix<float> MixedRows(Family family, Index size, std::uint64_t seed);

// log p(outputs | inputs) of a raw row under Bernoulli units of power 1, by
// adding up all outputs in double precision. Parameters in the order of
// Product: the base's, weights by column, unit biases.
double PlainLogProbability(Family family, const Vector<double>& parameters,
                           const Eigen::Ref<const Eigen::RowVectorXf>& row);

// Base and group of a product over MixedSpec, one after the other.
template <typename Scalar>
Vector<double> ParametersOf(const Product<Scalar>& product);

}  // namespace poe

#endif  // POE_TESTS_CORE_REAL_INPUTS_MODELS_H_
