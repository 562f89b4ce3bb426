// Binary latents of many experts at once.
#ifndef POE_EXPERTS_LATENT_BITS_H_
#define POE_EXPERTS_LATENT_BITS_H_

#include "poe/numerics/random.h"
#include "poe/observations.h"

namespace poe {

// Turns probabilities (rows [begin, end) of PaddedRows(N) x M) into draws: `on`
// where the latent is 1, otherwise 0. Row n draws by the id of observation n;
// padding becomes 0.
template <typename Scalar>
void DrawLatentBits(const Observations<Scalar>& x, const Draws& draws,
                    Scalar on, Index begin, Index end,
                    RowMatrix<Scalar>& probabilities);

}  // namespace poe

#endif  // POE_EXPERTS_LATENT_BITS_H_
