#include "poe/experts/gaussian_tree.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "Eigen/Dense"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/bases/structured_gaussian.h"
#include "poe/experts/gaussian_tree_partition.h"
#include "poe/experts/selected_coordinates.h"
#include "tests/core/exact_distribution.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

using ::testing::HasSubstr;
using Trees = GaussianTree<double>;

// Two experts of two trees over three coordinates, with a uniform.
Trees::Settings Valid() {
  Trees::Settings settings;
  settings.parents = {-1, 0, 1,  1, 2,  -1,  //
                      2,  0, -1, 1, -1, -1};
  settings.weight = RandomMatrix(4, 3, 0.8, 91);
  settings.offset = RandomMatrix(4, 3, 0.5, 92);
  settings.log_variance = RandomMatrix(4, 3, 0.5, 93);
  settings.mixing_logit = RandomMatrix(2, 3, 0.5, 94);
  return settings;
}

void ExpectRefused(absl::string_view text,
                   const std::function<void(Trees::Settings&)>& spoil) {
  Trees::Settings settings = Valid();
  spoil(settings);
  const auto group = Trees::Create(std::move(settings));
  ASSERT_FALSE(group.ok()) << text;
  EXPECT_EQ(group.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(group.status().message(), HasSubstr(text));
}

TEST(GaussianTreeTest, CreateRefusesWhatIsWrong) {
  ASSERT_TRUE(Trees::Create(Valid()).ok());
  ExpectRefused("weights must be M K x D",
                [](auto& s) { s.mixing_logit.resize(0, 3); });
  ExpectRefused("weights must be M K x D",
                [](auto& s) { s.mixing_logit.setZero(3, 2); });
  ExpectRefused("they must be 2 x 2, or 2 x 3 with a uniform",
                [](auto& s) { s.mixing_logit.setZero(2, 4); });
  ExpectRefused("offsets are 4 x 2; they must be 4 x 3",
                [](auto& s) { s.offset.setZero(4, 2); });
  ExpectRefused("log variances are 3 x 3",
                [](auto& s) { s.log_variance.setZero(3, 3); });
  ExpectRefused("11 parents for 4 trees",
                [](auto& s) { s.parents.pop_back(); });
  ExpectRefused("tree 1 of expert 0: the parent of coordinate 2 is 3",
                [](auto& s) { s.parents[5] = 3; });
  ExpectRefused("the parent of coordinate 0 is -2",
                [](auto& s) { s.parents[0] = -2; });
  ExpectRefused("tree 0 of expert 1: coordinate",
                [](auto& s) { s.parents[8] = 1; });
  ExpectRefused("its own ancestor", [](auto& s) { s.parents[0] = 0; });
  ExpectRefused("not finite", [](auto& s) { s.offset(2, 1) = NAN; });
  ExpectRefused("not finite", [](auto& s) { s.mixing_logit(0, 2) = HUGE_VAL; });
  ExpectRefused("out of order", [](auto& s) { s.least_log_variance = 30; });
  ExpectRefused("power", [](auto& s) { s.power = 0; });
}

TEST(GaussianTreeTest, EveryPairIsCoupledOnceInOrder) {
  const auto group = *Trees::Create(Valid());
  std::vector<std::pair<Index, Index>> pairs;
  for (const Coupling& c : group->couplings())
    pairs.emplace_back(c.first, c.second);
  EXPECT_EQ(pairs,
            (std::vector<std::pair<Index, Index>>{{0, 1}, {0, 2}, {1, 2}}));
}

TEST(GaussianTreeTest, WeightsOfRootsAreZeroAndOthersBounded) {
  Trees::Settings settings = Valid();
  settings.weight.setConstant(1e9);
  const auto group = *Trees::Create(settings);
  for (Index t = 0; t < 4; ++t)
    for (Index i = 0; i < 3; ++i)
      EXPECT_EQ(group->block(0)(t, i),
                settings.parents[t * 3 + i] < 0 ? 0 : Trees::kGreatestWeight);
}

TEST(GaussianTreeTest, OffsetsMoveInUnitsOfTheirDeviation) {
  const auto group = *Trees::Create(Valid());
  Vector<double> units = Vector<double>::Ones(group->parameters().size());
  group->StepUnits(Workers::Inline(), units);
  EXPECT_EQ(units(0), 1);
  EXPECT_NEAR(units(group->blocks()[1].offset + 4),
              std::exp(group->block(2)(1, 1) / 2), 1e-14);
}

TEST(GaussianTreeTest, HiddenProbabilitiesAreTheSharesOfTheTrees) {
  const auto group = *Trees::Create(Valid());
  ASSERT_EQ(group->num_hidden(), 4);
  const Observations<double> x = UniformRows(7, 3, -2, 2, 1);
  const auto posterior = group->NewPosterior();
  group->Infer(x, 1, Workers::Inline(), *posterior);
  RowMatrix<double> hidden(8, 4), each(7, 2);
  group->HiddenProbabilities(*posterior, hidden);
  group->ExpertLogScores(*posterior, each);
  const double uniform = std::exp(group->block(3)(1, 2)) /
                         group->block(3).row(1).array().exp().sum();
  for (Index n = 0; n < 7; ++n)
    EXPECT_NEAR(hidden(n, 2) + hidden(n, 3), 1 - uniform / std::exp(each(n, 1)),
                1e-12);
}

TEST(GaussianTreeTest, OneTreeAloneHasNoHiddenProbabilities) {
  EXPECT_EQ(GaussianTrees().make(3, 1)->num_hidden(), 0);
}

// Groups after the first have their own columns; rows the same bits there too.
TEST(GaussianTreeTest, CouplingsGoToTheColumnsOfTheGroup) {
  const auto group = GaussianTreeMixturesInFourDimensions().make_float(3, 1);
  const auto columns = static_cast<Index>(group->couplings().size());
  Observations<float> x = MakeDense<float>(50, 4);
  x.values.topRows(50) =
      UniformRows(50, 4, -2, 2, 3).values.topRows(50).cast<float>();
  auto messages_of = [&](Index begin, Index size, Index first, int threads) {
    Observations<float> part = MakeDense<float>(size, 4);
    part.values.topRows(size) = x.values.middleRows(begin, size);
    for (Index n = 0; n < size; ++n) part.row_ids[n] = begin + n;
    Messages<float> messages;
    messages.linear = RowMatrix<float>::Zero(part.values.rows(), 4);
    messages.precision = messages.linear;
    messages.coupling = RowMatrix<float>::Zero(part.values.rows(), columns + 5);
    messages.first_coupling = first;
    const Workers workers(threads);
    const auto posterior = group->NewPosterior();
    group->Infer(part, 1, workers, *posterior);
    group->AddSampledMessages(part, *posterior, {9, Purpose::kLatents, 1, 2},
                              workers, messages);
    return messages;
  };
  const Messages<float> all = messages_of(0, 50, 5, 3);
  EXPECT_TRUE((all.coupling.leftCols(5).array() == 0).all());
  EXPECT_TRUE((all.coupling.rightCols(columns).array() != 0).any());
  for (Index begin : {0, 7, 33, 49}) {
    const Messages<float> one = messages_of(begin, 1, 0, 1);
    EXPECT_EQ(RowMatrix<float>(one.coupling.row(0).leftCols(columns)),
              RowMatrix<float>(all.coupling.row(begin).rightCols(columns)));
    EXPECT_EQ(RowMatrix<float>(one.precision.row(0)),
              RowMatrix<float>(all.precision.row(begin)));
  }
}

// Also where squares overflow, and where a child hardly differs from its
// parent.
TEST(GaussianTreeTest, FarAwayRowsAndTightTreesStayFinite) {
  Trees::Settings settings = Valid();
  settings.weight.setConstant(1e9);
  settings.offset(1, 1) = -1e300;
  settings.log_variance.setConstant(-1e3);
  const auto group = *Trees::Create(settings);
  Observations<double> x = MakeDense<double>(4, 3);
  x.values.row(0).setConstant(1e308);
  x.values.row(1) << 1e308, -1e308, 1e308;
  x.values.row(2) << 1e150, 0, 1;
  const auto posterior = group->NewPosterior();
  group->Infer(x, 1, Workers::Inline(), *posterior);
  std::vector<double> scores(4, 0);
  group->AddLogScores(*posterior, absl::MakeSpan(scores));
  for (double score : scores) EXPECT_TRUE(std::isfinite(score));
  Vector<double> gradient = Vector<double>::Zero(group->parameters().size());
  group->AddGradient(x, *posterior, std::vector<double>(4, 1),
                     Workers::Inline(), gradient);
  EXPECT_TRUE(gradient.allFinite());
}

// Each coordinate but the first has a parent drawn among those before it.
Trees::Settings RandomTrees(Index trees, Index width) {
  Trees::Settings settings;
  const RowMatrix<double> normal = RandomMatrix(trees, width, 1, 98);
  for (Index m = 0; m < trees; ++m)
    for (Index i = 0; i < width; ++i)
      settings.parents.push_back(
          static_cast<std::int32_t>(
              (1 + std::erf(normal(m, i) / std::sqrt(2.0))) / 2 *
              static_cast<double>(i)) -
          (i == 0 ? 1 : 0));
  settings.weight = settings.offset = settings.log_variance =
      RowMatrix<double>::Zero(trees, width);
  settings.mixing_logit = RowMatrix<double>::Zero(trees, 1);
  return settings;
}

TEST(GaussianTreeTest, TreesWhoseFactorWouldFillMemoryAreRefused) {
  constexpr Index kWidth = 20000;
  auto create = [](Trees::Settings settings) {
    std::vector<std::unique_ptr<ExpertGroup<double>>> groups;
    groups.push_back(*Trees::Create(std::move(settings)));
    return Product<double>::Create(MakeStructuredBase(kWidth),
                                   std::move(groups))
        .status();
  };
  EXPECT_TRUE(create(RandomTrees(1, kWidth)).ok());
  const absl::Status refused = create(RandomTrees(6, kWidth));
  EXPECT_TRUE(absl::IsInvalidArgument(refused)) << refused;
  EXPECT_THAT(refused.message(), HasSubstr("fewer trees"));
  // The same tree six times is no more than one.
  Trees::Settings same = RandomTrees(6, kWidth);
  for (Index m = 1; m < 6; ++m)
    std::copy_n(same.parents.begin(), kWidth,
                same.parents.begin() + m * kWidth);
  EXPECT_TRUE(create(std::move(same)).ok());
}

TEST(GaussianTreePartitionTest, MatchesQuadrature) {
  for (const OracleKind& kind :
       {GaussianTrees(), GaussianTreeMixturesWithUniform()}) {
    for (double power : {1.0, 0.4}) {
      const Product<double> product = ProductOf(kind, power);
      const auto log_partition = GaussianTreeLogPartition(product);
      ASSERT_TRUE(log_partition.ok());
      EXPECT_NEAR(*log_partition,
                  ExactDistribution(product, 1).log_normalizer(), 1e-7)
          << kind.name;
    }
  }
}

// Three single trees over six coordinates: J and h by their definition with
// dense matrices.
TEST(GaussianTreePartitionTest, MatchesDenseDeterminant) {
  constexpr Index kWidth = 6;
  Trees::Settings settings;
  settings.parents = {-1, 0, 1, 2, 3, 4, 3, 3, 3, -1, 3, 0, 5, 0, 1, 1, -1, 4};
  settings.weight = RandomMatrix(3, kWidth, 0.8, 95);
  settings.offset = RandomMatrix(3, kWidth, 0.5, 96);
  settings.log_variance = RandomMatrix(3, kWidth, 0.7, 97);
  settings.mixing_logit = RowMatrix<double>::Zero(3, 1);
  const auto base = MakeStructuredBase(kWidth);
  const Vector<double> mean = base->block(0).transpose();
  Eigen::MatrixXd precision =
      Vector<double>((-base->block(1).transpose()).array().exp()).asDiagonal();
  Vector<double> information = precision * mean;
  const double log_2_pi = std::log(2 * std::acos(-1.0));
  double constant = -mean.dot(information) / 2;
  for (Index t = 0; t < 3; ++t) {
    Eigen::MatrixXd rest = Eigen::MatrixXd::Identity(kWidth, kWidth);
    for (Index i = 0; i < kWidth; ++i)
      if (settings.parents[t * kWidth + i] >= 0)
        rest(i, settings.parents[t * kWidth + i]) -= settings.weight(t, i);
    const Vector<double> s = settings.log_variance.row(t).transpose();
    const Vector<double> b = settings.offset.row(t).transpose();
    const Eigen::MatrixXd inverse =
        Vector<double>((-s).array().exp()).asDiagonal();
    precision += rest.transpose() * inverse * rest;
    information += rest.transpose() * inverse * b;
    constant -= (kWidth * log_2_pi + s.sum() + b.dot(inverse * b)) / 2;
  }
  const double expected =
      constant + (kWidth * log_2_pi - std::log(precision.determinant()) +
                  information.dot(precision.inverse() * information)) /
                     2;
  const auto log_partition = GaussianTreeLogPartition(
      ProductOf(base->Clone(), *Trees::Create(std::move(settings))));
  ASSERT_TRUE(log_partition.ok());
  EXPECT_NEAR(*log_partition, expected, 1e-10);
}

// Seen from outside, trees of all coordinates and of all but the last are
// alike.
TEST(GaussianTreePartitionTest, TreesMaySeeSomeCoordinatesOnly) {
  const OracleKind kind = GaussianTreeMixturesWithUniform();
  const Index width = kind.dimension;
  const auto base = MakeStructuredBase(width + 1);
  std::vector<Index> columns(width);
  for (Index i = 0; i < width; ++i) columns[i] = i;
  const Vector<double> mean = base->block(0).transpose();
  const Vector<double> log_variance = base->block(1).transpose();
  const auto some = GaussianTreeLogPartition(
      ProductOf(base->Clone(), *SelectedCoordinates<double>::Create(
                                   kind.make(2, 0.7), columns, width + 1)));
  const auto all = GaussianTreeLogPartition(
      ProductOf(*StructuredGaussianBase<double>::Create(
                    mean.head(width), log_variance.head(width)),
                kind.make(2, 0.7)));
  ASSERT_TRUE(some.ok()) << some.status();
  ASSERT_TRUE(all.ok());
  EXPECT_NEAR(*some,
              *all + (std::log(2 * std::acos(-1.0)) + log_variance(width)) / 2,
              1e-9);
}

TEST(GaussianTreePartitionTest, SaysWhyItDoesNotApply) {
  auto message = [](const Product<double>& product) {
    const auto result = GaussianTreeLogPartition(product);
    EXPECT_EQ(result.status().code(), absl::StatusCode::kFailedPrecondition);
    return std::string(result.status().message());
  };
  EXPECT_THAT(message(ProductOf(MakeGaussianBase(2, true),
                                BernoulliUnitsOnRealData().make(2, 1))),
              HasSubstr("not a structured Gaussian"));
  EXPECT_THAT(message(ProductOf(MakeStructuredBase(2),
                                GaussianTreeMixturesWithUniform().make(8, 1))),
              HasSubstr("more than 4096 combinations"));
}

}  // namespace
}  // namespace poe
