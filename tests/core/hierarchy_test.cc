#include "poe/hierarchy.h"

#include <cmath>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/experts/gaussian_mixture.h"
#include "poe/reconstruction.h"
#include "poe/sampling.h"
#include "poe/scoring.h"
#include "tests/core/core_models.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

double Sigma(double t) { return 1 / (1 + std::exp(-t)); }

// A product of Bernoulli units, written plainly from its parameters.
struct PlainProduct {
  explicit PlainProduct(const Product<float>& product)
      : base(product.base().parameters().cast<double>()),
        weights(product.group(0).block(0).cast<double>()),
        bias(product.group(0).block(1).cast<double>().transpose()) {}

  double LogScore(const Vector<double>& x) const {
    double score = base.dot(x);
    for (Index m = 0; m < bias.size(); ++m)
      score += std::log1p(std::exp(bias(m) + weights.col(m).dot(x)));
    return score;
  }
  Vector<double> Up(const Vector<double>& x) const {
    return Vector<double>(bias + weights.transpose() * x).unaryExpr(&Sigma);
  }
  Vector<double> Down(const Vector<double>& h) const {
    return Vector<double>(base + weights * h).unaryExpr(&Sigma);
  }

  Vector<double> base;
  RowMatrix<double> weights;
  Vector<double> bias;
};

// All vectors of so many bits.
std::vector<Vector<double>> AllBits(Index size) {
  std::vector<Vector<double>> all;
  for (Index s = 0; s < Index{1} << size; ++s) {
    Vector<double> bits(size);
    for (Index i = 0; i < size; ++i) bits(i) = static_cast<double>(s >> i & 1);
    all.push_back(bits);
  }
  return all;
}

// Probability of bits that are independent given their means.
double Probability(const Vector<double>& bits, const Vector<double>& means) {
  double probability = 1;
  for (Index i = 0; i < bits.size(); ++i)
    probability *= bits(i) == 1 ? means(i) : 1 - means(i);
  return probability;
}

TEST(HierarchyTest, LayersScoreWhatTheLayerBelowHides) {
  const Model model = LayeredModel({5, 4, 3, 2}, 2);
  const RowMatrix<float> rows = UniformMatrix(30, 5, 0, 1, 600);
  const Scores scores =
      *Score(model, RowsOf(rows), {}, Workers::Inline(), NeverInterrupt);
  ASSERT_EQ(scores.log_scores.cols(), 6);
  for (Index n = 0; n < rows.rows(); ++n) {
    for (Index c = 0; c < 2; ++c) {
      Vector<double> seen = rows.row(n).transpose().cast<double>();
      for (Index l = 0; l < 3; ++l) {
        const PlainProduct plain(model.classes[c].layers[l]);
        EXPECT_NEAR(scores.log_scores(n, 3 * c + l), plain.LogScore(seen),
                    1e-5);
        seen = plain.Up(seen);
      }
    }
  }
}

TEST(HierarchyTest, SeparatorAndPercentilesSeeTheScoresOfAllLayers) {
  const Model model = LayeredModel({5, 4, 3}, 3);
  ASSERT_TRUE(Validate(model).ok()) << Validate(model);
  ASSERT_EQ(model.separator->num_features(), 6);
  const RowMatrix<float> rows = UniformMatrix(40, 5, 0, 1, 601);
  const Scores scores =
      *Score(model, RowsOf(rows), {}, Workers::Inline(), NeverInterrupt);
  const Classification expected = model.separator->Classify(scores.log_scores);
  EXPECT_EQ(scores.labels, expected.labels);
  EXPECT_EQ(scores.margins, expected.margins);
  for (Index n = 0; n < 40; ++n)
    for (Index c = 0; c < 3; ++c)
      EXPECT_EQ(
          scores.percentiles(n, c),
          model.classes[c].percentiles->Percentile(
              scores.log_scores(n, 2 * c) + scores.log_scores(n, 2 * c + 1)));
}

