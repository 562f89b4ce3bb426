#include <cmath>
#include <utility>
#include <vector>

#include "Eigen/LU"
#include "gtest/gtest.h"
#include "poe/experts/linear_dynamical.h"
#include "tests/golden/golden_file.h"
#include "tests/golden/golden_gradients.h"

namespace poe {
namespace {

std::unique_ptr<LinearDynamical<double>> MakeGroup(const GoldenFile& golden) {
  LinearDynamical<double>::Settings settings;
  settings.initial_mean = golden["initial_mean"];
  settings.initial_log_cholesky = golden["initial_log_cholesky"];
  settings.transition = golden["transition"];
  settings.transition_log_cholesky = golden["transition_log_cholesky"];
  settings.emission = golden["emission"];
  settings.emission_offset = golden["emission_offset"];
  settings.emission_log_variance = golden["emission_log_variance"];
  return *LinearDynamical<double>::Create(std::move(settings));
}

void ExpectNearToScale(const RowMatrix<double>& actual,
                       const RowMatrix<double>& expected, double tolerance) {
  ASSERT_EQ(actual.rows(), expected.rows());
  ASSERT_EQ(actual.cols(), expected.cols());
  const double scale = 1 + expected.cwiseAbs().maxCoeff();
  for (Index i = 0; i < actual.rows(); ++i)
    for (Index j = 0; j < actual.cols(); ++j)
      EXPECT_NEAR(actual(i, j), expected(i, j), tolerance * scale)
          << i << ", " << j;
}

TEST(LinearDynamicalGoldenTest, ScoresMatchTheDenseJoint) {
  const GoldenFile golden("linear_dynamical.txt");
  const auto group = MakeGroup(golden);
  const Observations<double> x = golden.Sequences();
  ExpectNearToScale(LogScores(*group, x, 1), golden["log_likelihood"], 1e-12);
  ExpectNearToScale(LogScores(*group, x, golden.Number("exponent")),
                    golden["tempered_log_likelihood"], 1e-12);
}

// One expert's parameters and dense smoothed moments.
struct DenseSmoother {
  DenseSmoother(const GoldenFile& file, Index m)
      : golden(file),
        expert(m),
        latents(file["initial_mean"].cols()),
        dimension(file["emission_offset"].cols()) {}

  RowMatrix<double> Of(const char* array, Index rows) const {
    return golden[array].middleRows(expert * rows, rows);
  }
  // Lower triangle by rows, logarithms on the diagonal.
  RowMatrix<double> Covariance(const char* array) const {
    RowMatrix<double> factor = RowMatrix<double>::Zero(latents, latents);
    Index next = 0;
    for (Index i = 0; i < latents; ++i)
      for (Index j = 0; j <= i; ++j) {
        const double entry = golden[array](expert, next++);
        factor(i, j) = i == j ? std::exp(entry) : entry;
      }
    return factor * factor.transpose();
  }
  // E[y_t], column.
  Vector<double> Mean(Index t) const {
    return golden["smoothed_mean"]
        .row(t)
        .segment(expert * latents, latents)
        .transpose();
  }
  // E[y_t y_t'], and E[y_t y_t-1'].
  RowMatrix<double> Square(Index t) const {
    return Block("smoothed_covariance", t) + Mean(t) * Mean(t).transpose();
  }
  RowMatrix<double> Lagged(Index t) const {
    return Block("smoothed_lagged_covariance", t) +
           Mean(t) * Mean(t - 1).transpose();
  }
  RowMatrix<double> Block(const char* array, Index t) const {
    const Index size = latents * latents;
    return Eigen::Map<const RowMatrix<double>>(
        golden[array].row(t).data() + expert * size, latents, latents);
  }

  const GoldenFile& golden;
  Index expert, latents, dimension;
};

// Fisher's identity at the smoothed moments of the dense joint, for the
// parameters in which the log joint is quadratic.
TEST(LinearDynamicalGoldenTest, GradientsMatchDenseSmoothedMoments) {
  const GoldenFile golden("linear_dynamical.txt");
  const auto group = MakeGroup(golden);
  const Observations<double> x = golden.Sequences();
  const std::vector<Index> starts = x.FrameStarts();
  for (Index n = 0; n < x.size; ++n) {
    const Vector<double> gradient = GradientOf(*group, x, n);
    for (Index m = 0; m < group->num_experts(); ++m) {
      const DenseSmoother dense(golden, m);
      const Index latents = dense.latents, width = dense.dimension;
      const RowMatrix<double> transition = dense.Of("transition", latents);
      const RowMatrix<double> emission = dense.Of("emission", width);
      const Vector<double> offset = dense.Of("emission_offset", 1).transpose();
      const Vector<double> variance =
          dense.Of("emission_log_variance", 1).transpose().array().exp();
      RowMatrix<double> moves = RowMatrix<double>::Zero(latents, latents);
      RowMatrix<double> loads = RowMatrix<double>::Zero(width, latents);
      Vector<double> residual = Vector<double>::Zero(width);
      Vector<double> spread = Vector<double>::Zero(width);
      for (Index t = starts[n]; t < starts[n + 1]; ++t) {
        const Vector<double> centred = x.values.row(t).transpose() - offset;
        const RowMatrix<double> square = dense.Square(t);
        if (t > starts[n])
          moves += dense.Lagged(t) - transition * dense.Square(t - 1);
        loads += centred * dense.Mean(t).transpose() - emission * square;
        residual += centred - emission * dense.Mean(t);
        // E[(x - C y - d)^2] of each coordinate.
        spread += (centred.array().square() -
                   2 * centred.array() * (emission * dense.Mean(t)).array())
                      .matrix() +
                  (emission * square * emission.transpose()).diagonal();
      }
      const Vector<double> first =
          dense.Covariance("initial_log_cholesky").inverse() *
          (dense.Mean(starts[n]) - golden["initial_mean"].row(m).transpose());
      ExpectNearToScale(BlockOf(*group, gradient, 0).row(m), first.transpose(),
                        1e-11);
      ExpectNearToScale(
          BlockOf(*group, gradient, 2).middleRows(m * latents, latents),
          dense.Covariance("transition_log_cholesky").inverse() * moves, 1e-11);
      const Vector<double> precision = variance.cwiseInverse();
      ExpectNearToScale(
          BlockOf(*group, gradient, 4).middleRows(m * width, width),
          precision.asDiagonal() * loads, 1e-11);
      ExpectNearToScale(BlockOf(*group, gradient, 5).row(m),
                        residual.cwiseProduct(precision).transpose(), 1e-11);
      const double frames = static_cast<double>(x.length(n));
      ExpectNearToScale(BlockOf(*group, gradient, 6).row(m),
                        ((spread.array() * precision.array() - frames) / 2)
                            .matrix()
                            .transpose(),
                        1e-11);
    }
  }
}

}  // namespace
}  // namespace poe
