#include "poe/bases/structured_gaussian.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "Eigen/Dense"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace poe {
namespace {

using ::testing::HasSubstr;

constexpr Index kWidth = 4;

template <typename Scalar>
std::unique_ptr<StructuredGaussianBase<Scalar>> MakeBase() {
  auto base = *StructuredGaussianBase<Scalar>::Create(
      Vector<Scalar>::LinSpaced(kWidth, -0.5, 1),
      Vector<Scalar>::LinSpaced(kWidth, 0.4, -0.6));
  // The first pair twice, as two groups would name it.
  base->Couple({{0, 1}, {1, 2}, {0, 1}, {2, 3}});
  return base;
}

// What experts might have added, different in every row.
template <typename Scalar>
Messages<Scalar> MakeMessages(const StructuredGaussianBase<Scalar>& base,
                              const Observations<Scalar>& x) {
  Messages<Scalar> messages;
  base.StartMessages(x, Workers::Inline(), messages);
  for (Index n = 0; n < x.size; ++n) {
    const auto id = static_cast<Scalar>(x.row_ids[n] % 7);
    for (Index i = 0; i < kWidth; ++i) {
      messages.linear(n, i) += std::sin(id + Scalar(3) * i);
      messages.precision(n, i) += 2 + id / 4;
    }
    for (Index e = 0; e < 4; ++e)
      messages.coupling(n, e) += std::cos(id + Scalar(2) * e) / 2;
  }
  return messages;
}

Eigen::MatrixXd DensePrecision(const Messages<double>& messages,
                               const std::vector<Coupling>& couplings,
                               Index n) {
  Eigen::MatrixXd dense =
      messages.precision.row(n).transpose().asDiagonal().toDenseMatrix();
  for (std::size_t e = 0; e < couplings.size(); ++e) {
    const auto [i, j] = couplings[e];
    dense(i, j) += messages.coupling(n, static_cast<Index>(e));
    dense(j, i) = dense(i, j);
  }
  return dense;
}

TEST(StructuredGaussianTest, CreateRefusesWhatIsWrong) {
  using Base = StructuredGaussianBase<double>;
  const Vector<double> two = Vector<double>::Zero(2);
  EXPECT_THAT(Base::Create(two, Vector<double>::Zero(3)).status().message(),
              HasSubstr("2 means and 3 log variances"));
  EXPECT_FALSE(Base::Create(Vector<double>(), Vector<double>()).ok());
  Vector<double> bad = two;
  bad(1) = std::numeric_limits<double>::infinity();
  EXPECT_THAT(Base::Create(bad, two).status().message(),
              HasSubstr("not finite"));
  EXPECT_THAT(Base::Create(two, bad).status().message(),
              HasSubstr("not finite"));
}

TEST(StructuredGaussianTest, LogVariancesAreKeptWithinBounds) {
  const auto base = *StructuredGaussianBase<double>::Create(
      Vector<double>::Zero(2), Vector<double>::LinSpaced(2, -1e4, 1e4));
  EXPECT_EQ(base->block(1)(0, 0), -base->kGreatestLogVariance);
  EXPECT_EQ(base->block(1)(0, 1), base->kGreatestLogVariance);
}

TEST(StructuredGaussianTest, LogScoreIsTheQuadraticForm) {
  const auto base = MakeBase<double>();
  Observations<double> x = MakeDense<double>(1, kWidth);
  x.values.row(0) << 0.3, -2, 1.5, 4;
  std::vector<double> scores = {10};
  base->AddLogScores(x, absl::MakeSpan(scores));
  double expected = 10;
  for (Index i = 0; i < kWidth; ++i) {
    const double distance = x.values(0, i) - base->block(0)(0, i);
    expected -= distance * distance / (2 * std::exp(base->block(1)(0, i)));
  }
  EXPECT_NEAR(scores[0], expected, 1e-12);
}

TEST(StructuredGaussianTest, GradientMatchesCentralDifferences) {
  const auto base = MakeBase<double>();
  Observations<double> x = MakeDense<double>(5, kWidth);
  for (Index n = 0; n < 5; ++n)
    for (Index i = 0; i < kWidth; ++i)
      x.values(n, i) = std::sin(1.0 + 3.0 * n + 7.0 * i);
  const std::vector<double> weights = {0.2, 0.5, 1, -0.3, 0.7};
  Vector<double> gradient = Vector<double>::Ones(2 * kWidth);
  base->AddGradient(x, weights, gradient);
  for (Index p = 0; p < gradient.size(); ++p) {
    auto weighted = [&](double step) {
      const auto moved = base->Clone();
      moved->UpdateParameters(Workers::Inline(),
                              [&](auto parameters) { parameters(p) += step; });
      std::vector<double> scores(5, 0);
      moved->AddLogScores(x, absl::MakeSpan(scores));
      double sum = 0;
      for (Index n = 0; n < 5; ++n) sum += weights[n] * scores[n];
      return sum;
    };
    const double h = 1e-4;
    EXPECT_NEAR(gradient(p) - 1, (weighted(h) - weighted(-h)) / (2 * h), 1e-7);
  }
}

TEST(StructuredGaussianTest, AFixedBaseHasNoGradient) {
  const auto base = *StructuredGaussianBase<double>::Create(
      Vector<double>::Zero(2), Vector<double>::Zero(2), true);
  Observations<double> x = MakeDense<double>(1, 2);
  x.values.setOnes();
  Vector<double> gradient = Vector<double>::Zero(4);
  base->AddGradient(x, std::vector<double>{1}, gradient);
  EXPECT_EQ(gradient, Vector<double>::Zero(4));
}

TEST(StructuredGaussianTest, MeansSolveTheSummedPrecision) {
  const auto base = MakeBase<double>();
  Observations<double> x = MakeDense<double>(9, kWidth);
  const Messages<double> messages = MakeMessages(*base, x);
  base->Reconstruct(messages, Reconstruction::kMean, {1, Purpose::kData, 0, 0},
                    Workers::Inline(), x);
  for (Index n = 0; n < x.size; ++n) {
    const Vector<double> mean = x.values.row(n).transpose();
    const Vector<double> left =
        DensePrecision(messages, base->couplings(), n) * mean;
    EXPECT_LT((left - messages.linear.row(n).transpose()).cwiseAbs().maxCoeff(),
              1e-12);
  }
}

// Moments of draws in standard errors: of a mean sqrt(C_ii / N), of a
// covariance sqrt((C_ii C_jj + C_ij^2) / N). Six are exceeded by chance less
// than once in ten million.
void ExpectMoments(const RowMatrix<double>& draws, const Vector<double>& mean,
                   const Eigen::MatrixXd& covariance) {
  const auto size = static_cast<double>(draws.rows());
  const RowMatrix<double> centred = draws.rowwise() - mean.transpose();
  const Eigen::MatrixXd second = centred.transpose() * centred / size;
  for (Index i = 0; i < mean.size(); ++i) {
    EXPECT_NEAR(centred.col(i).mean(), 0,
                6 * std::sqrt(covariance(i, i) / size));
    for (Index j = 0; j <= i; ++j)
      EXPECT_NEAR(second(i, j), covariance(i, j),
                  6 * std::sqrt((covariance(i, i) * covariance(j, j) +
                                 covariance(i, j) * covariance(i, j)) /
                                size));
  }
}

TEST(StructuredGaussianTest, DrawsHaveTheDenseMoments) {
  constexpr Index kDraws = 40000;
  const auto base = MakeBase<double>();
  Observations<double> x = MakeDense<double>(kDraws, kWidth);
  Observations<double> pattern = MakeDense<double>(1, kWidth);
  pattern.row_ids[0] = 3;
  const Messages<double> one = MakeMessages(*base, pattern);
  Messages<double> messages;
  messages.linear = one.linear.row(0).replicate(kDraws, 1);
  messages.precision = one.precision.row(0).replicate(kDraws, 1);
  messages.coupling = one.coupling.row(0).replicate(kDraws, 1);
  const Eigen::MatrixXd precision = DensePrecision(one, base->couplings(), 0);
  const Eigen::MatrixXd covariance = precision.inverse();
  const Vector<double> information = one.linear.row(0).transpose();

  base->Reconstruct(messages, Reconstruction::kSample,
                    {5, Purpose::kData, 0, 0}, Workers::Inline(), x);
  ExpectMoments(x.values.topRows(kDraws), covariance * information, covariance);

  // Again with coordinate 1 held.
  x.values.col(1).setConstant(1.7);
  x.clamped.assign(kDraws * kWidth, 0);
  for (Index n = 0; n < kDraws; ++n) x.clamped[n * kWidth + 1] = 1;
  base->Reconstruct(messages, Reconstruction::kSample,
                    {6, Purpose::kData, 0, 0}, Workers::Inline(), x);
  EXPECT_TRUE((x.values.col(1).array() == 1.7).all());
  const std::vector<Index> free = {0, 2, 3};
  const Eigen::MatrixXd given = precision(free, free).inverse();
  ExpectMoments(x.values.topRows(kDraws)(Eigen::all, free),
                given * (information(free) - 1.7 * precision(free, 1)), given);
}

TEST(StructuredGaussianTest, StartsAreDrawsFromTheBaseAlone) {
  constexpr Index kDraws = 40000;
  const auto base = MakeBase<double>();
  Observations<double> x = MakeDense<double>(kDraws, kWidth);
  base->SampleStart({7, Purpose::kStart, 0, 0}, x);
  const Vector<double> variance = base->block(1).transpose().array().exp();
  ExpectMoments(x.values.topRows(kDraws), base->block(0).transpose(),
                variance.asDiagonal().toDenseMatrix());
}

TEST(StructuredGaussianTest, RowsHaveTheSameBitsAloneAndInAnyBatch) {
  const auto base = MakeBase<float>();
  auto draws = [&](Index first, Index size, int threads) {
    Observations<float> x = MakeDense<float>(size, kWidth);
    for (Index n = 0; n < size; ++n) x.row_ids[n] = first + n;
    const Workers workers(threads);
    base->Reconstruct(MakeMessages(*base, x), Reconstruction::kSample,
                      {8, Purpose::kData, 0, 0}, workers, x);
    return x.values;
  };
  const RowMatrix<float> all = draws(0, 101, 3);
  for (Index size : {1, 2, 5, 33}) {
    for (Index first = 0; first + size <= 101; first += 17) {
      const RowMatrix<float> part = draws(first, size, 1);
      for (Index n = 0; n < size; ++n)
        EXPECT_EQ(std::memcmp(part.row(n).data(), all.row(first + n).data(),
                              sizeof(float) * kWidth),
                  0);
    }
  }
}

TEST(StructuredGaussianTest, OnlyFiniteRowsAreInSupport) {
  const auto base = MakeBase<double>();
  EXPECT_TRUE(base->InSupport(std::vector<double>{0, 1e300, -5, 2}));
  EXPECT_FALSE(base->InSupport(std::vector<double>{0, NAN, 0, 0}));
  EXPECT_FALSE(base->InSupport(std::vector<double>{0, 0, 0, HUGE_VAL}));
}

}  // namespace
}  // namespace poe
