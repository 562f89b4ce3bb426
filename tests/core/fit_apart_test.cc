#include "poe/fit_apart.h"

#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "poe/initialization.h"
#include "tests/core/core_models.h"

namespace poe {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// That it is enough, when it is asked for the third time and only then.
absl::Status ThirdTime(int& asked) {
  return ++asked == 3 ? absl::CancelledError("enough") : absl::OkStatus();
}

struct Task {
  ProductSettings shape;
  DataSpec spec;
  Examples examples;
};

// One expert that noise keeps busy for more than three iterations.
template <typename Kind>
Task TaskOf(const Kind& kind, bool sequential) {
  Task task;
  task.shape.groups = {{.num_experts = 1, .kind = kind}};
  task.spec.family = Family::kStructuredGaussian;
  task.spec.dimension = 2;
  task.spec.sequential = sequential;
  Observations<float>& x = task.examples.x;
  x = MakeDense<float>(240, 2);
  x.values.topRows(240) = NormalMatrix(240, 2, 621);
  if (sequential) {
    x.size = 20;
    x.lengths.assign(20, 12);
    x.row_ids.resize(20);
  }
  return task;
}

void ExpectStopsInsideAFit(const Task& task) {
  Product<float> product = *InitializeProduct(task.shape, task.spec,
                                              task.examples, 1, NeverInterrupt);
  const Vector<float> before = product.group(0).parameters();
  int asked = 0;
  const auto check = [&asked] { return ThirdTime(asked); };
  EXPECT_EQ(FitApart({}, task.shape, task.spec, task.examples, 1,
                     Workers::Inline(), check, product),
            absl::CancelledError("enough"));
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(product.group(0).parameters(), before);
}

TEST(FitApartTest, AMixtureIsInterruptedInsideItsFit) {
  ExpectStopsInsideAFit(TaskOf(GaussianMixtureSettings{{}, 3}, false));
}

TEST(FitApartTest, AHiddenMarkovModelIsInterruptedInsideItsFit) {
  ExpectStopsInsideAFit(TaskOf(HiddenMarkovSettings{{}, 3}, true));
}

TEST(FitApartTest, ALinearDynamicalSystemIsInterruptedInsideItsFit) {
  ExpectStopsInsideAFit(TaskOf(LinearDynamicalSettings{{}, 1}, true));
}

Product<float> Fitted(const FitApartSettings& settings, const Task& task,
                      const Examples& examples) {
  Product<float> product =
      *InitializeProduct(task.shape, task.spec, examples, 1, NeverInterrupt);
  const absl::Status status =
      FitApart(settings, task.shape, task.spec, examples, 1, Workers::Inline(),
               NeverInterrupt, product);
  EXPECT_TRUE(status.ok()) << status;
  return product;
}

Vector<float> FittedParameters(const Task& task, const Examples& examples) {
  return Fitted({}, task, examples).group(0).parameters();
}

// Of an expert whose start does not depend on the order of the observations.
void ExpectWeightCountsAsCopies(Task task) {
  Observations<float>& x = task.examples.x;
  x.values.row(0).setConstant(5);
  const Index length = x.length(0), copies = 3;
  Examples repeated = {
      MakeAlike<float>(x.sequential(), x.size + copies, length, 2)};
  repeated.x.values.topRows(240) = x.values.topRows(240);
  for (Index copy = 0; copy < copies; ++copy)
    repeated.x.values.middleRows(240 + copy * length, length) =
        x.values.topRows(length);
  Examples weighted = task.examples;
  weighted.weights.assign(x.size, 1);
  weighted.weights[0] = 1 + copies;
  const Vector<float> fitted = FittedParameters(task, weighted);
  EXPECT_LT((fitted - FittedParameters(task, repeated)).cwiseAbs().maxCoeff(),
            1e-3);
  EXPECT_GT(
      (fitted - FittedParameters(task, task.examples)).cwiseAbs().maxCoeff(),
      1e-2);
}

TEST(FitApartTest, AMixtureCountsRowsByWeight) {
  ExpectWeightCountsAsCopies(TaskOf(GaussianMixtureSettings{{}, 1}, false));
}

TEST(FitApartTest, AHiddenMarkovModelCountsSequencesByWeight) {
  ExpectWeightCountsAsCopies(TaskOf(HiddenMarkovSettings{{}, 1}, true));
}

TEST(FitApartTest, ALinearDynamicalSystemCountsSequencesByWeight) {
  ExpectWeightCountsAsCopies(TaskOf(LinearDynamicalSettings{{}, 1}, true));
}

TEST(FitApartTest, TreesAreSoftened) {
  for (Index trees : {1, 2}) {
    Task task = TaskOf(GaussianTreeSettings{{}, trees}, false);
    task.shape.groups[0].power = 0.8;
    EXPECT_EQ(Fitted({.power = 0.5}, task, task.examples).group(0).power(),
              0.4f);
  }
}

TEST(FitApartTest, TreesSeeTheirSharesOfTheRows) {
  Task task = TaskOf(GaussianTreeSettings{{}, 1}, false);
  task.shape.groups[0].num_experts = 2;
  const auto variances = [&](double share) -> RowMatrix<float> {
    return Fitted({.row_share = share}, task, task.examples).group(0).block(2);
  };
  const Product<float> start = *InitializeProduct(
      task.shape, task.spec, task.examples, 1, NeverInterrupt);
  EXPECT_LT((variances(1) - start.group(0).block(2)).cwiseAbs().maxCoeff(),
            1e-6);
  const RowMatrix<float> halves = variances(0.5) - variances(1);
  EXPECT_GT(halves.row(0).cwiseAbs().maxCoeff(), 1e-3);
  EXPECT_GT(halves.row(1).cwiseAbs().maxCoeff(), 1e-3);
  // Other halves, of the same scale.
  EXPECT_LT(halves.cwiseAbs().maxCoeff(), 1);
}

// Two lumps of rows, or of sequences, that a fit of two states needs some
// iterations to tell from each other.
template <typename Kind>
Task LumpsOf(const Kind& kind, bool sequential) {
  Task task = TaskOf(kind, sequential);
  task.shape.groups[0].num_experts = 2;
  for (Index frame = 0; frame < 240; ++frame)
    if (frame / 12 % 2 == 0) task.examples.x.values.row(frame).array() += 3;
  return task;
}

void ExpectMustConverge(const Task& task) {
  Product<float> product = *InitializeProduct(task.shape, task.spec,
                                              task.examples, 1, NeverInterrupt);
  const auto fit = [&](int iterations) {
    return FitApart({.max_iterations = iterations}, task.shape, task.spec,
                    task.examples, 1, Workers::Inline(), NeverInterrupt,
                    product);
  };
  const Vector<float> before = product.group(0).parameters();
  const absl::Status refused = fit(1);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(refused.message(),
              AllOf(StartsWith("groups[0]: expert 0 cannot be fitted apart: it "
                               "has not converged: the last of 1 iterations"),
                    HasSubstr("raise max_iterations")));
  EXPECT_EQ(product.group(0).parameters(), before);
  EXPECT_TRUE(fit(100).ok());
}

TEST(FitApartTest, AMixtureMustConverge) {
  ExpectMustConverge(LumpsOf(GaussianMixtureSettings{{}, 2}, false));
}

TEST(FitApartTest, AMixtureOfTreesMustConverge) {
  ExpectMustConverge(LumpsOf(GaussianTreeSettings{{}, 2}, false));
}

TEST(FitApartTest, AHiddenMarkovModelMustConverge) {
  ExpectMustConverge(LumpsOf(HiddenMarkovSettings{{}, 2}, true));
}

TEST(FitApartTest, ALinearDynamicalSystemMustConverge) {
  ExpectMustConverge(LumpsOf(LinearDynamicalSettings{{}, 1}, true));
}

// Half of the frames lie close together at 1, amid the others. A bound on
// deviations that came after the fit would leave the means where they are.
template <typename Kind>
void ExpectBoundIsInTheFit(Kind kind, bool sequential, std::size_t means) {
  const auto fitted = [&](double least) {
    kind.least_standard_deviation = least;
    Task task = TaskOf(kind, sequential);
    const RowMatrix<float> coins = NormalMatrix(240, 1, 622);
    for (Index frame = 0; frame < 240; ++frame) {
      if (coins(frame, 0) < 0) continue;
      auto values = task.examples.x.values.row(frame).array();
      values = 0.05f * values + 1;
    }
    return RowMatrix<float>(
        Fitted({}, task, task.examples).group(0).block(means));
  };
  EXPECT_GT((fitted(0.5) - fitted(1e-3)).cwiseAbs().maxCoeff(), 1e-2);
}

TEST(FitApartTest, AMixtureIsFittedWithinItsLeastDeviation) {
  ExpectBoundIsInTheFit(GaussianMixtureSettings{{}, 2}, false, 0);
}

TEST(FitApartTest, AHiddenMarkovModelIsFittedWithinItsLeastDeviation) {
  ExpectBoundIsInTheFit(HiddenMarkovSettings{{}, 2}, true, 2);
}

TEST(FitApartTest, AMixtureOfTreesIsInterruptedInsideItsFit) {
  const Task task = TaskOf(GaussianTreeSettings{{}, 2}, false);
  int asked = 0;
  const auto check = [&asked] { return ThirdTime(asked); };
  EXPECT_EQ(InitializeProduct(task.shape, task.spec, task.examples, 1, check)
                .status(),
            absl::CancelledError("enough"));
  EXPECT_EQ(asked, 3);
}

}  // namespace
}  // namespace poe
