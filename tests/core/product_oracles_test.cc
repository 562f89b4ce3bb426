// What every product has to pass, whatever its kinds of expert and whether
// values are missing. Its distribution is tried in expert_distribution_test,
// the limit of contrastive divergence in contrastive_divergence_limit_test, and
// that a stored product scores the same, to the bit, in the tests of the
// server's codec: masks are no part of a model.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "gtest/gtest.h"
#include "poe/gibbs.h"
#include "poe/numerics/workers.h"
#include "tests/core/exact_distribution.h"
#include "tests/core/oracle_products.h"

namespace poe {
namespace {

class ProductOracles : public testing::TestWithParam<OracleProduct> {};
class ListedLatents : public testing::TestWithParam<OracleProduct> {};

// The sum of what all experts say in one Gibbs step, without the base.
Messages<double> MessagesOfExperts(const Product<double>& product,
                                   const Observations<double>& x, double beta) {
  auto posteriors = product.NewPosteriors();
  product.Infer(x, beta, Workers::Inline(), posteriors);
  Messages<double> messages, of_base;
  Observations<double> next = x;
  product.Resample(posteriors, 7, 0, Reconstruction::kSample, Workers::Inline(),
                   messages, next);
  product.base().StartMessages(x, Workers::Inline(), of_base);
  messages.linear -= of_base.linear;
  if (messages.precision.size() > 0)
    messages.precision -= of_base.precision;
  else
    messages.precision =
        RowMatrix<double>::Zero(x.values.rows(), x.dimension());
  return messages;
}

std::vector<Coupling> CouplingsOf(const Product<double>& product) {
  std::vector<Coupling> all;
  for (std::size_t i = 0; i < product.num_groups(); ++i) {
    const std::vector<Coupling> own = product.group(i).couplings();
    all.insert(all.end(), own.begin(), own.end());
  }
  return all;
}

TEST_P(ProductOracles, LogScoreMatchesSumOverLatentStates) {
  for (double power : {1.0, 0.3}) {
    const Product<double> product = GetParam().Make(power);
    const Observations<double> x = GetParam().RaggedRows(50, 1);
    for (double beta : {1.0, 0.5, 0.01}) {
      const std::vector<double> scores = TemperedLogScores(product, beta, x);
      std::vector<double> expected(x.size, 0);
      product.base().AddLogScores(x, absl::MakeSpan(expected));
      for (Index n = 0; n < x.size; ++n) {
        expected[n] +=
            GetParam().LogScoreOfExperts(product, power * beta, FramesOf(x, n));
        EXPECT_NEAR(scores[n], expected[n],
                    1e-10 * (1 + std::abs(expected[n])));
      }
    }
  }
}

// A copy whose parameter p, of the base and then of all groups, has moved.
Product<double> Moved(const Product<double>& product, Index p, double step) {
  Product<double> moved = product;
  const auto move = [&](Eigen::Ref<Vector<double>> parameters) {
    parameters(p) += step;
  };
  if (p < product.base().parameters().size()) {
    moved.mutable_base().UpdateParameters(Workers::Inline(), move);
    return moved;
  }
  p -= product.base().parameters().size();
  std::size_t group = 0;
  while (p >= product.group(group).parameters().size())
    p -= product.group(group++).parameters().size();
  moved.mutable_group(group).UpdateParameters(Workers::Inline(), move);
  return moved;
}

TEST_P(ProductOracles, GradientMatchesCentralDifferences) {
  const Product<double> product = GetParam().Make(0.8);
  const Observations<double> x = GetParam().RaggedRows(7, 3);
  std::vector<double> weights(x.size);
  for (Index n = 0; n < x.size; ++n) weights[n] = 0.3 + 0.1 * n;
  for (double beta : {1.0, 0.4}) {
    const Vector<double> gradient =
        LogScoreGradientOf(product, x, weights, beta);
    const double scale = gradient.cwiseAbs().maxCoeff();
    for (Index p = 0; p < gradient.size(); ++p) {
      auto weighted_score = [&](double step) {
        const std::vector<double> scores =
            TemperedLogScores(Moved(product, p, step), beta, x);
        double sum = 0;
        for (Index n = 0; n < x.size; ++n) sum += weights[n] * scores[n];
        return sum;
      };
      // Richardson's extrapolation of two central differences.
      const double h = 1e-3;
      const double wide = (weighted_score(h) - weighted_score(-h)) / (2 * h);
      const double narrow =
          (weighted_score(h / 2) - weighted_score(-h / 2)) / h;
      const double numeric = (4 * narrow - wide) / 3;
      EXPECT_NEAR(gradient(p), numeric,
                  1e-6 * std::max(std::abs(numeric), 0.01 * scale))
          << "parameter " << p;
    }
  }
}

// Adds up numbers whose mean is known.
class MeanCheck {
 public:
  void Add(double value, double expected) {
    const double error = value - expected;
    ++count_;
    sum_ += error;
    squares_ += error * error;
    greatest_ = std::max(greatest_, std::abs(error));
  }
  // In six standard errors; the greatest single error stands for values too
  // rare to show in the variance.
  void ExpectMean() const {
    EXPECT_NEAR(
        sum_ / count_, 0,
        6 * std::sqrt(squares_) / count_ + 6 * greatest_ / count_ + 1e-6);
  }

