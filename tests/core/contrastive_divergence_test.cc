#include "poe/contrastive_divergence.h"

#include <cmath>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/exact_distribution.h"
#include "tests/core/expert_oracles.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

Product<double> MakeProduct(const OracleKind& kind) {
  return ProductOf(kind.make_base(), kind.make(kind.experts, 1),
                   kind.make(2, 0.5));
}

std::vector<OracleKind> Kinds() {
  return {BernoulliUnitsOnBinaryData(), BernoulliUnitsOnRealData(),
          UnigaussWithVariancePerCoordinate(), CircularUnigauss()};
}

Vector<double> AllGradients(const ContrastiveDivergence<double>& divergence,
                            std::size_t groups) {
  Vector<double> all = divergence.base_gradient();
  for (std::size_t i = 0; i < groups; ++i) {
    const Vector<double>& part = divergence.group_gradient(i);
    all.conservativeResize(all.size() + part.size());
    all.tail(part.size()) = part;
  }
  return all;
}

Vector<double> GradientOf(const Product<double>& product,
                          const Observations<double>& data,
                          absl::Span<const double> weights = {},
                          const Workers& workers = Workers::Inline()) {
  ContrastiveDivergence<double> divergence(product);
  divergence.ComputeGradient(data, weights, 2, Reconstruction::kSample, 60, 3,
                             workers);
  return AllGradients(divergence, product.num_groups());
}

TEST(ContrastiveDivergenceTest, SettingsAtFaultAreNamed) {
  const ContrastiveDivergenceSettings good;
  EXPECT_TRUE(Validate(good).ok());
  auto refused = [&](auto change) {
    ContrastiveDivergenceSettings settings = good;
    change(settings);
    const absl::Status status = Validate(settings);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(refused([](auto& s) { s.epochs = 0; }), HasSubstr("epochs"));
  EXPECT_THAT(refused([](auto& s) { s.updates = 5; }), HasSubstr("updates"));
  EXPECT_THAT(refused([](auto& s) { s.epochs = -1; }), HasSubstr("epochs"));
  EXPECT_THAT(refused([](auto& s) { s.batch_size = 0; }),
              HasSubstr("batch_size"));
  EXPECT_THAT(refused([](auto& s) { s.batch_size = -2; }),
              HasSubstr("batch_size"));
  EXPECT_THAT(refused([](auto& s) { s.gibbs_steps = 0; }),
              HasSubstr("gibbs_steps"));
  EXPECT_THAT(refused([](auto& s) { s.gibbs_steps = kMostGibbsSteps + 1; }),
              HasSubstr("gibbs_steps"));
  EXPECT_THAT(refused([](auto& s) { s.grow_gibbs_steps_every = -1; }),
              HasSubstr("grow_gibbs_steps_every"));
  EXPECT_THAT(refused([](auto& s) {
                s.early_stopping = EarlyStopping{.patience = -1};
              }),
              HasSubstr("early_stopping.patience is -1"));
  EXPECT_THAT(refused([](auto& s) {
                s.early_stopping.emplace();
                s.optimizer.average_share = 0.25;
              }),
              HasSubstr("with optimizer.average_share 0.25"));
  EXPECT_THAT(refused([](auto& s) { s.optimizer.rate = 0; }),
              HasSubstr("optimizer.rate"));
}

// Written once more from its parts: data minus reconstruction, as a mean.
TEST(ContrastiveDivergenceTest, IsTheGradientOnDataMinusReconstruction) {
  for (const OracleKind& kind : Kinds()) {
    const Product<double> product = MakeProduct(kind);
    const Observations<double> data = kind.rows(30, 61);
    for (const Reconstruction reconstruction :
         {Reconstruction::kMean, Reconstruction::kSample}) {
      ContrastiveDivergence<double> divergence(product);
      divergence.ComputeGradient(data, {}, 3, reconstruction, 62, 7,
                                 Workers::Inline());
      Observations<double> x = data;
      auto posteriors = product.NewPosteriors();
      Messages<double> messages;
      for (std::uint32_t k = 0; k < 3; ++k) {
        product.Infer(x, 1, Workers::Inline(), posteriors);
        product.Resample(posteriors, 62, 7 * kMostGibbsSteps + k,
                         reconstruction, Workers::Inline(), messages, x);
      }
      const std::vector<double> weights(30, 1.0 / 30);
      const Vector<double> expected =
          LogScoreGradientOf(product, data, weights) -
          LogScoreGradientOf(product, x, weights);
      const Vector<double> gradient = AllGradients(divergence, 2);
      EXPECT_LT((gradient - expected).norm(), 1e-12 * (1 + expected.norm()));
      EXPECT_NEAR(divergence.gradient_norm(),
                  expected.norm() / std::sqrt(expected.size()), 1e-12);
      EXPECT_NEAR(divergence.reconstruction_error(),
                  (x.values - data.values).squaredNorm() /
                      static_cast<double>(30 * kind.dimension),
                  1e-12);
    }
  }
}

TEST(ContrastiveDivergenceTest, AWeightCountsARowThatManyTimes) {
  for (const OracleKind& kind : Kinds()) {
    const Product<double> product = MakeProduct(kind);
    const Observations<double> data = kind.rows(3, 63);
    // Rows of the same id draw the same.
    Observations<double> repeated = MakeDense<double>(6, kind.dimension);
    const Index of[] = {0, 0, 0, 1, 1, 2};
    for (Index n = 0; n < 6; ++n) {
      repeated.values.row(n) = data.values.row(of[n]);
      repeated.row_ids[n] = data.row_ids[of[n]];
    }
    const Vector<double> expected = GradientOf(product, repeated);
    for (double unit : {1.0, 0.125}) {
      const std::vector<double> weights = {3 * unit, 2 * unit, unit};
      EXPECT_LT((GradientOf(product, data, weights) - expected).norm(),
                1e-12 * (1 + expected.norm()));
    }
  }
}

TEST(ContrastiveDivergenceTest, RowsThatWeighNothingTeachNothing) {
  const Product<double> product = MakeProduct(BernoulliUnitsOnBinaryData());
  const std::vector<double> nothing(5, 0);
  const Vector<double> gradient =
      GradientOf(product, BernoulliUnitsOnBinaryData().rows(5, 64), nothing);
  EXPECT_EQ(gradient.norm(), 0);
}

TEST(ContrastiveDivergenceTest, HasTheSameBitsAtAnyThreadCountAndWhenReused) {
  for (const OracleKind& kind : Kinds()) {
    const Product<double> product = MakeProduct(kind);
    const Observations<double> data = kind.rows(107, 65);
    const Vector<double> expected = GradientOf(product, data);
    for (int threads : {2, 3}) {
      const Workers workers(threads);
      EXPECT_EQ(GradientOf(product, data, {}, workers), expected);
    }
    ContrastiveDivergence<double> reused(product);
    reused.ComputeGradient(kind.rows(300, 66), {}, 1, Reconstruction::kMean, 1,
                           1, Workers::Inline());
    reused.ComputeGradient(data, {}, 2, Reconstruction::kSample, 60, 3,
                           Workers::Inline());
    EXPECT_EQ(AllGradients(reused, 2), expected);
  }
}

}  // namespace
}  // namespace poe
