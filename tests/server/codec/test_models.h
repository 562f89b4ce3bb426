// Small models, made without training.
#ifndef POE_TESTS_SERVER_CODEC_TEST_MODELS_H_
#define POE_TESTS_SERVER_CODEC_TEST_MODELS_H_

#include <random>
#include <string>
#include <vector>

#include "poe/model.h"

namespace poe::server {

// Standard normal values.
RowMatrix<float> DrawMatrix(Index rows, Index columns, std::mt19937& generator);

// Frames of raw values that a model of this kind takes.
RowMatrix<float> DrawRawRows(const DataSpec& spec, Index frames);

// For each class, Bernoulli units with random weights; with two or more
// classes, a separator.
Model MakeBernoulliModel(Index dimension, Index experts,
                         const std::vector<std::string>& class_names,
                         unsigned seed);

// One class of three real coordinates: a Gaussian factor, circular and
// axis-aligned unigauss experts, one group softened, and a few units.
Model MakeRealModel();

}  // namespace poe::server

#endif  // POE_TESTS_SERVER_CODEC_TEST_MODELS_H_
