#include "tests/core/oracle_products.h"

#include <cstdlib>
#include <utility>

#include "poe/bases/bernoulli.h"
#include "poe/bases/categorical.h"
#include "poe/bases/gaussian.h"
#include "poe/bases/structured_gaussian.h"

namespace poe {
namespace {

Vector<float> RowInFloat(const Base<double>& base, std::size_t block) {
  return base.block(block).transpose().cast<float>();
}

std::unique_ptr<Base<float>> InFloat(const Base<double>& base) {
  switch (base.family()) {
    case Family::kBernoulli:
      return *BernoulliBase<float>::Create(RowInFloat(base, 0));
    case Family::kCategorical: {
      const Index symbols =
          dynamic_cast<const CategoricalBase<double>&>(base).num_symbols();
      const Vector<float> logits = base.parameters().cast<float>();
      return *CategoricalBase<float>::Create(Eigen::Map<const RowMatrix<float>>(
          logits.data(), logits.size() / symbols, symbols));
    }
    case Family::kGaussian: {
      const auto& on_box = dynamic_cast<const GaussianBase<double>&>(base);
      GaussianBase<float>::Settings settings;
      settings.lower = on_box.lower();
      settings.upper = on_box.upper();
      if (on_box.has_gaussian_factor()) {
        settings.mean = RowInFloat(base, 0);
        settings.log_variance = RowInFloat(base, 1);
      }
      return *GaussianBase<float>::Create(std::move(settings));
    }
    case Family::kStructuredGaussian:
      return *StructuredGaussianBase<float>::Create(RowInFloat(base, 0),
                                                    RowInFloat(base, 1));
  }
  std::abort();
}

std::vector<OracleProduct> MixedProducts() {
  // Units bring no precision: where no unigauss speaks, a coordinate on a bare
  // box is exponential.
  return {{"UnitsAndUnigauss",
           {{UnigaussWithVariancePerCoordinate(), 2, 0.5},
            {BernoulliUnitsOnRealData(), 3, 0.5}},
           UnigaussWithVariancePerCoordinate().make_base},
          {"MixturesTreesAndUnits",
           {{GaussianMixturesOnUnboundedData(), 2},
            {GaussianTreeMixturesWithUniform(), 2, 0.8},
            {BernoulliUnitsOnRealData(), 3}},
           GaussianMixturesOnUnboundedData().make_base},
          {"HiddenMarkovAndLinearDynamical",
           {{HiddenMarkovOnUnboundedSequences(), 2, 0.8},
            {LinearDynamicalWithoutABox(), 2}},
           HiddenMarkovOnUnboundedSequences().make_base}};
}

std::vector<OracleProduct> WithMasks(std::vector<OracleProduct> products) {
  for (std::size_t i = 0, size = products.size(); i < size; ++i) {
    OracleProduct masked = products[i];
    masked.name += "Masked";
    masked.masked = true;
    products.push_back(std::move(masked));
  }
  return products;
}

std::vector<OracleProduct> ProductsOf(const std::vector<OracleKind>& kinds) {
  std::vector<OracleProduct> products;
  for (const OracleKind& kind : kinds)
    products.push_back({kind.name, {{kind, kind.experts}}, kind.make_base});
  for (OracleProduct& mixed : MixedProducts())
    products.push_back(std::move(mixed));
  return WithMasks(std::move(products));
}

}  // namespace

Product<double> OracleProduct::Make(double power) const {
  std::vector<std::unique_ptr<ExpertGroup<double>>> groups;
  for (const OraclePart& part : parts)
    groups.push_back(part.kind.make(part.experts, part.power * power));
  return *Product<double>::Create(make_base(), std::move(groups));
}

Product<float> OracleProduct::MakeFloat(double power) const {
  std::vector<std::unique_ptr<ExpertGroup<float>>> groups;
  for (const OraclePart& part : parts)
    groups.push_back(part.kind.make_float(part.experts, part.power * power));
  const std::unique_ptr<Base<double>> base = make_base();
  return *Product<float>::Create(InFloat(*base), std::move(groups));
}

Product<double> OracleProduct::MakeSmall(double power) const {
  OracleProduct small = *this;
  for (OraclePart& part : small.parts) part.experts = 1;
  return small.Make(power);
}

Observations<double> OracleProduct::Rows(Index size, std::uint64_t seed) const {
  Observations<double> x = data().rows(size, seed);
  Mask(x);
  return x;
}

Observations<double> OracleProduct::RaggedRows(Index size,
                                               std::uint64_t seed) const {
  if (!data().ragged) return Rows(size, seed);
  Observations<double> x = data().ragged(size, seed);
  Mask(x);
  return x;
}

Observations<double> OracleProduct::ExtremeRows() const {
  Observations<double> x = data().extreme_rows();
  Mask(x);
  return x;
}

void OracleProduct::Mask(Observations<double>& x) const {
  if (!masked) return;
  const Index width = x.dimension();
  x.clamped.assign(x.frames() * width, 0);
  const std::vector<Index> starts = x.FrameStarts();
  for (Index n = 0; n < x.size; ++n)
    for (Index c = 0; c < data().columns; ++c)
      x.clamped[starts[n] * width + c] = 1;
}

double OracleProduct::LogScoreOfExperts(const Product<double>& product,
                                        double power,
                                        const RowMatrix<double>& x) const {
  double sum = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const ExpertGroup<double>& group = product.group(i);
    for (Index m = 0; m < group.num_experts(); ++m)
      sum += BruteForceLogScore(parts[i].kind, group, m, x,
                                parts[i].power * power);
  }
  return sum;
}

std::vector<OracleProduct> AllOracleProducts() {
  return ProductsOf(AllOracleKinds());
}

std::vector<OracleProduct> ProductsWithExactDistribution() {
  return ProductsOf(KindsWithExactDistribution());
}

std::vector<OracleProduct> ProductsWithListedLatents() {
  std::vector<OracleProduct> products = AllOracleProducts();
  std::erase_if(products, [](const OracleProduct& product) {
    for (const OraclePart& part : product.parts)
      if (!part.kind.log_joint) return true;
    return false;
  });
  return products;
}

}  // namespace poe
