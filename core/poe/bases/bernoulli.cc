#include "poe/bases/bernoulli.h"

#include <vector>

#include "absl/memory/memory.h"
#include "poe/numerics/elementwise.h"

namespace poe {

template <typename Scalar>
absl::StatusOr<std::unique_ptr<BernoulliBase<Scalar>>>
BernoulliBase<Scalar>::Create(const Vector<Scalar>& bias,
                              Index num_real_inputs) {
  auto base = absl::WrapUnique(new BernoulliBase());
  if (absl::Status status = base->SetBias(bias, num_real_inputs); !status.ok())
    return status;
  return base;
}

template <typename Scalar>
std::unique_ptr<Base<Scalar>> BernoulliBase<Scalar>::Clone() const {
  return absl::WrapUnique(new BernoulliBase(*this));
}

template <typename Scalar>
bool BernoulliBase<Scalar>::InSupport(absl::Span<const Scalar> row) const {
  for (Scalar value : row.first(this->num_outputs()))
    if (!(value >= 0 && value <= 1)) return false;
  return true;
}

template <typename Scalar>
std::optional<double> BernoulliBase<Scalar>::LogNormalizer() const {
  const Vector<double> bias = this->parameters().template cast<double>();
  return SumSoftplus(1, absl::MakeConstSpan(bias.data(), bias.size()));
}

template <typename Scalar>
void BernoulliBase<Scalar>::AddLogNormalizers(
    const Observations<Scalar>& x, absl::Span<double> log_normalizers) const {
  const Vector<double> bias = this->parameters().template cast<double>();
  Vector<double> free = bias;
  Softplus(absl::Span<double>(free.data(), free.size()));
  const std::vector<Index> starts = x.FrameStarts();
  for (Index n = 0; n < x.size; ++n)
    for (Index frame = starts[n]; frame < starts[n + 1]; ++frame)
      for (Index i = 0; i < bias.size(); ++i)
        log_normalizers[n] +=
            x.IsClamped(frame, i) ? bias(i) * x.values(frame, i) : free(i);
}

template <typename Scalar>
void BernoulliBase<Scalar>::Reconstruct(const Messages<Scalar>& messages,
                                        Reconstruction reconstruction,
                                        const Draws& draws,
                                        const Workers& workers,
                                        Observations<Scalar>& x) const {
  const Index width = this->num_outputs();
  const std::vector<Index> starts = x.FrameStarts();
  workers.ParallelFor(x.size, 8, [&](Index begin, Index end) {
    std::vector<std::uint32_t> bits;
    Vector<Scalar> row(width);
    for (Index n = begin; n < end; ++n) {
      if (reconstruction == Reconstruction::kSample) {
        bits.resize(x.length(n) * width);
        FillBits(draws, x.row_ids[n], absl::MakeSpan(bits));
      }
      for (Index frame = starts[n]; frame < starts[n + 1]; ++frame) {
        row = messages.linear.row(frame).head(width);
        Logistic(absl::Span<Scalar>(row.data(), width));
        const std::uint32_t* bit = bits.data() + (frame - starts[n]) * width;
        if (reconstruction == Reconstruction::kSample)
          for (Index i = 0; i < width; ++i)
            row(i) = BernoulliDraw(row(i), bit[i]) ? 1 : 0;
        for (Index i = 0; i < width; ++i)
          if (!x.IsClamped(frame, i)) x.values(frame, i) = row(i);
      }
    }
  });
}

template class BernoulliBase<float>;
template class BernoulliBase<double>;

}  // namespace poe