TEST(HierarchyTest, AllLayersOfRowsOutOfSupportScoreMinusInfinity) {
  Model model = UnigaussModel(2, 3, 1);
  model.classes[0].layers.push_back(BernoulliProduct(3, 2, 7));
  model.classes[0].percentiles.reset();
  ASSERT_TRUE(Validate(model).ok()) << Validate(model);
  RowMatrix<float> rows(2, 2);
  rows << 0, 1, 0, 100;
  const Scores scores =
      *Score(model, RowsOf(rows), {}, Workers::Inline(), NeverInterrupt);
  EXPECT_TRUE(scores.log_scores.row(0).allFinite());
  EXPECT_EQ(scores.log_scores(1, 0), -HUGE_VAL);
  EXPECT_EQ(scores.log_scores(1, 1), -HUGE_VAL);
}

// Data of the top: sum over its states h of p(h) p(x | h), exactly. 5.5
// standard errors are passed by chance less than once in ten million.
TEST(HierarchyTest, SamplesOfTheTopFollowItsDistribution) {
  const Model model = LayeredModel({3, 3, 2}, 1);
  const PlainProduct below(model.classes[0].layers[0]);
  const PlainProduct top(model.classes[0].layers[1]);
  double total = 0;
  std::vector<double> expected(8, 0);
  for (const Vector<double>& h : AllBits(3)) {
    const double weight = std::exp(top.LogScore(h));
    total += weight;
    std::size_t state = 0;
    for (const Vector<double>& x : AllBits(3))
      expected[state++] += weight * Probability(x, below.Down(h));
  }
  SampleOptions options;
  options.layer = 1;
  options.chains = 20000;
  options.steps = 60;
  options.seed = 602;
  RowMatrix<float> values;
  ASSERT_TRUE(Sample(
                  model, options, nullptr, false, Workers::Inline(),
                  [&](const SampledChains& chains) {
                    values = chains.values;
                    return absl::OkStatus();
                  },
                  NeverInterrupt)
                  .ok());
  std::vector<double> counts(8, 0);
  for (Index n = 0; n < options.chains; ++n)
    counts[static_cast<std::size_t>(values(n, 0) + 2 * values(n, 1) +
                                    4 * values(n, 2))] += 1;
  const auto chains = static_cast<double>(options.chains);
  for (std::size_t s = 0; s < 8; ++s) {
    const double share = expected[s] / total;
    EXPECT_NEAR(counts[s] / chains, share,
                5.5 * std::sqrt(share * (1 - share) / chains))
        << "state " << s;
  }
}

// From the probabilities of the row's latents, one step of the top layer, and
// down by means: the expectation over the top's latents, exactly.
TEST(HierarchyTest, ReconstructionsOfTheTopComeDownByMeans) {
  const Model model = LayeredModel({4, 3, 2}, 1);
  const PlainProduct below(model.classes[0].layers[0]);
  const PlainProduct top(model.classes[0].layers[1]);
  const RowMatrix<float> rows = UniformMatrix(5, 4, 0, 1, 603);
  ReconstructOptions options;
  options.layer = 1;
  options.chains = 5000;
  options.seed = 604;
  const RowMatrix<float> found = Reconstruct(model, RowsOf(rows), options,
                                             Workers::Inline(), NeverInterrupt)
                                     ->values;
  for (Index n = 0; n < rows.rows(); ++n) {
    const Vector<double> on =
        top.Up(below.Up(rows.row(n).transpose().cast<double>()));
    Vector<double> mean = Vector<double>::Zero(4), square = mean;
    for (const Vector<double>& z : AllBits(2)) {
      const Vector<double> shown = below.Down(top.Down(z));
      mean += Probability(z, on) * shown;
      square += Probability(z, on) * shown.cwiseProduct(shown);
    }
    for (Index i = 0; i < 4; ++i) {
      const double variance = std::max(square(i) - mean(i) * mean(i), 0.0);
      EXPECT_NEAR(found(n, i), mean(i),
                  5.5 * std::sqrt(variance / options.chains) + 1e-5);
    }
  }
}

