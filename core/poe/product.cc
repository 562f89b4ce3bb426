#include "poe/product.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "poe/numerics/sparse_gaussian.h"

namespace poe {

template <typename Scalar>
absl::StatusOr<Product<Scalar>> Product<Scalar>::Create(
    std::unique_ptr<Base<Scalar>> base,
    std::vector<std::unique_ptr<ExpertGroup<Scalar>>> groups) {
  if (base == nullptr)
    return absl::InvalidArgumentError("a product needs a base");
  if (groups.empty())
    return absl::InvalidArgumentError(
        "a product needs at least one group of experts");
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (groups[i]->dimension() != base->dimension())
      return absl::InvalidArgumentError(
          absl::StrCat("expert group ", i, " sees ", groups[i]->dimension(),
                       " coordinates but the base has ", base->dimension()));
    if (!groups[i]->Supports(base->family()))
      return absl::InvalidArgumentError(
          absl::StrCat("expert group ", i,
                       " cannot be mixed with data of this base's family"));
    if (groups[i]->sequential() != groups[0]->sequential())
      return absl::InvalidArgumentError(absl::StrCat(
          "expert group ", i, " is for ",
          groups[i]->sequential() ? "sequences" : "dense rows",
          " but group 0 is not; one product takes one or the other"));
  }
  std::vector<Coupling> couplings;
  std::vector<Index> first_coupling;
  for (const auto& group : groups) {
    first_coupling.push_back(static_cast<Index>(couplings.size()));
    const std::vector<Coupling> own = group->couplings();
    couplings.insert(couplings.end(), own.begin(), own.end());
  }
  if (!couplings.empty() &&
      FactorEntries(base->dimension(), couplings, kMostFactorEntries) >
          kMostFactorEntries)
    return absl::InvalidArgumentError(absl::StrCat(
        "the experts couple ", base->dimension(),
        " coordinates by too many different edges: the Cholesky factor of the "
        "data's precision has more than ",
        kMostFactorEntries,
        " entries; use fewer trees, trees that share edges, or fewer "
        "coordinates"));
  base->Couple(std::move(couplings));
  Product product;
  product.base_ = std::move(base);
  product.groups_ = std::move(groups);
  product.first_coupling_ = std::move(first_coupling);
  return product;
}

template <typename Scalar>
Product<Scalar>::Product(const Product& other)
    : base_(other.base_->Clone()), first_coupling_(other.first_coupling_) {
  for (const auto& group : other.groups_) groups_.push_back(group->Clone());
}

template <typename Scalar>
Product<Scalar>& Product<Scalar>::operator=(const Product& other) {
  if (this != &other) *this = Product(other);
  return *this;
}

template <typename Scalar>
Index Product<Scalar>::num_experts() const {
  Index total = 0;
  for (const auto& group : groups_) total += group->num_experts();
  return total;
}

template <typename Scalar>
Index Product<Scalar>::num_parameters() const {
  Index total = base_->parameters().size();
  for (const auto& group : groups_) total += group->parameters().size();
  return total;
}

template <typename Scalar>
std::vector<Vector<Scalar>> Product<Scalar>::Parameters() const {
  std::vector<Vector<Scalar>> all = {base_->parameters()};
  for (const auto& group : groups_) all.push_back(group->parameters());
  return all;
}

template <typename Scalar>
void Product<Scalar>::SetParameters(
    const std::vector<Vector<Scalar>>& parameters, const Workers& workers) {
  const auto set = [&](const Vector<Scalar>& from, Parameterized<Scalar>& to) {
    to.UpdateParameters(
        workers, [&](Eigen::Ref<Vector<Scalar>> values) { values = from; });
  };
  set(parameters[0], *base_);
  for (std::size_t i = 0; i < groups_.size(); ++i)
    set(parameters[i + 1], *groups_[i]);
}

template <typename Scalar>
std::vector<double> Product<Scalar>::LogScores(const Observations<Scalar>& x,
                                               const Workers& workers) const {
  std::vector<double> log_scores(x.size, 0);
  base_->AddLogScores(x, absl::MakeSpan(log_scores));
  for (const auto& group : groups_) {
    const std::unique_ptr<Posterior> posterior = group->NewPosterior();
    group->Infer(x, 1, workers, *posterior);
    group->AddLogScores(*posterior, absl::MakeSpan(log_scores));
  }
  return log_scores;
}

