#include "poe/annealed_importance.h"

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/bases/bernoulli.h"
#include "poe/bases/linear.h"
#include "poe/experts/bernoulli_units.h"
#include "tests/core/exact_distribution.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

Product<double> ProductOf(std::unique_ptr<Base<double>> base,
                          std::unique_ptr<ExpertGroup<double>> group) {
  std::vector<std::unique_ptr<ExpertGroup<double>>> groups;
  groups.push_back(std::move(group));
  return *Product<double>::Create(std::move(base), std::move(groups));
}

Product<double> ProductOf(const OracleKind& kind, double power = 1) {
  return ProductOf(kind.make_base(), kind.make(kind.experts, power));
}

AnnealedImportanceOptions Options(Index chains, int intervals) {
  AnnealedImportanceOptions options;
  options.chains = chains;
  options.inverse_temperatures = EvenInverseTemperatures(intervals);
  options.seed = 17;
  return options;
}

LogPartitionEstimate Estimate(const Product<double>& product,
                              const AnnealedImportanceOptions& options,
                              const Workers& workers = Workers::Inline()) {
  auto estimate =
      EstimateLogPartition(product, options, workers, NeverInterrupt);
  EXPECT_TRUE(estimate.ok()) << estimate.status();
  return *estimate;
}

// The weights' mean is unbiased, so that of its logarithm is low by half the
// relative variance of the mean, error^2 / 2; twice that covers the error's own
// error. 5.5 errors are passed by chance less than once in ten million.
double Bound(const LogPartitionEstimate& estimate) {
  return 5.5 * estimate.standard_error +
         estimate.standard_error * estimate.standard_error;
}

class AnnealedImportanceOfKind : public testing::TestWithParam<OracleKind> {};

TEST_P(AnnealedImportanceOfKind, AgreesWithTheExactNormalizer) {
  const OracleKind& kind = GetParam();
  for (double power : {1.0, 0.5}) {
    const Product<double> product = ProductOf(kind, power);
    const double exact =
        ExactDistribution(product, 1, kind.length).log_normalizer();
    AnnealedImportanceOptions options = Options(4000, 60);
    options.length = kind.length;
    const LogPartitionEstimate estimate = Estimate(product, options);
    EXPECT_NEAR(estimate.value, exact, Bound(estimate) + 1e-9);
    // The bound means something.
    EXPECT_LT(estimate.standard_error, 0.05);
    EXPECT_GT(estimate.effective_sample_size, 400);
    EXPECT_LE(estimate.effective_sample_size, 4000 * (1 + 1e-12));
  }
}

INSTANTIATE_TEST_SUITE_P(AllKinds, AnnealedImportanceOfKind,
                         testing::ValuesIn(KindsWithExactDistribution()),
                         [](const testing::TestParamInfo<OracleKind>& info) {
                           return info.param.name;
                         });

// Errors in units of the claimed one have variance 1: over 60 seeds the mean
// of their squares is within 6 sqrt(2 / 60) of it, save for the bias.
TEST(AnnealedImportanceTest, TheStandardErrorIsTheSpreadOfEstimates) {
  const Product<double> product =
      ProductOf(UnigaussWithVariancePerCoordinate());
  const double exact = ExactDistribution(product, 1).log_normalizer();
  constexpr int kSeeds = 60;
  double squares = 0, sum = 0;
  for (int seed = 0; seed < kSeeds; ++seed) {
    AnnealedImportanceOptions options = Options(300, 8);
    options.seed = static_cast<std::uint64_t>(seed);
    const LogPartitionEstimate estimate = Estimate(product, options);
    const double miss = (estimate.value - exact) / estimate.standard_error;
    sum += miss;
    squares += miss * miss;
  }
  EXPECT_NEAR(squares / kSeeds, 1, 6 * std::sqrt(2.0 / kSeeds));
  EXPECT_GT(squares / kSeeds, 0.3);
  EXPECT_NEAR(sum / kSeeds, 0, 6 / std::sqrt(1.0 * kSeeds));
}

TEST(AnnealedImportanceTest, OneIntervalIsImportanceSamplingFromTheBase) {
  const OracleKind kind = BernoulliUnitsOnBinaryData();
  const Product<double> product = ProductOf(kind);
  const LogPartitionEstimate estimate = Estimate(product, Options(1000, 1));
  Observations<double> x = MakeDense<double>(1000, kind.dimension);
  product.base().SampleStart({17, Purpose::kStart, 0, 0}, x);
  const RowMatrix<double> each = product.ExpertLogScores(x, Workers::Inline());
  double sum = 0;
  for (Index n = 0; n < x.size; ++n) sum += std::exp(each.row(n).sum());
  EXPECT_NEAR(estimate.value,
              *product.base().LogNormalizer() + std::log(sum / 1000), 1e-10);
}

TEST(AnnealedImportanceTest, LongerLaddersHaveLessError) {
  const Product<double> product = ProductOf(CircularUnigauss());
  const LogPartitionEstimate few = Estimate(product, Options(1000, 2));
  const LogPartitionEstimate many = Estimate(product, Options(1000, 100));
  EXPECT_LT(many.standard_error, few.standard_error / 2);
  EXPECT_GT(many.effective_sample_size, few.effective_sample_size);
}

