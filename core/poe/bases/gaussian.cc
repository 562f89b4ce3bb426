#include "poe/bases/gaussian.h"

#include <cmath>
#include <limits>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/numerics/truncated_normal.h"

namespace poe {
namespace {

// Rounding to Scalar must not leave the box.
template <typename Scalar>
Scalar RoundInto(double value, double lower, double upper) {
  Scalar rounded = static_cast<Scalar>(value);
  if (static_cast<double>(rounded) < lower)
    rounded = std::nextafter(rounded, std::numeric_limits<Scalar>::max());
  if (static_cast<double>(rounded) > upper)
    rounded = std::nextafter(rounded, std::numeric_limits<Scalar>::lowest());
  return rounded;
}

}  // namespace

template <typename Scalar>
absl::StatusOr<std::unique_ptr<GaussianBase<Scalar>>>
GaussianBase<Scalar>::Create(Settings settings) {
  const Index dimension = settings.lower.size();
  if (dimension == 0)
    return absl::InvalidArgumentError("a Gaussian base has no coordinates");
  if (settings.upper.size() != dimension)
    return absl::InvalidArgumentError(
        absl::StrCat("the box has ", dimension, " lower bounds but ",
                     settings.upper.size(), " upper bounds"));
  for (Index i = 0; i < dimension; ++i) {
    if (!(std::isfinite(settings.lower(i)) &&
          std::isfinite(settings.upper(i)) &&
          settings.lower(i) < settings.upper(i)))
      return absl::InvalidArgumentError(absl::StrCat(
          "box bounds of coordinate ", i, " are ", settings.lower(i), " and ",
          settings.upper(i), "; they must be finite and in order"));
  }
  const Index means = settings.mean.size();
  if (settings.log_variance.size() != means ||
      (means != 0 && means != dimension))
    return absl::InvalidArgumentError(absl::StrCat(
        "the base has ", means, " means and ", settings.log_variance.size(),
        " log variances; there must be ", dimension, " of each, or none"));
  if (!settings.mean.allFinite() || !settings.log_variance.allFinite())
    return absl::InvalidArgumentError(
        "a mean or log variance of the base is not finite");
  auto base = absl::WrapUnique(new GaussianBase());
  base->lower_ = std::move(settings.lower);
  base->upper_ = std::move(settings.upper);
  base->fixed_variance_ = settings.fixed_variance;
  if (means != 0) {
    base->AddBlock(ParameterKind::kMean, 1, dimension);
    base->AddBlock(ParameterKind::kLogVariance, 1, dimension);
    base->UpdateParameters(Workers::Inline(), [&](auto parameters) {
      parameters.head(dimension) = settings.mean;
      parameters.tail(dimension) = settings.log_variance;
    });
  }
  return base;
}

template <typename Scalar>
void GaussianBase<Scalar>::ParametersChanged(const Workers&) {
  if (!has_gaussian_factor()) return;
  auto log_variance = this->mutable_block(1);
  log_variance = log_variance.cwiseMax(-kGreatestLogVariance)
                     .cwiseMin(kGreatestLogVariance);
  precision_ = (-log_variance.transpose()).array().exp();
}

template <typename Scalar>
std::unique_ptr<Base<Scalar>> GaussianBase<Scalar>::Clone() const {
  return absl::WrapUnique(new GaussianBase(*this));
}

template <typename Scalar>
bool GaussianBase<Scalar>::InSupport(absl::Span<const Scalar> row) const {
  for (Index i = 0; i < dimension(); ++i) {
    const double value = row[i];
    if (!(value >= lower_(i) && value <= upper_(i))) return false;
  }
  return true;
}

template <typename Scalar>
void GaussianBase<Scalar>::AddLogScores(const Observations<Scalar>& x,
                                        absl::Span<double> log_scores) const {
  const std::vector<Index> starts = x.FrameStarts();
  for (Index n = 0; n < x.size; ++n) {
    for (Index frame = starts[n]; frame < starts[n + 1]; ++frame) {
      const Scalar* row = x.values.row(frame).data();
      if (!InSupport(absl::MakeConstSpan(row, dimension()))) {
        log_scores[n] = -std::numeric_limits<double>::infinity();
        break;
      }
      if (!has_gaussian_factor()) continue;
      const auto mean = this->block(0);
      double sum = 0;
      for (Index i = 0; i < dimension(); ++i) {
        const double distance = static_cast<double>(row[i]) - mean(0, i);
        sum += distance * distance * precision_(i);
      }
      log_scores[n] -= sum / 2;
    }
  }
}

template <typename Scalar>
double GaussianBase<Scalar>::LogIntegral(Index i) const {
  // Measured from the mean, so that nothing cancels.
  const double mean = has_gaussian_factor() ? this->block(0)(0, i) : 0;
  const double precision = has_gaussian_factor() ? precision_(i) : 0;
  const TruncatedNormal on_box = {0, precision, lower_(i) - mean,
                                  upper_(i) - mean};
  return on_box.LogIntegral();
}

template <typename Scalar>
std::optional<double> GaussianBase<Scalar>::LogNormalizer() const {
  double sum = 0;
  for (Index i = 0; i < dimension(); ++i) sum += LogIntegral(i);
  return sum;
}

template <typename Scalar>
void GaussianBase<Scalar>::AddLogNormalizers(
    const Observations<Scalar>& x, absl::Span<double> log_normalizers) const {
  Vector<double> free(dimension());
  for (Index i = 0; i < dimension(); ++i) free(i) = LogIntegral(i);
  const std::vector<Index> starts = x.FrameStarts();
  for (Index n = 0; n < x.size; ++n) {
    for (Index frame = starts[n]; frame < starts[n + 1]; ++frame) {
      for (Index i = 0; i < dimension(); ++i) {
        const double value = x.values(frame, i);
        if (!x.IsClamped(frame, i)) {
          log_normalizers[n] += free(i);
        } else if (!(value >= lower_(i) && value <= upper_(i))) {
          log_normalizers[n] = -std::numeric_limits<double>::infinity();
        } else if (has_gaussian_factor()) {
          const double distance = value - this->block(0)(0, i);
          log_normalizers[n] -= distance * distance * precision_(i) / 2;
        }
      }
    }
  }
}

template <typename Scalar>
Messages<Scalar> GaussianBase<Scalar>::NaturalParameters() const {
  Messages<Scalar> own;
  if (has_gaussian_factor()) {
    own.linear = this->block(0).cwiseProduct(precision_.transpose());
    own.precision = precision_.transpose();
  } else {
    own.linear = RowMatrix<Scalar>::Zero(1, dimension());
    own.precision = own.linear;
  }
  return own;
}

template <typename Scalar>
void GaussianBase<Scalar>::Reconstruct(const Messages<Scalar>& messages,
                                       Reconstruction reconstruction,
                                       const Draws& draws,
                                       const Workers& workers,
                                       Observations<Scalar>& x) const {
  const bool sample = reconstruction == Reconstruction::kSample;
  constexpr double kReach = TruncatedNormal::kNothingBeyond;
  const double least_square = sample ? 0 : kReach * kReach;  // in deviations
  Draws uniform_draws = draws;
  uniform_draws.stream ^= 0x80000000u;
  const Index width = dimension();
  const std::vector<Index> starts = x.FrameStarts();
  workers.ParallelFor(x.size, 8, [&](Index begin, Index end) {
    std::vector<double> normal, uniform;
    // As if there were no box, and how far inside it that is: a draw that falls
    // into the box is a draw from the truncated normal, and a mean is its mean
    // where the box reaches far enough on both sides.
    Eigen::ArrayXd value(width), inside(width);
    Eigen::ArrayXd information(width), precision(width);
    Eigen::Array<Scalar, Eigen::Dynamic, 1> rounded(width);
    Eigen::Array<bool, Eigen::Dynamic, 1> right(width);
    for (Index n = begin; n < end; ++n) {
      uniform.clear();
      if (sample) {
        normal.resize(x.length(n) * width);
        FillNormal(draws, x.row_ids[n], absl::MakeSpan(normal));
      }
      for (Index frame = starts[n]; frame < starts[n + 1]; ++frame) {
        const Index first = (frame - starts[n]) * width;
        information = messages.linear.row(frame)
                          .transpose()
                          .template cast<double>()
                          .array();
        precision = messages.precision.row(frame)
                        .transpose()
                        .template cast<double>()
                        .array();
        if (sample) {
          const Eigen::Map<const Eigen::ArrayXd> own(normal.data() + first,
                                                     width);
          value = (information + own * precision.sqrt()) / precision;
        } else {
          value = information / precision;
        }
        inside = (value - lower_.array()).min(upper_.array() - value);
        rounded = value.template cast<Scalar>();
        right = inside >= 0 && inside.square() * precision >= least_square;
        if (x.clamped.empty() && right.all() &&
            (rounded.template cast<double>() >= lower_.array()).all() &&
            (rounded.template cast<double>() <= upper_.array()).all()) {
          x.values.row(frame) = rounded.transpose().matrix();
          continue;
        }
        for (Index i = 0; i < width; ++i) {
          if (x.IsClamped(frame, i)) continue;
          if (!right(i)) {
            const TruncatedNormal on_box = {messages.linear(frame, i),
                                            messages.precision(frame, i),
                                            lower_(i), upper_(i)};
            if (sample && uniform.empty()) {
              uniform.resize(normal.size());
              FillUniform(uniform_draws, x.row_ids[n], absl::MakeSpan(uniform));
            }
            value(i) =
                sample ? on_box.Quantile(uniform[first + i]) : on_box.Mean();
          }
          x.values(frame, i) =
              RoundInto<Scalar>(value(i), lower_(i), upper_(i));
        }
      }
    }
  });
}

template <typename Scalar>
void GaussianBase<Scalar>::SampleStart(const Draws& draws,
                                       Observations<Scalar>& x) const {
  Messages<Scalar> messages;
  this->StartMessages(x, Workers::Inline(), messages);
  Reconstruct(messages, Reconstruction::kSample, draws, Workers::Inline(), x);
}

template <typename Scalar>
void GaussianBase<Scalar>::AddGradient(
    const Observations<Scalar>& x, absl::Span<const Scalar> weights,
    Eigen::Ref<Vector<Scalar>> gradient) const {
  if (!has_gaussian_factor()) return;
  const auto mean = this->block(0);
  auto mean_gradient = gradient.head(dimension());
  auto log_variance_gradient = gradient.tail(dimension());
  Index frame = 0;
  for (Index n = 0; n < x.size; ++n) {
    for (Index t = 0; t < x.length(n); ++t, ++frame) {
      for (Index i = 0; i < dimension(); ++i) {
        const Scalar distance = x.values(frame, i) - mean(0, i);
        const Scalar pull = weights[n] * precision_(i) * distance;
        mean_gradient(i) += pull;
        if (!fixed_variance_) log_variance_gradient(i) += pull * distance / 2;
      }
    }
  }
}

template <typename Scalar>
void GaussianBase<Scalar>::StepUnits(const Workers&,
                                     Eigen::Ref<Vector<Scalar>> units) const {
  if (has_gaussian_factor())
    units.head(dimension()) = precision_.cwiseSqrt().cwiseInverse();
}

template class GaussianBase<float>;
template class GaussianBase<double>;

}  // namespace poe
