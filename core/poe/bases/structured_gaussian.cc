#include "poe/bases/structured_gaussian.h"

#include <cmath>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/numerics/constants.h"
#include "poe/numerics/sparse_gaussian.h"

namespace poe {
namespace {}  // namespace

template <typename Scalar>
absl::StatusOr<std::unique_ptr<StructuredGaussianBase<Scalar>>>
StructuredGaussianBase<Scalar>::Create(const Vector<Scalar>& mean,
                                       const Vector<Scalar>& log_variance,
                                       bool fixed) {
  if (mean.size() == 0 || log_variance.size() != mean.size())
    return absl::InvalidArgumentError(absl::StrCat(
        "a structured base has ", mean.size(), " means and ",
        log_variance.size(), " log variances; there must be D of each"));
  if (!mean.allFinite() || !log_variance.allFinite())
    return absl::InvalidArgumentError(
        "a mean or log variance of the base is not finite");
  auto base = absl::WrapUnique(new StructuredGaussianBase());
  base->fixed_ = fixed;
  base->AddBlock(ParameterKind::kMean, 1, mean.size());
  base->AddBlock(ParameterKind::kLogVariance, 1, mean.size());
  base->UpdateParameters(Workers::Inline(), [&](auto parameters) {
    parameters.head(mean.size()) = mean;
    parameters.tail(mean.size()) = log_variance;
  });
  return base;
}

template <typename Scalar>
void StructuredGaussianBase<Scalar>::ParametersChanged(const Workers&) {
  auto log_variance = this->mutable_block(1);
  log_variance = log_variance.cwiseMax(-kGreatestLogVariance)
                     .cwiseMin(kGreatestLogVariance);
  precision_ = (-log_variance.transpose()).array().exp();
}

template <typename Scalar>
std::unique_ptr<Base<Scalar>> StructuredGaussianBase<Scalar>::Clone() const {
  return absl::WrapUnique(new StructuredGaussianBase(*this));
}

template <typename Scalar>
bool StructuredGaussianBase<Scalar>::InSupport(
    absl::Span<const Scalar> row) const {
  for (Scalar value : row)
    if (!std::isfinite(value)) return false;
  return true;
}

template <typename Scalar>
void StructuredGaussianBase<Scalar>::AddLogScores(
    const Observations<Scalar>& x, absl::Span<double> log_scores) const {
  const auto mean = this->block(0);
  Index frame = 0;
  for (Index n = 0; n < x.size; ++n) {
    for (Index t = 0; t < x.length(n); ++t, ++frame) {
      double sum = 0;
      for (Index i = 0; i < dimension(); ++i) {
        const double distance =
            static_cast<double>(x.values(frame, i)) - mean(0, i);
        sum += distance * distance * precision_(i);
      }
      log_scores[n] -= sum / 2;
    }
  }
}

template <typename Scalar>
std::optional<double> StructuredGaussianBase<Scalar>::LogNormalizer() const {
  const Vector<double> precision = precision_.template cast<double>();
  return (kLog2Pi - precision.array().log()).sum() / 2;
}

template <typename Scalar>
void StructuredGaussianBase<Scalar>::AddLogNormalizers(
    const Observations<Scalar>& x, absl::Span<double> log_normalizers) const {
  const auto mean = this->block(0);
  const std::vector<Index> starts = x.FrameStarts();
  for (Index n = 0; n < x.size; ++n) {
    for (Index frame = starts[n]; frame < starts[n + 1]; ++frame) {
      for (Index i = 0; i < dimension(); ++i) {
        const double precision = precision_(i);
        if (x.IsClamped(frame, i)) {
          const double distance =
              static_cast<double>(x.values(frame, i)) - mean(0, i);
          log_normalizers[n] -= distance * distance * precision / 2;
        } else {
          log_normalizers[n] += (kLog2Pi - std::log(precision)) / 2;
        }
      }
    }
  }
}

template <typename Scalar>
Messages<Scalar> StructuredGaussianBase<Scalar>::NaturalParameters() const {
  Messages<Scalar> own;
  own.linear = this->block(0).cwiseProduct(precision_.transpose());
  own.precision = precision_.transpose();
  own.coupling =
      RowMatrix<Scalar>::Zero(1, static_cast<Index>(couplings_.size()));
  return own;
}

template <typename Scalar>
void StructuredGaussianBase<Scalar>::Reconstruct(
    const Messages<Scalar>& messages, Reconstruction reconstruction,
    const Draws& draws, const Workers& workers, Observations<Scalar>& x) const {
  const bool sample = reconstruction == Reconstruction::kSample;
  const Index width = dimension();
  const std::vector<Index> starts = x.FrameStarts();
  workers.ParallelFor(x.size, 8, [&](Index begin, Index end) {
    SparseGaussian gaussian(width, couplings_);
    std::vector<double> normal;
    Vector<double> noise = Vector<double>::Zero(width), value(width);
    std::vector<std::uint8_t> clamped;
    for (Index n = begin; n < end; ++n) {
      if (sample) {
        normal.resize(x.length(n) * width);
        FillNormal(draws, x.row_ids[n], absl::MakeSpan(normal));
      }
      for (Index frame = starts[n]; frame < starts[n + 1]; ++frame) {
        if (sample)
          noise = Eigen::Map<const Vector<double>>(
              normal.data() + (frame - starts[n]) * width, width);
        if (!x.clamped.empty())
          clamped.assign(x.clamped.begin() + frame * width,
                         x.clamped.begin() + (frame + 1) * width);
        value = x.values.row(frame).transpose().template cast<double>();
        gaussian.Draw(
            messages.linear.row(frame).transpose().template cast<double>(),
            messages.precision.row(frame).transpose().template cast<double>(),
            messages.coupling.row(frame).transpose().template cast<double>(),
            clamped, noise, value);
        for (Index i = 0; i < width; ++i)
          if (!x.IsClamped(frame, i))
            x.values(frame, i) = static_cast<Scalar>(value(i));
      }
    }
  });
}

template <typename Scalar>
void StructuredGaussianBase<Scalar>::SampleStart(
    const Draws& draws, Observations<Scalar>& x) const {
  Messages<Scalar> messages;
  this->StartMessages(x, Workers::Inline(), messages);
  Reconstruct(messages, Reconstruction::kSample, draws, Workers::Inline(), x);
}

template <typename Scalar>
void StructuredGaussianBase<Scalar>::AddGradient(
    const Observations<Scalar>& x, absl::Span<const Scalar> weights,
    Eigen::Ref<Vector<Scalar>> gradient) const {
  if (fixed_) return;
  const Vector<double> mean =
      this->block(0).transpose().template cast<double>();
  // Sums over frames of weight times distance, and times its square.
  Vector<double> first = Vector<double>::Zero(dimension()), second = first;
  Index frame = 0;
  for (Index n = 0; n < x.size; ++n) {
    for (Index t = 0; t < x.length(n); ++t, ++frame) {
      for (Index i = 0; i < dimension(); ++i) {
        const double distance =
            static_cast<double>(x.values(frame, i)) - mean(i);
        const double pull = static_cast<double>(weights[n]) * distance;
        first(i) += pull;
        second(i) += pull * distance;
      }
    }
  }
  const Vector<double> precision = precision_.template cast<double>();
  gradient.head(dimension()) +=
      precision.cwiseProduct(first).template cast<Scalar>();
  gradient.tail(dimension()) +=
      (precision.cwiseProduct(second) / 2).template cast<Scalar>();
}

template <typename Scalar>
void StructuredGaussianBase<Scalar>::StepUnits(
    const Workers&, Eigen::Ref<Vector<Scalar>> units) const {
  units.head(dimension()) = precision_.cwiseSqrt().cwiseInverse();
}

template class StructuredGaussianBase<float>;
template class StructuredGaussianBase<double>;

}  // namespace poe
