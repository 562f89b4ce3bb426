#include "tests/core/real_inputs_models.h"

#include <cmath>
#include <utility>

#include "poe/bases/bernoulli.h"
#include "poe/bases/categorical.h"
#include "poe/experts/bernoulli_units.h"
#include "tests/core/core_models.h"

namespace poe {
namespace {

constexpr Index kUnits = 4;
constexpr int kOutputSymbols = 3;

bool AreSymbols(Family family) { return family == Family::kCategorical; }

// The columns of both outputs, symbols of the first, symbols of the second or
// two bits, and then those of both inputs.
Vector<double> SeenRow(Family family, float first_input, int first_output,
                       float second_input, int second_output) {
  const DataSpec spec = MixedSpec(family);
  const Index outputs = AreSymbols(family) ? 2 * kOutputSymbols : 2;
  Vector<double> seen = Vector<double>::Zero(outputs + 2);
  if (AreSymbols(family)) {
    seen(first_output) = 1;
    seen(kOutputSymbols + second_output) = 1;
  } else {
    seen(0) = first_output;
    seen(1) = second_output;
  }
  seen(outputs) =
      (first_input - spec.preprocessing.shift[0]) / spec.preprocessing.scale[0];
  seen(outputs + 1) = (second_input - spec.preprocessing.shift[2]) /
                      spec.preprocessing.scale[2];
  return seen;
}

double PlainLogScore(const Vector<double>& parameters,
                     const Vector<double>& seen) {
  const Index width = seen.size(), outputs = width - 2;
  double score = parameters.head(outputs).dot(seen.head(outputs));
  for (Index m = 0; m < kUnits; ++m) {
    double sum = parameters(outputs + width * kUnits + m);
    for (Index i = 0; i < width; ++i)
      sum += parameters(outputs + i * kUnits + m) * seen(i);
    score += std::log1p(std::exp(sum));
  }
  return score;
}

}  // namespace

DataSpec MixedSpec(Family family) {
  DataSpec spec;
  spec.family = family;
  spec.dimension = 4;
  if (AreSymbols(family)) spec.num_symbols = kOutputSymbols;
  spec.input_coordinates = {0, 2};
  spec.real_inputs = true;
  spec.preprocessing.kind = Preprocessing::Kind::kStandardize;
  spec.preprocessing.shift = {3, 0, -50, 0};
  spec.preprocessing.scale = {0.5, 1, 20, 1};
  return spec;
}

template <typename Scalar>
Product<Scalar> MixedProduct(Family family) {
  const Index width = MixedSpec(family).width();
  const RowMatrix<Scalar> bias =
      (0.5f * NormalMatrix(width - 2, 1, 600)).template cast<Scalar>();
  std::vector<std::unique_ptr<ExpertGroup<Scalar>>> groups;
  groups.push_back(*BernoulliUnits<Scalar>::Create(
      NormalMatrix(width, kUnits, 601).template cast<Scalar>(),
      NormalMatrix(kUnits, 1, 602).template cast<Scalar>()));
  std::unique_ptr<Base<Scalar>> base;
  if (AreSymbols(family))
    base = *CategoricalBase<Scalar>::Create(
        Eigen::Map<const RowMatrix<Scalar>>(bias.data(), 2, kOutputSymbols), 2);
  else
    base = *BernoulliBase<Scalar>::Create(bias, 2);
  return *Product<Scalar>::Create(std::move(base), std::move(groups));
}

Model MixedModel(Family family) {
  Model model;
  model.data_spec = MixedSpec(family);
  ClassModel& one = model.classes.emplace_back();
  one.name = "data";
  one.layers.push_back(MixedProduct<float>(family));
  return model;
}

RowMatrix<float> AllOutputs(Family family, float first, float second) {
  const int states = AreSymbols(family) ? kOutputSymbols : 2;
  RowMatrix<float> rows(states * states, 4);
  for (int n = 0; n < states * states; ++n)
    rows.row(n) << first, static_cast<float>(n % states), second,
        static_cast<float>(n / states);
  return rows;
}

RowMatrix<float> MixedRows(Family family, Index size, std::uint64_t seed) {
  const float states = AreSymbols(family) ? kOutputSymbols : 2;
  RowMatrix<float> rows(size, 4);
  rows.col(0) = (3 + 0.5f * NormalMatrix(size, 1, seed).array()).matrix();
  rows.col(2) = (20 * NormalMatrix(size, 1, seed + 1).array() - 50).matrix();
  for (Index i : {1, 3})
    rows.col(i) = UniformMatrix(size, 1, 0, states, seed + 2 + i)
                      .array()
                      .floor()
                      .min(states - 1)
                      .matrix();
  return rows;
}

double PlainLogProbability(Family family, const Vector<double>& parameters,
                           const Eigen::Ref<const Eigen::RowVectorXf>& row) {
  const int states = AreSymbols(family) ? kOutputSymbols : 2;
  double sum = 0;
  for (int first = 0; first < states; ++first)
    for (int second = 0; second < states; ++second)
      sum += std::exp(PlainLogScore(
          parameters, SeenRow(family, row(0), first, row(2), second)));
  return PlainLogScore(parameters,
                       SeenRow(family, row(0), static_cast<int>(row(1)), row(2),
                               static_cast<int>(row(3)))) -
         std::log(sum);
}

template <typename Scalar>
Vector<double> ParametersOf(const Product<Scalar>& product) {
  Vector<double> all(product.num_parameters());
  all << product.base().parameters().template cast<double>(),
      product.group(0).parameters().template cast<double>();
  return all;
}

template Product<float> MixedProduct<float>(Family);
template Product<double> MixedProduct<double>(Family);
template Vector<double> ParametersOf<float>(const Product<float>&);
template Vector<double> ParametersOf<double>(const Product<double>&);

}  // namespace poe
