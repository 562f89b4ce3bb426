#include "poe/experts/selected_coordinates.h"

#include <numeric>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace poe {
namespace {

template <typename Scalar>
struct SelectedPosterior final : Posterior {
  Observations<Scalar> seen;
  std::unique_ptr<Posterior> inner;
};

template <typename Scalar>
const SelectedPosterior<Scalar>& SelectedOf(const Posterior& posterior) {
  return static_cast<const SelectedPosterior<Scalar>&>(posterior);
}

}  // namespace

template <typename Scalar>
Observations<Scalar> SelectColumns(const Observations<Scalar>& x,
                                   absl::Span<const Index> columns) {
  Observations<Scalar> seen;
  seen.size = x.size;
  seen.lengths = x.lengths;
  seen.row_ids = x.row_ids;
  seen.values.resize(x.values.rows(), static_cast<Index>(columns.size()));
  for (Index row = 0; row < x.values.rows(); ++row)
    for (std::size_t i = 0; i < columns.size(); ++i)
      seen.values(row, static_cast<Index>(i)) = x.values(row, columns[i]);
  return seen;
}

template <typename Scalar>
absl::StatusOr<std::unique_ptr<SelectedCoordinates<Scalar>>>
SelectedCoordinates<Scalar>::Create(std::unique_ptr<ExpertGroup<Scalar>> inner,
                                    std::vector<Index> columns,
                                    Index dimension) {
  if (static_cast<Index>(columns.size()) != inner->dimension())
    return absl::InvalidArgumentError(absl::StrCat("there are ", columns.size(),
                                                   " columns for experts of ",
                                                   inner->dimension()));
  Index before = -1;
  for (Index column : columns) {
    if (column <= before || column >= dimension)
      return absl::InvalidArgumentError(
          absl::StrCat("column ", column, " after ", before,
                       "; columns must ascend and be less than ", dimension));
    before = column;
  }
  auto group = std::unique_ptr<SelectedCoordinates>(new SelectedCoordinates());
  for (const ParameterBlock& block : inner->blocks())
    group->AddBlock(block.kind, block.rows, block.cols);
  group->inner_ = std::move(inner);
  group->columns_ = std::move(columns);
  group->dimension_ = dimension;
  group->CopyParameters();
  return group;
}

template <typename Scalar>
void SelectedCoordinates<Scalar>::CopyParameters() {
  for (std::size_t i = 0; i < this->blocks().size(); ++i)
    this->mutable_block(i) = inner_->block(i);
}

template <typename Scalar>
void SelectedCoordinates<Scalar>::ParametersChanged(const Workers& workers) {
  inner_->UpdateParameters(workers, [&](Eigen::Ref<Vector<Scalar>> parameters) {
    parameters = this->parameters();
  });
  CopyParameters();
}

template <typename Scalar>
std::vector<Coupling> SelectedCoordinates<Scalar>::couplings() const {
  std::vector<Coupling> couplings = inner_->couplings();
  for (Coupling& coupling : couplings)
    coupling = {columns_[coupling.first], columns_[coupling.second]};
  return couplings;
}

template <typename Scalar>
std::unique_ptr<ExpertGroup<Scalar>> SelectedCoordinates<Scalar>::Clone()
    const {
  return *Create(inner_->Clone(), columns_, dimension_);
}

template <typename Scalar>
std::unique_ptr<Posterior> SelectedCoordinates<Scalar>::NewPosterior() const {
  auto posterior = std::make_unique<SelectedPosterior<Scalar>>();
  posterior->inner = inner_->NewPosterior();
  return posterior;
}

template <typename Scalar>
void SelectedCoordinates<Scalar>::Infer(const Observations<Scalar>& x,
                                        Scalar beta, const Workers& workers,
                                        Posterior& posterior) const {
  auto& selected = static_cast<SelectedPosterior<Scalar>&>(posterior);
  selected.seen = SelectColumns<Scalar>(x, columns_);
  inner_->Infer(selected.seen, beta, workers, *selected.inner);
}

template <typename Scalar>
void SelectedCoordinates<Scalar>::Temper(const Observations<Scalar>&,
                                         Scalar beta, const Workers& workers,
                                         Posterior& posterior) const {
  auto& selected = static_cast<SelectedPosterior<Scalar>&>(posterior);
  inner_->Temper(selected.seen, beta, workers, *selected.inner);
}

