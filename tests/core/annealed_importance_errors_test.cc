#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/annealed_importance.h"
#include "poe/bases/linear.h"
#include "poe/incomplete_scoring.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

AnnealedImportanceOptions Annealing(Index chains, int intervals) {
  AnnealedImportanceOptions options;
  options.chains = chains;
  options.inverse_temperatures = EvenInverseTemperatures(intervals);
  return options;
}

std::string Refused(const AnnealedImportanceOptions& options) {
  const auto estimate =
      EstimateLogPartition(ProductOf(CircularUnigauss()), options,
                           Workers::Inline(), NeverInterrupt, IgnoreProgress);
  EXPECT_TRUE(absl::IsInvalidArgument(estimate.status()));
  return std::string(estimate.status().message());
}

TEST(AnnealedImportanceErrorsTest, RefusesOptionsOutOfRange) {
  auto with_ladder = [](std::vector<double> ladder) {
    AnnealedImportanceOptions options = Annealing(10, 1);
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
  EXPECT_THAT(Refused(Annealing(1, 5)), HasSubstr("at least 2"));
  AnnealedImportanceOptions long_rows = Annealing(10, 5);
  long_rows.length = 3;
  EXPECT_THAT(Refused(long_rows), HasSubstr("no sequences"));
  long_rows.length = 0;
  EXPECT_THAT(Refused(long_rows), HasSubstr("length is 0"));
}

TEST(AnnealedImportanceErrorsTest, RefusesSamplesThatAreNotTheProducts) {
  const OracleKind kind = CircularUnigauss();
  const Product<double> product = ProductOf(kind);
  const Observations<double> rows = kind.rows(4, 1);
  const auto refused = [](const Product<double>& asked,
                          const Observations<double>& x, Index length) {
    AnnealedImportanceOptions options = Annealing(4, 5);
    options.length = length;
    const auto estimates = EstimateLogPartitionBothWays(
        asked, {x, true}, options, Workers::Inline(), NeverInterrupt,
        IgnoreProgress);
    EXPECT_TRUE(absl::IsInvalidArgument(estimates.status()));
    return std::string(estimates.status().message());
  };
  EXPECT_THAT(refused(product, kind.rows(1, 1), 1), HasSubstr("1 samples"));
  EXPECT_THAT(refused(product, MakeDense<double>(4, 1), 1),
              HasSubstr("rows of 1 columns"));
  EXPECT_THAT(refused(product, AsSequences(rows, 2), 1),
              HasSubstr("are sequences"));
  Observations<double> clamped = rows;
  clamped.clamped.assign(rows.values.size(), 0);
  EXPECT_THAT(refused(product, clamped, 1), HasSubstr("clamped"));
  Observations<double> outside = rows;
  outside.values(2, 0) = kBoxUpper + 1;
  EXPECT_THAT(refused(product, outside, 1),
              HasSubstr("sample 2 is out of support"));

  // The ladder ascends in this direction too.
  AnnealedImportanceOptions descending;
  descending.inverse_temperatures = {1, 0.5, 0};
  EXPECT_TRUE(absl::IsInvalidArgument(
      EstimateLogPartitionInReverse(product, {rows, true}, descending,
                                    Workers::Inline(), NeverInterrupt,
                                    IgnoreProgress)
          .status()));

  const OracleKind sequences = HiddenMarkovOnSymbols();
  const Product<double> markov = ProductOf(sequences);
  EXPECT_THAT(refused(markov, sequences.ragged(3, 1), 1),
              HasSubstr("that of one length"));
  EXPECT_THAT(refused(markov, sequences.rows(3, 1), sequences.length + 1),
              HasSubstr("forward chains"));
}

TEST(AnnealedImportanceErrorsTest, StopsWhenInterrupted) {
  int asked = 0;
  const auto check = [&] {
    return ++asked == 3 ? absl::CancelledError("enough") : absl::OkStatus();
  };
  const Product<double> product = ProductOf(CircularUnigauss());
  EXPECT_TRUE(absl::IsCancelled(EstimateLogPartition(product, Annealing(10, 50),
                                                     Workers::Inline(), check,
                                                     IgnoreProgress)
                                    .status()));
  EXPECT_EQ(asked, 3);
  asked = 0;
  EXPECT_TRUE(absl::IsCancelled(
      EstimateLogPartitionInReverse(
          product, {CircularUnigauss().rows(10, 1), false}, Annealing(10, 50),
          Workers::Inline(), check, IgnoreProgress)
          .status()));
  EXPECT_EQ(asked, 3);
}

TEST(AnnealedImportanceErrorsTest, ProgressAscendsToOne) {
  const Product<double> product = ProductOf(CircularUnigauss());
  std::vector<double> shares = {0};
  // The chains go in several batches.
  const auto estimates = EstimateLogPartitionBothWays(
      product, {CircularUnigauss().rows(300, 1), false}, Annealing(600, 5),
      Workers::Inline(), NeverInterrupt, [&](double share) {
        EXPECT_GT(share, shares.back());
        shares.push_back(share);
      });
  ASSERT_TRUE(estimates.ok());
  EXPECT_EQ(shares.size(), 1u + 5 * (3 + 2));
  EXPECT_DOUBLE_EQ(shares.back(), 1);
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
  void AddLogNormalizers(const Observations<double>&,
                         absl::Span<double>) const override {}
  void Reconstruct(const Messages<double>&, Reconstruction, const Draws&,
                   const Workers&, Observations<double>&) const override {}
};

TEST(AnnealedImportanceErrorsTest, NeedsABaseWithAKnownNormalizer) {
  const Product<double> product = ProductOf(
      std::make_unique<UnknownBase>(), BernoulliUnitsOnBinaryData().make(2, 1));
  EXPECT_TRUE(absl::IsFailedPrecondition(
      EstimateLogPartition(product, Annealing(10, 5), Workers::Inline(),
                           NeverInterrupt, IgnoreProgress)
          .status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(
      EstimateLogPartitionInReverse(
          product, {BernoulliUnitsOnBinaryData().rows(4, 1), true},
          Annealing(10, 5), Workers::Inline(), NeverInterrupt, IgnoreProgress)
          .status()));
  IncompleteScoreOptions options;
  options.inverse_temperatures = EvenInverseTemperatures(5);
  EXPECT_TRUE(absl::IsFailedPrecondition(
      EstimateIncompleteLogScores(
          product, BernoulliUnitsOnBinaryData().rows(4, 1), options,
          Workers::Inline(), NeverInterrupt, IgnoreProgress)
          .status()));
}

}  // namespace
}  // namespace poe
