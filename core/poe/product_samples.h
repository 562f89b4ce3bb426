// Draws from a product, from which its log normalizer is estimated.
#ifndef POE_PRODUCT_SAMPLES_H_
#define POE_PRODUCT_SAMPLES_H_

#include "absl/status/status.h"
#include "poe/product.h"

namespace poe {

// Independent draws, one of each Gibbs chain for example.
template <typename Scalar>
struct ProductSamples {
  // Nothing clamped; sequences of the same length, because Z depends on it.
  Observations<Scalar> x;
  // False for the ends of Gibbs chains, which are near the product's
  // distribution if the chains were long.
  bool exact = false;
};

// InvalidArgument unless there are at least 2 samples as described above, of
// the product's shape and in its support.
template <typename Scalar>
absl::Status CheckSamples(const Product<Scalar>& product,
                          const ProductSamples<Scalar>& samples);

}  // namespace poe

#endif  // POE_PRODUCT_SAMPLES_H_