TEST(HierarchyTest, MeansOfChainsLeaveTheChainsAlone) {
  const Model model = LayeredModel({5, 4, 3}, 1);
  auto last = [&](bool mean, int thinning) {
    SampleOptions options;
    options.layer = 1;
    options.chains = 6;
    options.steps = 9;
    options.thinning = thinning;
    options.mean = mean;
    options.seed = 605;
    RowMatrix<float> values;
    EXPECT_TRUE(Sample(
                    model, options, nullptr, false, Workers::Inline(),
                    [&](const SampledChains& chains) {
                      values = chains.values;
                      return absl::OkStatus();
                    },
                    NeverInterrupt)
                    .ok());
    return values;
  };
  EXPECT_EQ(last(false, 4), last(false, 0));
  EXPECT_EQ(last(true, 4), last(true, 0));
  EXPECT_TRUE((last(true, 0).array() > 0 && last(true, 0).array() < 1).all());
}

// Data that a chain starts from come back when the layers are sure of
// themselves: each unit is its pixel.
TEST(HierarchyTest, ChainsOfTheTopStartFromTheirData) {
  Model model = LayeredModel({3, 3, 3}, 1);
  for (Product<float>& layer : model.classes[0].layers) {
    layer.mutable_base().UpdateParameters(
        Workers::Inline(), [](auto values) { values.setConstant(-20); });
    layer.mutable_group(0).UpdateParameters(Workers::Inline(), [](auto values) {
      values.setZero();
      for (Index i = 0; i < 3; ++i) values(i * 3 + i) = 40;
      values.tail(3).setConstant(-20);
    });
  }
  RowMatrix<float> rows(2, 3);
  rows << 1, 0, 1, 0, 0, 1;
  const RawRows start = RowsOf(rows);
  for (Index layer : {0, 1}) {
    SampleOptions options;
    options.layer = layer;
    options.chains = 2;
    options.steps = 3;
    ASSERT_TRUE(Sample(
                    model, options, &start, false, Workers::Inline(),
                    [&](const SampledChains& chains) {
                      EXPECT_EQ(chains.values, rows);
                      return absl::OkStatus();
                    },
                    NeverInterrupt)
                    .ok());
  }
}

TEST(HierarchyTest, RowsHaveTheSameBitsAloneAndInAnyBatch) {
  const Model model = LayeredModel({7, 9, 6}, 2);
  const RowMatrix<float> rows = UniformMatrix(23, 7, 0, 1, 606);
  const RawRows all = RowsOf(rows);
  ReconstructOptions options;
  options.layer = 1;
  const Workers workers(3);
  const Scores scores = *Score(model, all, {}, workers, NeverInterrupt);
  const RowMatrix<float> shown =
      Reconstruct(model, all, options, workers, NeverInterrupt)->values;
  for (Index n = 0; n < rows.rows(); ++n) {
    const GatheredRows alone(all, {n});
    EXPECT_EQ(Score(model, alone.View(), {}, Workers::Inline(), NeverInterrupt)
                  ->log_scores,
              scores.log_scores.row(n));
    EXPECT_EQ(Reconstruct(model, alone.View(), options, Workers::Inline(),
                          NeverInterrupt)
                  ->values,
              shown.row(n));
  }
}

TEST(HierarchyTest, LayersThatDoNotFitAreNamed) {
  const Model model = LayeredModel({5, 4, 3}, 2);
  auto refusal = [](const Model& wrong) {
    const absl::Status status = Validate(wrong);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  };
  Model wrong = model;
  wrong.classes[1].layers[1] = BernoulliProduct(5, 3, 1);
  EXPECT_THAT(refusal(wrong),
              HasSubstr("class \"1\": layer 1 sees other data than the 4"));
  wrong = model;
  wrong.classes[1].layers.pop_back();
  EXPECT_THAT(refusal(wrong), HasSubstr("class \"1\" has 1 layers, but"));
  wrong.classes[0].layers.pop_back();
  EXPECT_THAT(refusal(wrong), HasSubstr("the separator knows 2 classes and 4"));
  wrong.classes[0].layers.clear();
  EXPECT_THAT(refusal(wrong), HasSubstr("class \"0\" has no layers"));
  wrong = model;
  wrong.data_spec.input_coordinates = {0};
  EXPECT_THAT(refusal(wrong), HasSubstr("dense rows without inputs"));
}

}  // namespace
}  // namespace poe
