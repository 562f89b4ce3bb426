// Products stacked (Mayraz and Hinton, "Recognizing hand-written digits using
// hierarchical products of experts", 2001): the data of each layer are the
// hidden probabilities of the layer below, read as means of bits.
#ifndef POE_HIERARCHY_H_
#define POE_HIERARCHY_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "poe/data_spec.h"
#include "poe/product.h"

namespace poe {

// The products of one class, lowest first.
using Layers = absl::Span<const Product<float>>;

// What a layer sees of a product with this many hidden probabilities.
DataSpec HiddenSpec(Index num_hidden);

// InvalidArgument, naming the layer, unless each layer but the lowest sees just
// what the one below hides. `spec` is that of the lowest layer's data: dense
// rows without inputs, if there are further layers.
absl::Status ValidateLayers(const DataSpec& spec, Layers layers);

// What a layer on top of `below` sees of preprocessed dense rows: x itself
// where there is nothing below. A row has the same bits alone and in any batch,
// here and in what follows.
Observations<float> Climb(Layers below, Observations<float> x,
                          const Workers& workers);

// N x L: the log score of what each layer sees, under that layer.
RowMatrix<double> LayerLogScores(Layers layers, const Observations<float>& x,
                                 const Workers& workers);

// The way back, from what a layer on top of `below` sees: each layer's data are
// their mean given the states above, and those of the lowest what `output`
// says. `seed` and `step` name the draws, which are independent of those of
// chains with this seed.
Observations<float> Descend(Layers below, Observations<float> x,
                            Reconstruction output, std::uint64_t seed,
                            std::uint32_t step, const Workers& workers);

}  // namespace poe

#endif  // POE_HIERARCHY_H_
