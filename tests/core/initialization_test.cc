#include "poe/initialization.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "poe/bases/gaussian.h"
#include "poe/experts/unigauss.h"
#include "poe/initial_groups.h"
#include "tests/core/core_models.h"

namespace poe {
namespace {

ProductSettings OneGroup(Index experts, decltype(GroupSettings::kind) kind) {
  ProductSettings settings;
  settings.groups.push_back(
      {.num_experts = experts, .power = 0.5, .kind = std::move(kind)});
  return settings;
}

DataSpec RealSpec() {
  DataSpec spec = UnigaussModel(2, 1, 1).data_spec;
  spec.preprocessing = {};
  return spec;
}

Observations<float> RowsInBox(const DataSpec& spec) {
  static const RowMatrix<float> raw = UniformMatrix(40, 2, 0, 3, 140);
  return Preprocess(spec, RowsOf(raw), 0, 40);
}

Product<float> Initialize(const ProductSettings& settings,
                          std::uint64_t seed = 1) {
  const DataSpec spec = RealSpec();
  return *InitializeProduct(settings, spec, {RowsInBox(spec)}, seed,
                            NeverInterrupt);
}

const Unigauss<float>& UnigaussOf(const Product<float>& product) {
  return dynamic_cast<const Unigauss<float>&>(product.group(0));
}

TEST(InitializationTest, VisibleBiasesAreTheLogOddsOfTheMeans) {
  DataSpec spec;
  spec.dimension = 3;
  RowMatrix<float> raw(4, 3);
  raw << 0, 1, 0, 0, 1, 1, 0, 1, 0, 0, 1, 0;
  const Product<float> product = *InitializeProduct(
      OneGroup(2, BernoulliUnitsSettings{.initial_weight_scale = 0,
                                         .initial_bias = -2}),
      spec, {Preprocess(spec, RowsOf(raw), 0, 4)}, 1, NeverInterrupt);
  const Vector<float>& bias = product.base().parameters();
  // Coordinates that never vary stay possible.
  EXPECT_NEAR(bias(0), std::log(0.01 / 0.99), 1e-5);
  EXPECT_NEAR(bias(1), std::log(0.99 / 0.01), 1e-5);
  EXPECT_NEAR(bias(2), std::log(0.25 / 0.75), 1e-5);
  EXPECT_TRUE(product.group(0).block(0).isZero(0));
  EXPECT_TRUE(product.group(0).block(1).isApproxToConstant(-2));
  EXPECT_EQ(product.group(0).power(), 0.5f);
}

TEST(InitializationTest, WeightsHaveTheirScaleAndFollowTheSeed) {
  const auto settings =
      OneGroup(500, BernoulliUnitsSettings{.initial_weight_scale = 0.2});
  const Product<float> product = Initialize(settings);
  // 6 standard errors of a thousand draws.
  EXPECT_NEAR(product.group(0).block(0).squaredNorm() / 1000, 0.04,
              6 * 0.04 * std::sqrt(2.0 / 1000));
  EXPECT_EQ(Initialize(settings).group(0).parameters(),
            product.group(0).parameters());
  EXPECT_NE(Initialize(settings, 2).group(0).parameters(),
            product.group(0).parameters());
}

TEST(InitializationTest, TheGaussianFactorIsThatOfTheData) {
  auto settings = OneGroup(1, BernoulliUnitsSettings{});
  EXPECT_EQ(Initialize(settings).base().parameters().size(), 0);
  settings.gaussian_factor = true;
  const Product<float> product = Initialize(settings);
  const DataMoments moments = MomentsOf({RowsInBox(RealSpec())});
  const Vector<float>& parameters = product.base().parameters();
  for (Index i = 0; i < 2; ++i) {
    EXPECT_NEAR(parameters(i), moments.mean(i), 1e-5);
    EXPECT_NEAR(parameters(2 + i), std::log(moments.variance(i)), 1e-5);
  }
}

TEST(InitializationTest, CentresAreDataOrFillTheirRange) {
  const Observations<float> rows = RowsInBox(RealSpec());
  const DataMoments moments = MomentsOf({rows});
  UnigaussSettings settings;
  const Product<float> on_data = Initialize(OneGroup(30, settings));
  for (Index m = 0; m < 30; ++m) {
    bool found = false;
    for (Index n = 0; n < rows.size; ++n)
      found = found || rows.values.row(n) == on_data.group(0).block(0).row(m);
    EXPECT_TRUE(found) << "expert " << m;
  }
  settings.centres = UnigaussSettings::Centres::kUniform;
  const Product<float> uniform = Initialize(OneGroup(30, settings));
  settings.centres = UnigaussSettings::Centres::kMean;
  const Product<float> middle = Initialize(OneGroup(30, settings));
  for (Index i = 0; i < 2; ++i) {
    const auto spread = uniform.group(0).block(0).col(i);
    EXPECT_GE(spread.minCoeff(), moments.least(i));
    EXPECT_LE(spread.maxCoeff(), moments.greatest(i));
    EXPECT_GT(spread.maxCoeff() - spread.minCoeff(), 1.5);
    const auto near = middle.group(0).block(0).col(i).array();
    EXPECT_LT((near - static_cast<float>(moments.mean(i))).abs().maxCoeff(),
              0.6 * std::sqrt(moments.variance(i)));
  }
}

TEST(InitializationTest, MomentsCountRowsByWeight) {
  const Observations<float> rows = RowsInBox(RealSpec());
  Examples weighted = {rows, std::vector<float>(40, 1)};
  weighted.weights[3] = 3;
  Examples repeated = {MakeDense<float>(42, 2)};
  repeated.x.values.topRows(40) = rows.values.topRows(40);
  repeated.x.values.row(40) = repeated.x.values.row(41) = rows.values.row(3);
  const DataMoments one = MomentsOf(weighted), other = MomentsOf(repeated);
  EXPECT_LT((one.mean - other.mean).cwiseAbs().maxCoeff(), 1e-12);
  EXPECT_LT((one.variance - other.variance).cwiseAbs().maxCoeff(), 1e-12);
}

TEST(InitializationTest, CentresAreDrawnByWeight) {
  const DataSpec spec = RealSpec();
  Examples examples = {RowsInBox(spec), std::vector<float>(40, 1e-10f)};
  examples.weights[27] = 1;
  for (const Product<float>& product :
       {*InitializeProduct(OneGroup(30, UnigaussSettings{}), spec, examples, 1,
                           NeverInterrupt),
        *InitializeProduct(OneGroup(10, GaussianMixtureSettings{{}, 3}), spec,
                           examples, 1, NeverInterrupt)})
    for (Index m = 0; m < 30; ++m)
      EXPECT_EQ(product.group(0).block(0).row(m), examples.x.values.row(27))
          << "expert " << m;
}

TEST(InitializationTest, TreesCountRowsByWeight) {
  DataSpec spec = RealSpec();
  spec.family = Family::kStructuredGaussian;
  spec.box.reset();
  const Observations<float> rows = RowsInBox(RealSpec());
  Examples weighted = {rows, std::vector<float>(40, 1)};
  weighted.weights[3] = 3;
  Examples repeated = {MakeDense<float>(42, 2)};
  repeated.x.values.topRows(40) = rows.values.topRows(40);
  repeated.x.values.row(40) = repeated.x.values.row(41) = rows.values.row(3);
  const auto fit = [&](const Examples& examples) -> Vector<float> {
    return InitializeProduct(OneGroup(1, GaussianTreeSettings{{}, 1}), spec,
                             examples, 1, NeverInterrupt)
        ->group(0)
        .parameters();
  };
  EXPECT_LT((fit(weighted) - fit(repeated)).cwiseAbs().maxCoeff(), 1e-5);
  EXPECT_GT((fit(weighted) - fit({rows})).cwiseAbs().maxCoeff(), 1e-3);
}

TEST(InitializationTest, UnigaussExpertsStartWideUnlessTold) {
  const DataMoments moments = MomentsOf({RowsInBox(RealSpec())});
  const double log_volume = 2 * std::log(6);
  UnigaussSettings settings;
  const Product<float> plain = Initialize(OneGroup(2, settings));
  EXPECT_NEAR(UnigaussOf(plain).log_volume(), log_volume, 1e-12);
  EXPECT_EQ(plain.group(0).block(1).cols(), 2);
  EXPECT_NEAR(plain.group(0).block(1)(0, 0), std::log(moments.variance.mean()),
              1e-5);
  EXPECT_EQ(plain.group(0).block(2)(0, 0), 0);

  settings.circular = true;
  settings.initial_standard_deviation = 0.3;
  settings.initial_log_volume_odds = 1.5;
  const Product<float> told = Initialize(OneGroup(2, settings));
  EXPECT_TRUE(UnigaussOf(told).circular());
  EXPECT_NEAR(told.group(0).block(1)(1, 0), 2 * std::log(0.3), 1e-6);
  EXPECT_NEAR(told.group(0).block(2)(1, 0), 1.5 - log_volume, 1e-6);
}

TEST(InitializationTest, TheBoxIsPreprocessedLikeTheData) {
  DataSpec spec = RealSpec();
  spec.preprocessing = {Preprocessing::Kind::kStandardize, {1, 2}, {2, 0.5}};
  const PreprocessedBox box = BoxOf(spec);
  EXPECT_DOUBLE_EQ(box.lower(0), (-1 - 1) / 2.0);
  EXPECT_DOUBLE_EQ(box.upper(1), (5 - 2) / 0.5);
  EXPECT_NEAR(box.log_volume, std::log(6 / 2.0) + std::log(6 / 0.5), 1e-12);
}

TEST(LogVarianceBoundsTest, StayWithinWhatExpertsCanHave) {
  const LogVarianceBounds tiny = BoundsOf({}, 1e-17);
  EXPECT_EQ(tiny.least, -kGreatestLogVariance);
  EXPECT_NEAR(tiny.greatest, 2 * std::log(1e-14), 1e-12);
  const LogVarianceBounds huge = BoundsOf({}, 1e17);
  EXPECT_NEAR(huge.least, 2 * std::log(1e14), 1e-12);
  EXPECT_EQ(huge.greatest, kGreatestLogVariance);
}

}  // namespace
}  // namespace poe