 private:
  double count_ = 0, sum_ = 0, squares_ = 0, greatest_ = 0;
};

// Log f at frames whose values i and j have moved.
class MovedLogScore {
 public:
  MovedLogScore(const OracleProduct& oracle, const Product<double>& product,
                double power, const RowMatrix<double>& x)
      : oracle_(oracle), product_(product), power_(power), x_(x) {}

  double Slope(Index i) const {
    return (At(i, kStep, i, 0) - At(i, -kStep, i, 0)) / (2 * kStep);
  }
  double Curvature(Index i, Index j) const {
    return (At(i, kStep, j, kStep) - At(i, kStep, j, -kStep) -
            At(i, -kStep, j, kStep) + At(i, -kStep, j, -kStep)) /
           (4 * kStep * kStep);
  }

 private:
  static constexpr double kStep = 1e-3;
  double At(Index i, double by, Index j, double and_by) const {
    RowMatrix<double> moved = x_;
    moved.data()[i] += by;
    moved.data()[j] += and_by;
    return oracle_.LogScoreOfExperts(product_, power_, moved);
  }

  const OracleProduct& oracle_;
  const Product<double>& product_;
  double power_;
  RowMatrix<double> x_;
};

// Given z, the slope of log g(x, z) in x is s = h - J x. So the mean of s over
// the posterior of all latents is the slope of log f, and the mean of s s' - J,
// s without its mean, is the curvature of log f: where latents were drawn
// dependently or not from their posteriors, one of these were wrong. It holds
// for latents of any kind, continuous ones too.
TEST_P(ProductOracles, MessagesHaveTheMomentsOfThePosterior) {
  constexpr Index kRows = 40, kRepeats = 250;
  const double power = 0.8, beta = 0.7;
  const Product<double> product = GetParam().Make(power);
  const Observations<double> few = GetParam().Rows(kRows, 6);
  Observations<double> x = Repeat(few, 0, kRows * kRepeats);
  const Index length = few.length(0), width = few.dimension();
  const Index values = length * width;
  for (Index n = 0; n < x.size; ++n)
    x.values.middleRows(n * length, length) =
        few.values.middleRows(n % kRows * length, length);
  GetParam().Mask(x);
  const Messages<double> messages = MessagesOfExperts(product, x, beta);
  const std::vector<Coupling> couplings = CouplingsOf(product);
  std::vector<MeanCheck> slopes(values), curvatures(values * values);
  for (Index row = 0; row < kRows; ++row) {
    const RowMatrix<double> frames = FramesOf(few, row);
    const MovedLogScore log_score(GetParam(), product, power * beta, frames);
    Vector<double> mean(values);
    RowMatrix<double> curvature(values, values);
    for (Index i = 0; i < values; ++i) {
      mean(i) = log_score.Slope(i);
      for (Index j = 0; j <= i; ++j)
        curvature(i, j) = log_score.Curvature(i, j);
    }
    for (Index n = row; n < x.size; n += kRows) {
      RowMatrix<double> precision = RowMatrix<double>::Zero(values, values);
      Vector<double> slope(values);
      for (Index t = 0; t < length; ++t) {
        const Index frame = n * length + t, first = t * width;
        slope.segment(first, width) = messages.linear.row(frame).transpose();
        for (Index i = 0; i < width; ++i)
          precision(first + i, first + i) = messages.precision(frame, i);
        for (std::size_t e = 0; e < couplings.size(); ++e) {
          const Index i = first + couplings[e].first;
          const Index j = first + couplings[e].second;
          const double entry = messages.coupling(frame, static_cast<Index>(e));
          precision(i, j) += entry;
          precision(j, i) += entry;
        }
      }
      slope -=
          precision * Eigen::Map<const Vector<double>>(frames.data(), values);
      for (Index i = 0; i < values; ++i) {
        slopes[i].Add(slope(i), mean(i));
        for (Index j = 0; j <= i; ++j)
          curvatures[i * values + j].Add(
              (slope(i) - mean(i)) * (slope(j) - mean(j)) - precision(i, j),
              curvature(i, j));
      }
    }
  }
  for (Index i = 0; i < values; ++i) {
    SCOPED_TRACE(i);
    slopes[i].ExpectMean();
    for (Index j = 0; j <= i; ++j) curvatures[i * values + j].ExpectMean();
  }
}

// Of one expert in each group. Continuous latents cannot be listed: that what
// they send is right in the mean and in its variance is shown above.
TEST_P(ListedLatents, MessagesAreTheChangeOfTheJoint) {
  const double beta = 0.6;
  const Product<double> product = GetParam().MakeSmall(1);
  const Observations<double> x = GetParam().Rows(100, 4);
  const Observations<double> other = GetParam().Rows(100, 5);
  const Messages<double> messages = MessagesOfExperts(product, x, beta);
  const std::vector<Coupling> couplings = CouplingsOf(product);
  for (Index n = 0; n < x.size; ++n) {
    const RowMatrix<double> from = FramesOf(x, n), to = FramesOf(other, n);
    // For all states of all experts together.
    std::vector<double> expected = {0};
    for (std::size_t i = 0; i < product.num_groups(); ++i) {
      const OraclePart& part = GetParam().parts[i];
      std::vector<double> more;
      for (Index z = 0; z < part.kind.states; ++z)
        for (double change : expected)
          more.push_back(
              change + beta * part.power *
                           (part.kind.log_joint(product.group(i), 0, z, to) -
                            part.kind.log_joint(product.group(i), 0, z, from)));
      expected = std::move(more);
    }
    const double change =
        ChangeOf(messages, couplings, n * x.length(n), from, to);
    double closest = HUGE_VAL;
    for (double value : expected)
      closest = std::min(closest, std::abs(change - value));
    EXPECT_LT(closest, 1e-9 * (1 + std::abs(change)));
  }
}

// Rows out of the base's support have no log score, which is an answer.
TEST_P(ProductOracles, ExtremeRowsHaveFiniteScoresAndDraws) {
  // Beyond this, draws themselves may leave the range of float.
  constexpr double kFar = 1e30;
  Observations<double> rows = GetParam().ExtremeRows();
  rows.values = rows.values.cwiseMax(-kFar).cwiseMin(kFar);
  for (double power : {1.0, 1e-3}) {
    const Product<float> product = GetParam().MakeFloat(power);
    Observations<float> x = Cast<float>(rows);
    EXPECT_TRUE(product.ExpertLogScores(x, Workers::Inline()).allFinite());
    const std::vector<bool> in_support = product.InSupport(x);
    const std::vector<double> scores = product.LogScores(x, Workers::Inline());
    for (Index n = 0; n < x.size; ++n) {
      EXPECT_FALSE(std::isnan(scores[n]));
      EXPECT_TRUE(std::isfinite(scores[n]) || !in_support[n]);
    }
    GibbsOptions options;
    options.seed = 9;
    options.inverse_temperatures = {1};
    ASSERT_TRUE(
        RunGibbs(product, options, Workers::Inline(), NeverInterrupt, x).ok());
    EXPECT_TRUE(x.values.allFinite());
  }
}

TEST_P(ProductOracles, RowsHaveTheSameBitsAloneAndInAnyBatch) {
  const Product<float> product = GetParam().MakeFloat(0.7);
  const Observations<float> x = Cast<float>(GetParam().RaggedRows(203, 9));
  auto steps_from = [&](Observations<float> rows, const Workers& workers) {
    GibbsOptions options;
    options.seed = 10;
    options.inverse_temperatures = {0.5, 1};
    EXPECT_TRUE(RunGibbs(product, options, workers, NeverInterrupt, rows).ok());
    return rows.values;
  };
  const Workers three(3);
  const std::vector<double> all = product.LogScores(x, three);
  const RowMatrix<float> all_steps = steps_from(x, three);
  EXPECT_NE(all_steps, x.values);
  const std::vector<Index> starts = x.FrameStarts();
  for (Index size : {1, 2, 3, 5, 17, 64}) {
    for (Index begin = 0; begin + size <= x.size; begin += 31) {
      const Observations<float> part = Slice(x, begin, size);
      const std::vector<double> scores =
          product.LogScores(part, Workers::Inline());
      EXPECT_EQ(std::memcmp(scores.data(), &all[begin], size * sizeof(double)),
                0);
      const RowMatrix<float> steps = steps_from(part, Workers::Inline());
      EXPECT_EQ(std::memcmp(steps.data(), all_steps.row(starts[begin]).data(),
                            part.frames() * x.dimension() * sizeof(float)),
                0);
    }
  }
}

constexpr auto kNameOfProduct =
    [](const testing::TestParamInfo<OracleProduct>& info) {
      return info.param.name;
    };

INSTANTIATE_TEST_SUITE_P(AllProducts, ProductOracles,
                         testing::ValuesIn(AllOracleProducts()),
                         kNameOfProduct);
INSTANTIATE_TEST_SUITE_P(AllProducts, ListedLatents,
                         testing::ValuesIn(ProductsWithListedLatents()),
                         kNameOfProduct);

}  // namespace
}  // namespace poe
