// Visible biases: log b(x) = a.x for binary data, and for grey levels in
// [0, 1] read as Bernoulli means.
#ifndef POE_BASES_BERNOULLI_H_
#define POE_BASES_BERNOULLI_H_

#include <optional>

#include "absl/status/statusor.h"
#include "poe/bases/linear.h"

namespace poe {

template <typename Scalar>
class BernoulliBase final : public LinearBase<Scalar> {
 public:
  // Finite log-odds, at least one, of the columns before `num_real_inputs`.
  static absl::StatusOr<std::unique_ptr<BernoulliBase>> Create(
      const Vector<Scalar>& bias, Index num_real_inputs = 0);

  Family family() const override { return Family::kBernoulli; }
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
  BernoulliBase() = default;
};

}  // namespace poe

#endif  // POE_BASES_BERNOULLI_H_
