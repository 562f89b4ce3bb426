#include "poe/hierarchy.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace poe {
namespace {

// Rows of another width that stand for the same observations.
Observations<float> Alike(const Observations<float>& x, Index dimension) {
  Observations<float> result;
  result.size = x.size;
  result.row_ids = x.row_ids;
  result.values = RowMatrix<float>::Zero(x.values.rows(), dimension);
  return result;
}

Observations<float> Hidden(const Product<float>& product,
                           const Product<float>::Posteriors& posteriors,
                           const Observations<float>& x) {
  Observations<float> hidden = Alike(x, product.num_hidden());
  product.HiddenProbabilities(posteriors, hidden.values);
  hidden.values.bottomRows(hidden.values.rows() - x.size).setZero();
  return hidden;
}

}  // namespace

DataSpec HiddenSpec(Index num_hidden) {
  DataSpec spec;
  spec.family = Family::kBernoulli;
  spec.dimension = num_hidden;
  return spec;
}

absl::Status ValidateLayers(const DataSpec& spec, Layers layers) {
  if (layers.size() > 1 && (spec.sequential || !spec.input_coordinates.empty()))
    return absl::InvalidArgumentError(
        "further layers need dense rows without inputs");
  for (std::size_t l = 1; l < layers.size(); ++l) {
    const Index hidden = layers[l - 1].num_hidden();
    if (hidden == 0)
      return absl::InvalidArgumentError(
          absl::StrCat("layer ", l, " has nothing to see: an expert of layer ",
                       l - 1, " has no hidden probabilities"));
    const Base<float>& base = layers[l].base();
    if (base.family() != Family::kBernoulli || base.dimension() != hidden ||
        base.num_real_inputs() != 0)
      return absl::InvalidArgumentError(
          absl::StrCat("layer ", l, " sees other data than the ", hidden,
                       " hidden probabilities of layer ", l - 1));
  }
  return absl::OkStatus();
}

Observations<float> Climb(Layers below, Observations<float> x,
                          const Workers& workers) {
  for (const Product<float>& product : below) {
    Product<float>::Posteriors posteriors = product.NewPosteriors();
    product.Infer(x, 1, workers, posteriors);
    x = Hidden(product, posteriors, x);
  }
  return x;
}

RowMatrix<double> LayerLogScores(Layers layers, const Observations<float>& x,
                                 const Workers& workers) {
  RowMatrix<double> scores(x.size, static_cast<Index>(layers.size()));
  Observations<float> hidden;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const Product<float>& product = layers[l];
    const Observations<float>& seen = l == 0 ? x : hidden;
    Product<float>::Posteriors posteriors = product.NewPosteriors();
    product.Infer(seen, 1, workers, posteriors);
    std::vector<double> of_layer(x.size, 0);
    product.base().AddLogScores(seen, absl::MakeSpan(of_layer));
    for (std::size_t i = 0; i < product.num_groups(); ++i)
      product.group(i).AddLogScores(*posteriors[i], absl::MakeSpan(of_layer));
    for (Index n = 0; n < x.size; ++n)
      scores(n, static_cast<Index>(l)) = of_layer[n];
    if (l + 1 < layers.size()) hidden = Hidden(product, posteriors, seen);
  }
  return scores;
}

Observations<float> Descend(Layers below, Observations<float> x,
                            Reconstruction output, std::uint64_t seed,
                            std::uint32_t step, const Workers& workers) {
  const Draws draws = {DeriveSeed(seed, below.size()), Purpose::kData, 0, step};
  for (std::size_t l = below.size(); l-- > 0;) {
    Observations<float> data = Alike(x, below[l].dimension());
    below[l].ReconstructFrom(x.values, l == 0 ? output : Reconstruction::kMean,
                             draws, workers, data);
    x = std::move(data);
  }
  return x;
}

}  // namespace poe
