#include "tests/bench/kind_cases.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <utility>

#include "poe/bases/structured_gaussian.h"
#include "poe/experts/gaussian_tree.h"
#include "poe/numerics/random.h"

namespace poe::bench {
namespace {

constexpr int kSymbols = 4;
// The box of real data.
constexpr double kMost = 10;
// How far away the parent of a tree's coordinate is at most.
constexpr Index kReach = 3;

template <typename T>
T OrExit(absl::StatusOr<T> result) {
  if (result.ok()) return *std::move(result);
  std::cerr << result.status() << "\n";
  std::exit(EXIT_FAILURE);
}

DataSpec SpecOf(const std::string& kind, const Shape& shape) {
  DataSpec spec;
  spec.dimension = shape.dimension;
  spec.sequential = shape.length > 0;
  if (kind == "units") {
    spec.family = Family::kBernoulli;
  } else if (kind == "hmm_symbols") {
    spec.family = Family::kCategorical;
    spec.num_symbols = kSymbols;
  } else if (kind == "tree") {
    spec.family = Family::kStructuredGaussian;
  } else {
    spec.family = Family::kGaussian;
    spec.box = {std::vector<double>(shape.dimension, -kMost),
                std::vector<double>(shape.dimension, kMost)};
  }
  return spec;
}

void FillRow(const DataSpec& spec, Index n, Eigen::Ref<Vector<float>> row) {
  const Draws draws = {1, Purpose::kTest};
  const auto id = static_cast<std::uint64_t>(n);
  if (spec.family == Family::kBernoulli ||
      spec.family == Family::kCategorical) {
    std::vector<std::uint32_t> bits(spec.dimension);
    FillBits(draws, id, absl::MakeSpan(bits));
    for (Index i = 0; i < spec.dimension; ++i) {
      if (spec.family == Family::kBernoulli)
        row(i) = static_cast<float>(bits[i] % 2);
      else
        row(i * kSymbols + bits[i] % kSymbols) = 1;
    }
    return;
  }
  std::vector<double> normal(spec.dimension);
  FillNormal(draws, id, absl::MakeSpan(normal));
  for (Index i = 0; i < spec.dimension; ++i)
    row(i) = static_cast<float>(std::clamp(normal[i], -kMost, kMost));
}

Observations<float> MakeData(const DataSpec& spec, const Shape& shape) {
  Observations<float> x =
      spec.sequential
          ? MakeSequences<float>(std::vector<Index>(shape.rows, shape.length),
                                 spec.width())
          : MakeDense<float>(shape.rows, spec.width());
  for (Index n = 0, frames = x.frames(); n < frames; ++n)
    FillRow(spec, n, x.values.row(n).transpose());
  return x;
}

Product<float> MakeTrees(const Shape& shape) {
  const Index trees = shape.experts * shape.states;
  GaussianTree<float>::Settings settings;
  for (Index t = 0; t < trees; ++t)
    for (Index i = 0; i < shape.dimension; ++i)
      settings.parents.push_back(
          static_cast<std::int32_t>(std::max<Index>(i - 1 - t % kReach, -1)));
  settings.weight = RowMatrix<float>::Constant(trees, shape.dimension, 0.5f);
  settings.offset = RowMatrix<float>::Zero(trees, shape.dimension);
  settings.log_variance = RowMatrix<float>::Zero(trees, shape.dimension);
  settings.mixing_logit = RowMatrix<float>::Zero(shape.experts, shape.states);
  std::vector<std::unique_ptr<ExpertGroup<float>>> groups;
  groups.push_back(OrExit(GaussianTree<float>::Create(std::move(settings))));
  const Vector<float> zero = Vector<float>::Zero(shape.dimension);
  return OrExit(Product<float>::Create(
      OrExit(StructuredGaussianBase<float>::Create(zero, zero)),
      std::move(groups)));
}

GroupSettings SettingsOf(const std::string& kind, const Shape& shape) {
  GroupSettings group;
  group.num_experts = shape.experts;
  if (kind == "units")
    group.kind = BernoulliUnitsSettings{};
  else if (kind == "unigauss")
    group.kind = UnigaussSettings{};
  else if (kind == "mixture")
    group.kind = GaussianMixtureSettings{{}, shape.states};
  else if (kind == "lds")
    group.kind = LinearDynamicalSettings{{}, shape.states};
  else
    group.kind = HiddenMarkovSettings{{}, shape.states};
  return group;
}

}  // namespace

std::vector<Kind> Kinds() {
  return {{"units", {512, 256, 128}},
          {"unigauss", {512, 64, 128}},
          {"mixture", {512, 64, 32, 4}},
          {"hmm_gaussian", {32, 16, 4, 8, 32}},
          {"hmm_symbols", {32, 16, 4, 8, 32}},
          {"lds", {32, 16, 4, 4, 32}},
          {"tree", {256, 32, 8, 2}}};
}

KindCase MakeCase(const std::string& kind, const Shape& shape) {
  const DataSpec spec = SpecOf(kind, shape);
  Observations<float> data = MakeData(spec, shape);
  if (kind == "tree") return {spec, MakeTrees(shape), std::move(data)};
  ProductSettings settings;
  settings.groups = {SettingsOf(kind, shape)};
  Product<float> product = OrExit(
      InitializeProduct(settings, spec, {data}, /*seed=*/2, NeverInterrupt));
  return {spec, std::move(product), std::move(data)};
}

}  // namespace poe::bench
