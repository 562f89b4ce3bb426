#include "poe/numerics/elementwise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "hwy/contrib/algo/transform-inl.h"
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

namespace poe {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// exp(-|t|), never above 1.
template <typename D, typename V>
V ExpMinusAbs(D d, V t) {
  return hn::Exp(d, hn::Neg(hn::Abs(t)));
}

template <typename D, typename V>
V LogisticOf(D d, V t) {
  const V one = hn::Set(d, 1);
  const V e = ExpMinusAbs(d, t);
  const V numerator = hn::IfThenElse(hn::Lt(t, hn::Zero(d)), e, one);
  return hn::Div(numerator, hn::Add(one, e));
}

template <typename D, typename V>
V SoftplusOf(D d, V t) {
  return hn::Add(hn::Max(t, hn::Zero(d)), hn::Log1p(d, ExpMinusAbs(d, t)));
}

}  // namespace

template <typename Scalar>
void Logistic(absl::Span<Scalar> t) {
  const hn::ScalableTag<Scalar> d;
  hn::Transform(d, t.data(), t.size(),
                [](auto d, auto v) { return LogisticOf(d, v); });
}

template <typename Scalar>
void Softplus(absl::Span<Scalar> t) {
  const hn::ScalableTag<Scalar> d;
  hn::Transform(d, t.data(), t.size(),
                [](auto d, auto v) { return SoftplusOf(d, v); });
}

template <typename Scalar>
void Exp(absl::Span<Scalar> t) {
  const hn::ScalableTag<Scalar> d;
  hn::Transform(d, t.data(), t.size(),
                [](auto d, auto v) { return hn::Exp(d, v); });
}

template <typename Scalar>
void Log(absl::Span<Scalar> t) {
  const hn::ScalableTag<Scalar> d;
  hn::Transform(d, t.data(), t.size(),
                [](auto d, auto v) { return hn::Log(d, v); });
}

void BoxMuller(absl::Span<double> angles, absl::Span<double> radii) {
  const hn::ScalableTag<double> d;
  const auto pair = [](auto d, double* angle, double* radius) {
    const auto turn = hn::Mul(hn::LoadU(d, angle), hn::Set(d, M_PI));
    const auto length =
        hn::Sqrt(hn::Mul(hn::Set(d, -2), hn::Log(d, hn::LoadU(d, radius))));
    hn::StoreU(hn::Mul(hn::Sin(d, turn), length), d, angle);
    hn::StoreU(hn::Mul(hn::Cos(d, turn), length), d, radius);
  };
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= angles.size(); i += lanes) pair(d, &angles[i], &radii[i]);
  if (i == angles.size()) return;
  // The rest in a vector of its own, so that every element is computed alike.
  std::array<double, hn::MaxLanes(hn::ScalableTag<double>())> angle, radius;
  angle.fill(0);
  radius.fill(1);
  std::copy(angles.begin() + i, angles.end(), angle.begin());
  std::copy(radii.begin() + i, radii.end(), radius.begin());
  pair(d, angle.data(), radius.data());
  std::copy_n(angle.begin(), angles.size() - i, angles.begin() + i);
  std::copy_n(radius.begin(), radii.size() - i, radii.begin() + i);
}

template <typename Scalar>
double SumSoftplus(std::type_identity_t<Scalar> scale,
                   absl::Span<const Scalar> t) {
  std::array<Scalar, 256> buffer;
  double total = 0;
  while (!t.empty()) {
    const absl::Span<const Scalar> part = t.subspan(0, buffer.size());
    for (std::size_t i = 0; i < part.size(); ++i) buffer[i] = scale * part[i];
    Softplus(absl::Span<Scalar>(buffer.data(), part.size()));
    for (std::size_t i = 0; i < part.size(); ++i)
      total += static_cast<double>(buffer[i]);
    t.remove_prefix(part.size());
  }
  return total;
}

template <typename Scalar>
void AddScaled(std::type_identity_t<Scalar> scale,
               absl::Span<const Scalar> from, absl::Span<Scalar> to) {
  const hn::ScalableTag<Scalar> d;
  hn::Transform1(d, to.data(), to.size(), from.data(),
                 [scale](auto d, auto sum, auto v) {
                   return hn::MulAdd(hn::Set(d, scale), v, sum);
                 });
}

double Logistic(double t) {
  const double e = std::exp(-std::abs(t));
  return (t < 0 ? e : 1) / (1 + e);
}

double Softplus(double t) {
  return std::max(t, 0.0) + std::log1p(std::exp(-std::abs(t)));
}

double LogSumExp(absl::Span<const double> t) {
  if (t.empty()) return -std::numeric_limits<double>::infinity();
  const double greatest = *std::max_element(t.begin(), t.end());
  if (std::isinf(greatest)) return greatest;
  double sum = 0;
  for (double value : t) sum += std::exp(value - greatest);
  return greatest + std::log(sum);
}

#define POE_INSTANTIATE(Scalar)                                          \
  template void Logistic<Scalar>(absl::Span<Scalar>);                    \
  template void Softplus<Scalar>(absl::Span<Scalar>);                    \
  template void Exp<Scalar>(absl::Span<Scalar>);                         \
  template void Log<Scalar>(absl::Span<Scalar>);                         \
  template double SumSoftplus<Scalar>(Scalar, absl::Span<const Scalar>); \
  template void AddScaled<Scalar>(Scalar, absl::Span<const Scalar>,      \
                                  absl::Span<Scalar>);
POE_INSTANTIATE(float)
POE_INSTANTIATE(double)
#undef POE_INSTANTIATE

}  // namespace poe
