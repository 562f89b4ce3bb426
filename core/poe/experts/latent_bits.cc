#include "poe/experts/latent_bits.h"

#include <vector>

namespace poe {

template <typename Scalar>
void DrawLatentBits(const Observations<Scalar>& x, const Draws& draws,
                    Scalar on, Index begin, Index end,
                    RowMatrix<Scalar>& probabilities) {
  const Index columns = probabilities.cols();
  std::vector<std::uint32_t> bits(columns);
  for (Index n = begin; n < end; ++n) {
    if (n >= x.size) {
      probabilities.row(n).setZero();
      continue;
    }
    FillBits(draws, x.row_ids[n], absl::MakeSpan(bits));
    Scalar* row = probabilities.row(n).data();
    for (Index m = 0; m < columns; ++m)
      row[m] = BernoulliDraw(row[m], bits[m]) ? on : Scalar{0};
  }
}

template void DrawLatentBits<float>(const Observations<float>&, const Draws&,
                                    float, Index, Index, RowMatrix<float>&);
template void DrawLatentBits<double>(const Observations<double>&, const Draws&,
                                     double, Index, Index, RowMatrix<double>&);

}  // namespace poe