TEST(AnnealedImportanceTest, ConstantExpertsLeaveNoError) {
  const Product<double> product = ProductOf(
      *BernoulliBase<double>::Create(Vector<double>::LinSpaced(4, -1, 1)),
      *BernoulliUnits<double>::Create(RowMatrix<double>::Zero(4, 3),
                                      Vector<double>::Constant(3, 0.7)));
  const LogPartitionEstimate estimate = Estimate(product, Options(20, 5));
  EXPECT_NEAR(estimate.value,
              *product.base().LogNormalizer() + 3 * std::log1p(std::exp(0.7)),
              1e-12);
  EXPECT_NEAR(estimate.standard_error, 0, 1e-12);
  EXPECT_NEAR(estimate.effective_sample_size, 20, 1e-9);
}

TEST(AnnealedImportanceTest, WorkersDoNotChangeABit) {
  const Product<double> product =
      ProductOf(UnigaussWithVariancePerCoordinate());
  const Workers workers(3);
  const LogPartitionEstimate alone = Estimate(product, Options(333, 10));
  const LogPartitionEstimate shared =
      Estimate(product, Options(333, 10), workers);
  EXPECT_EQ(alone.value, shared.value);
  EXPECT_EQ(alone.standard_error, shared.standard_error);
}

TEST(AnnealedImportanceTest, FloatAgreesWithDouble) {
  const OracleKind kind = BernoulliUnitsOnBinaryData();
  std::vector<std::unique_ptr<ExpertGroup<float>>> groups;
  groups.push_back(kind.make_float(kind.experts, 1));
  const auto product = *Product<float>::Create(
      *BernoulliBase<float>::Create(Vector<float>::LinSpaced(5, -0.8f, 0.7f)),
      std::move(groups));
  const auto estimate = EstimateLogPartition(product, Options(4000, 60),
                                             Workers::Inline(), NeverInterrupt);
  ASSERT_TRUE(estimate.ok());
  const double exact = ExactDistribution(ProductOf(kind), 1).log_normalizer();
  EXPECT_NEAR(estimate->value, exact, Bound(*estimate) + 1e-4);
}

std::string Refused(const AnnealedImportanceOptions& options) {
  const auto estimate =
      EstimateLogPartition(ProductOf(CircularUnigauss()), options,
                           Workers::Inline(), NeverInterrupt);
  EXPECT_TRUE(absl::IsInvalidArgument(estimate.status()));
  return std::string(estimate.status().message());
}

TEST(AnnealedImportanceTest, RefusesOptionsOutOfRange) {
  auto with_ladder = [](std::vector<double> ladder) {
    AnnealedImportanceOptions options = Options(10, 1);
    options.inverse_temperatures = std::move(ladder);
    return options;
  };
  EXPECT_THAT(Refused(with_ladder({})), HasSubstr("begin with 0"));
  EXPECT_THAT(Refused(with_ladder({0})), HasSubstr("end with 1"));
  EXPECT_THAT(Refused(with_ladder({0.1, 1})), HasSubstr("begin with 0"));
  EXPECT_THAT(Refused(with_ladder({0, 0.9})), HasSubstr("end with 1"));
  EXPECT_THAT(Refused(with_ladder({0, 0.6, 0.4, 1})),
              HasSubstr("inverse_temperatures[2] is 0.4 after 0.6"));
  EXPECT_THAT(Refused(with_ladder({0, 0.5, 0.5, 1})), HasSubstr("strictly"));
  EXPECT_THAT(Refused(with_ladder({0, std::nan(""), 1})),
              HasSubstr("inverse_temperatures[1]"));
  EXPECT_THAT(Refused(Options(1, 5)), HasSubstr("at least 2"));
  AnnealedImportanceOptions long_rows = Options(10, 5);
  long_rows.length = 3;
  EXPECT_THAT(Refused(long_rows), HasSubstr("no sequences"));
  long_rows.length = 0;
  EXPECT_THAT(Refused(long_rows), HasSubstr("length is 0"));
}

TEST(AnnealedImportanceTest, StopsWhenInterrupted) {
  int asked = 0;
  const auto estimate = EstimateLogPartition(
      ProductOf(CircularUnigauss()), Options(10, 50), Workers::Inline(), [&] {
        return ++asked == 3 ? absl::CancelledError("enough") : absl::OkStatus();
      });
  EXPECT_TRUE(absl::IsCancelled(estimate.status()));
  EXPECT_EQ(asked, 3);
}

// A base whose normalizer nobody knows.
class UnknownBase final : public LinearBase<double> {
 public:
  UnknownBase() { SetBias(Vector<double>::Zero(5), 0).IgnoreError(); }
  Family family() const override { return Family::kBernoulli; }
  std::unique_ptr<Base<double>> Clone() const override {
    return std::make_unique<UnknownBase>();
  }
  bool InSupport(absl::Span<const double>) const override { return true; }
  std::optional<double> LogNormalizer() const override { return std::nullopt; }
  void Reconstruct(const Messages<double>&, Reconstruction, const Draws&,
                   const Workers&, Observations<double>&) const override {}
};

TEST(AnnealedImportanceTest, NeedsABaseWithAKnownNormalizer) {
  const auto estimate =
      EstimateLogPartition(ProductOf(std::make_unique<UnknownBase>(),
                                     BernoulliUnitsOnBinaryData().make(2, 1)),
                           Options(10, 5), Workers::Inline(), NeverInterrupt);
  EXPECT_EQ(estimate.status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace poe