template <typename Scalar>
std::vector<bool> Product<Scalar>::InSupport(
    const Observations<Scalar>& x) const {
  std::vector<bool> in_support(x.size, true);
  Index frame = 0;
  for (Index n = 0; n < x.size; ++n)
    for (Index t = 0; t < x.length(n); ++t, ++frame)
      if (!base_->InSupport(
              absl::MakeConstSpan(x.values.row(frame).data(), x.dimension())))
        in_support[n] = false;
  return in_support;
}

template <typename Scalar>
RowMatrix<double> Product<Scalar>::ExpertLogScores(
    const Observations<Scalar>& x, const Workers& workers) const {
  RowMatrix<double> log_scores(x.size, num_experts());
  Index first = 0;
  for (const auto& group : groups_) {
    const std::unique_ptr<Posterior> posterior = group->NewPosterior();
    group->Infer(x, 1, workers, *posterior);
    group->ExpertLogScores(*posterior,
                           log_scores.middleCols(first, group->num_experts()));
    first += group->num_experts();
  }
  return log_scores;
}

template <typename Scalar>
typename Product<Scalar>::Posteriors Product<Scalar>::NewPosteriors() const {
  Posteriors posteriors;
  for (const auto& group : groups_) posteriors.push_back(group->NewPosterior());
  return posteriors;
}

template <typename Scalar>
void Product<Scalar>::Infer(const Observations<Scalar>& x, Scalar beta,
                            const Workers& workers,
                            Posteriors& posteriors) const {
  for (std::size_t i = 0; i < groups_.size(); ++i)
    groups_[i]->Infer(x, beta, workers, *posteriors[i]);
}

template <typename Scalar>
void Product<Scalar>::Temper(const Observations<Scalar>& x, Scalar beta,
                             const Workers& workers,
                             Posteriors& posteriors) const {
  for (std::size_t i = 0; i < groups_.size(); ++i)
    groups_[i]->Temper(x, beta, workers, *posteriors[i]);
}

template <typename Scalar>
void Product<Scalar>::Resample(const Posteriors& posteriors, std::uint64_t seed,
                               std::uint32_t step,
                               Reconstruction reconstruction,
                               const Workers& workers,
                               Messages<Scalar>& messages,
                               Observations<Scalar>& x) const {
  base_->StartMessages(x, workers, messages);
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const Draws draws = {seed, Purpose::kLatents, static_cast<std::uint32_t>(i),
                         step};
    messages.first_coupling = first_coupling_[i];
    groups_[i]->AddSampledMessages(x, *posteriors[i], draws, workers, messages);
  }
  base_->Reconstruct(messages, reconstruction, {seed, Purpose::kData, 0, step},
                     workers, x);
}

template <typename Scalar>
Index Product<Scalar>::num_hidden() const {
  Index total = 0;
  for (const auto& group : groups_) {
    if (group->num_hidden() == 0) return 0;
    total += group->num_hidden();
  }
  return total;
}

template <typename Scalar>
void Product<Scalar>::HiddenProbabilities(
    const Posteriors& posteriors, RowMatrixRef<Scalar> probabilities) const {
  Index first = 0;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const Index count = groups_[i]->num_hidden();
    groups_[i]->HiddenProbabilities(*posteriors[i],
                                    probabilities.middleCols(first, count));
    first += count;
  }
}

template <typename Scalar>
void Product<Scalar>::ReconstructFrom(const ConstRowMatrixRef<Scalar>& states,
                                      Reconstruction reconstruction,
                                      const Draws& draws,
                                      const Workers& workers,
                                      Observations<Scalar>& x) const {
  Messages<Scalar> messages;
  base_->StartMessages(x, workers, messages);
  Index first = 0;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const Index count = groups_[i]->num_hidden();
    messages.first_coupling = first_coupling_[i];
    groups_[i]->AddMessages(states.middleCols(first, count), workers, messages);
    first += count;
  }
  base_->Reconstruct(messages, reconstruction, draws, workers, x);
}

template class Product<float>;
template class Product<double>;

}  // namespace poe
