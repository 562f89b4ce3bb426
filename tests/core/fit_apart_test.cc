#include "poe/fit_apart.h"

#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "poe/initialization.h"
#include "tests/core/core_models.h"

namespace poe {
namespace {

// That it is enough, when it is asked for the third time and only then.
absl::Status ThirdTime(int& asked) {
  return ++asked == 3 ? absl::CancelledError("enough") : absl::OkStatus();
}

struct Task {
  ProductSettings shape;
  DataSpec spec;
  Observations<float> examples;
};

// One expert that noise keeps busy for more than three iterations.
template <typename Kind>
Task TaskOf(const Kind& kind, bool sequential) {
  Task task;
  task.shape.groups = {{.num_experts = 1, .kind = kind}};
  task.spec.family = Family::kStructuredGaussian;
  task.spec.dimension = 2;
  task.spec.sequential = sequential;
  task.examples = MakeDense<float>(240, 2);
  task.examples.values.topRows(240) = NormalMatrix(240, 2, 621);
  if (sequential) {
    task.examples.size = 20;
    task.examples.lengths.assign(20, 12);
    task.examples.row_ids.resize(20);
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
