// Where annealing starts: at the base, or, where that is far wider than all
// that the experts speak of, at a Gaussian of their scale.
#ifndef POE_ANNEALING_START_H_
#define POE_ANNEALING_START_H_

#include <optional>

#include "poe/product.h"

namespace poe {

// A structured base is left where its deviation of a coordinate is more than
// this many times that of the data which the experts speak of.
inline constexpr double kWidestStart = 10;

// The same product, log score for log score, with a nearer base q in place of b
// and one more group, the factor b(x) / q(x). Tempered as experts are, it makes
// the path q^(1 - beta) b^beta f_beta, which the walk of annealed importance
// sampling passes as any other: from b itself, a thousand deviations away, a
// step of any size would leave all the weight to one chain.
//
// q has the mean of data drawn given latents of all states alike, and twice the
// deviation that one expert's opinions have if M are behind those data, from
// the same draws at every call. Nothing where the base will do as it is: it is
// not a structured Gaussian, or wide in no coordinate.
template <typename Scalar>
std::optional<Product<Scalar>> NearerStart(const Product<Scalar>& product);

}  // namespace poe

#endif  // POE_ANNEALING_START_H_