template <typename Scalar>
void SelectedCoordinates<Scalar>::AddLogScores(
    const Posterior& posterior, absl::Span<double> log_scores) const {
  inner_->AddLogScores(*SelectedOf<Scalar>(posterior).inner, log_scores);
}

template <typename Scalar>
void SelectedCoordinates<Scalar>::ExpertLogScores(
    const Posterior& posterior, RowMatrixRef<double> log_scores) const {
  inner_->ExpertLogScores(*SelectedOf<Scalar>(posterior).inner, log_scores);
}

template <typename Scalar>
template <typename Add>
void SelectedCoordinates<Scalar>::Scatter(Messages<Scalar>& messages,
                                          Add add) const {
  const auto width = static_cast<Index>(columns_.size());
  Messages<Scalar> own;
  own.linear = RowMatrix<Scalar>::Zero(messages.linear.rows(), width);
  if (messages.precision.size() > 0) own.precision = own.linear;
  own.first_coupling = messages.first_coupling;
  own.coupling.swap(messages.coupling);
  add(own);
  own.coupling.swap(messages.coupling);
  for (Index i = 0; i < width; ++i) {
    messages.linear.col(columns_[i]) += own.linear.col(i);
    if (messages.precision.size() > 0)
      messages.precision.col(columns_[i]) += own.precision.col(i);
  }
}

template <typename Scalar>
void SelectedCoordinates<Scalar>::AddSampledMessages(
    const Observations<Scalar>&, const Posterior& posterior, const Draws& draws,
    const Workers& workers, Messages<Scalar>& messages) const {
  const SelectedPosterior<Scalar>& selected = SelectedOf<Scalar>(posterior);
  Scatter(messages, [&](Messages<Scalar>& own) {
    inner_->AddSampledMessages(selected.seen, *selected.inner, draws, workers,
                               own);
  });
}

template <typename Scalar>
void SelectedCoordinates<Scalar>::AddGradient(
    const Observations<Scalar>&, const Posterior& posterior,
    absl::Span<const Scalar> weights, const Workers& workers,
    Eigen::Ref<Vector<Scalar>> gradient) const {
  const SelectedPosterior<Scalar>& selected = SelectedOf<Scalar>(posterior);
  inner_->AddGradient(selected.seen, *selected.inner, weights, workers,
                      gradient);
}

template <typename Scalar>
void SelectedCoordinates<Scalar>::HiddenProbabilities(
    const Posterior& posterior, RowMatrixRef<Scalar> probabilities) const {
  inner_->HiddenProbabilities(*SelectedOf<Scalar>(posterior).inner,
                              probabilities);
}

template <typename Scalar>
void SelectedCoordinates<Scalar>::AddMessages(
    const ConstRowMatrixRef<Scalar>& states, const Workers& workers,
    Messages<Scalar>& messages) const {
  Scatter(messages, [&](Messages<Scalar>& own) {
    inner_->AddMessages(states, workers, own);
  });
}

template <typename Scalar>
SightedGroup<Scalar> Unwrap(const ExpertGroup<Scalar>& group) {
  if (const auto* selected =
          dynamic_cast<const SelectedCoordinates<Scalar>*>(&group))
    return {&selected->inner(), selected->columns()};
  SightedGroup<Scalar> all = {&group, std::vector<Index>(group.dimension())};
  std::iota(all.columns.begin(), all.columns.end(), Index{0});
  return all;
}

RowMatrix<double> Spread(const RowMatrix<double>& matrix,
                         absl::Span<const Index> columns, Index dimension) {
  RowMatrix<double> spread = RowMatrix<double>::Zero(matrix.rows(), dimension);
  for (std::size_t i = 0; i < columns.size(); ++i)
    spread.col(columns[i]) = matrix.col(static_cast<Index>(i));
  return spread;
}

template SightedGroup<float> Unwrap(const ExpertGroup<float>&);
template SightedGroup<double> Unwrap(const ExpertGroup<double>&);
template Observations<float> SelectColumns<float>(const Observations<float>&,
                                                  absl::Span<const Index>);
template Observations<double> SelectColumns<double>(const Observations<double>&,
                                                    absl::Span<const Index>);
template class SelectedCoordinates<float>;
template class SelectedCoordinates<double>;

}  // namespace poe
