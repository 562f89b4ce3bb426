// Symbols: log b(x) = sum_i logits[i][x_i]. A symbol is seen as S columns of
// which one is 1; the mean of a coordinate is the probability of each symbol.
#ifndef POE_BASES_CATEGORICAL_H_
#define POE_BASES_CATEGORICAL_H_

#include <optional>

#include "absl/status/statusor.h"
#include "poe/bases/linear.h"

namespace poe {

// dimension() is the number of columns, coordinates x S + real inputs.
template <typename Scalar>
class CategoricalBase final : public LinearBase<Scalar> {
 public:
  // coordinates x S finite logits, S >= 2, of the columns before
  // `num_real_inputs`.
  static absl::StatusOr<std::unique_ptr<CategoricalBase>> Create(
      const RowMatrix<Scalar>& logits, Index num_real_inputs = 0);

  Index num_symbols() const { return num_symbols_; }  // S

  Family family() const override { return Family::kCategorical; }
  std::unique_ptr<Base<Scalar>> Clone() const override;
  bool InSupport(absl::Span<const Scalar> row) const override;
  std::optional<double> LogNormalizer() const override;
  void AddLogNormalizers(const Observations<Scalar>& x,
                         absl::Span<double> log_normalizers) const override;
  void Reconstruct(const Messages<Scalar>& messages,
                   Reconstruction reconstruction, const Draws& draws,
                   const Workers& workers,
                   Observations<Scalar>& x) const override;

 private:
  CategoricalBase() = default;

  Index num_symbols_ = 0;
};

}  // namespace poe

#endif  // POE_BASES_CATEGORICAL_H_
