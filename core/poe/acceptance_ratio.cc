#include "poe/acceptance_ratio.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "boost/math/tools/toms748_solve.hpp"
#include "poe/annealed_chains.h"
#include "poe/numerics/elementwise.h"

namespace poe {
namespace {

template <typename Scalar>
absl::Status CheckPair(const Product<Scalar>& a,
                       const ProductSamples<Scalar>& samples_of_a,
                       const Product<Scalar>& b,
                       const ProductSamples<Scalar>& samples_of_b) {
  if (a.base().family() != b.base().family() ||
      a.dimension() != b.dimension() || a.sequential() != b.sequential())
    return absl::InvalidArgumentError(
        "the products are not over the same data: families, dimensions, or "
        "rows and sequences differ");
  if (a.base().num_real_inputs() > 0 || b.base().num_real_inputs() > 0)
    return absl::FailedPreconditionError(
        "log Z of a product with real inputs depends on them");
  if (absl::Status status = CheckSamples(a, samples_of_a); !status.ok())
    return status;
  if (absl::Status status = CheckSamples(b, samples_of_b); !status.ok())
    return status;
  if (samples_of_a.x.size != samples_of_b.x.size)
    return absl::InvalidArgumentError(absl::StrCat(
        "there are ", samples_of_a.x.size, " samples of one product and ",
        samples_of_b.x.size, " of the other; there must be as many"));
  if (samples_of_a.x.length(0) != samples_of_b.x.length(0))
    return absl::InvalidArgumentError(absl::StrCat(
        "samples of one product have ", samples_of_a.x.length(0),
        " frames and those of the other ", samples_of_b.x.length(0)));
  return absl::OkStatus();
}

// log p*_own - log p*_other of samples of `own`: not -infinity, and +infinity
// where the sample is impossible under `other`.
template <typename Scalar>
absl::StatusOr<std::vector<double>> LogRatios(const Observations<Scalar>& x,
                                              const Product<Scalar>& own,
                                              const Product<Scalar>& other,
                                              const Workers& workers) {
  std::vector<double> ratios = own.LogScores(x, workers);
  const std::vector<double> others = other.LogScores(x, workers);
  for (std::size_t n = 0; n < ratios.size(); ++n) ratios[n] -= others[n];
  if (std::none_of(ratios.begin(), ratios.end(),
                   [](double ratio) { return std::isfinite(ratio); }))
    return absl::FailedPreconditionError(
        "no sample of one product is possible under the other");
  return ratios;
}

// log sigma(shift - ratio) of each sample of a product: how readily it is taken
// for one of the other.
std::vector<double> LogAcceptances(const std::vector<double>& ratios,
                                   double shift) {
  std::vector<double> logs(ratios.size());
  for (std::size_t n = 0; n < ratios.size(); ++n)
    logs[n] = -Softplus(ratios[n] - shift);
  return logs;
}

}  // namespace

template <typename Scalar>
absl::StatusOr<LogPartitionDifference> EstimateLogPartitionDifference(
    const Product<Scalar>& a, const ProductSamples<Scalar>& samples_of_a,
    const Product<Scalar>& b, const ProductSamples<Scalar>& samples_of_b,
    const Workers& workers) {
  if (absl::Status status = CheckPair(a, samples_of_a, b, samples_of_b);
      !status.ok())
    return status;
  // D at samples of a, and -D at samples of b.
  const auto of_a = LogRatios(samples_of_a.x, a, b, workers);
  if (!of_a.ok()) return of_a.status();
  const auto of_b = LogRatios(samples_of_b.x, b, a, workers);
  if (!of_b.ok()) return of_b.status();

  // log of the left side minus log of the right one: descends strictly, and no
  // side underflows however far apart the products are.
  const auto excess = [&](double shift) {
    return LogSumExp(LogAcceptances(*of_b, -shift)) -
           LogSumExp(LogAcceptances(*of_a, shift));
  };
  // Where shift is log N below all ratios, each term on the left is at least
  // N / (N + 1) and each on the right at most 1 / (N + 1); above them likewise.
  double least = HUGE_VAL, greatest = -HUGE_VAL;
  const auto widen = [&](double ratio) {
    if (!std::isfinite(ratio)) return;
    least = std::min(least, ratio);
    greatest = std::max(greatest, ratio);
  };
  for (double ratio : *of_a) widen(ratio);
  for (double ratio : *of_b) widen(-ratio);
  const double margin = std::log(static_cast<double>(of_a->size())) + 1;
  std::uintmax_t iterations = 200;
  const auto [low, high] = boost::math::tools::toms748_solve(
      excess, least - margin, greatest + margin,
      boost::math::tools::eps_tolerance<double>(50), iterations);

  LogPartitionDifference difference;
  difference.value = low + (high - low) / 2;
  difference.standard_error = std::hypot(
      LogMeanWeight(LogAcceptances(*of_a, difference.value)).standard_error,
      LogMeanWeight(LogAcceptances(*of_b, -difference.value)).standard_error);
  return difference;
}

template absl::StatusOr<LogPartitionDifference>
EstimateLogPartitionDifference<float>(const Product<float>&,
                                      const ProductSamples<float>&,
                                      const Product<float>&,
                                      const ProductSamples<float>&,
                                      const Workers&);
template absl::StatusOr<LogPartitionDifference>
EstimateLogPartitionDifference<double>(const Product<double>&,
                                       const ProductSamples<double>&,
                                       const Product<double>&,
                                       const ProductSamples<double>&,
                                       const Workers&);

}  // namespace poe
