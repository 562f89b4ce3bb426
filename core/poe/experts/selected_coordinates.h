// Experts that see some coordinates of the data only, and say nothing about the
// others.
#ifndef POE_EXPERTS_SELECTED_COORDINATES_H_
#define POE_EXPERTS_SELECTED_COORDINATES_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "poe/expert_group.h"

namespace poe {

// Some columns of all frames; nothing is clamped.
template <typename Scalar>
Observations<Scalar> SelectColumns(const Observations<Scalar>& x,
                                   absl::Span<const Index> columns);

// A group of any other kind, of as many columns as it is shown. Its parameters
// and blocks are these.
template <typename Scalar>
class SelectedCoordinates final : public ExpertGroup<Scalar> {
 public:
  // `columns` are the columns of x that the experts see, ascending and less
  // than `dimension`, as many as inner->dimension(). InvalidArgument otherwise.
  static absl::StatusOr<std::unique_ptr<SelectedCoordinates>> Create(
      std::unique_ptr<ExpertGroup<Scalar>> inner, std::vector<Index> columns,
      Index dimension);

  const ExpertGroup<Scalar>& inner() const { return *inner_; }
  const std::vector<Index>& columns() const { return columns_; }

  Index num_experts() const override { return inner_->num_experts(); }
  Index dimension() const override { return dimension_; }
  bool Supports(Family family) const override {
    return inner_->Supports(family);
  }
  bool sequential() const override { return inner_->sequential(); }
  std::vector<Coupling> couplings() const override;
  Scalar power() const override { return inner_->power(); }
  std::unique_ptr<ExpertGroup<Scalar>> Clone() const override;

  std::unique_ptr<Posterior> NewPosterior() const override;
  void Infer(const Observations<Scalar>& x, Scalar beta, const Workers& workers,
             Posterior& posterior) const override;
  void Temper(const Observations<Scalar>& x, Scalar beta,
              const Workers& workers, Posterior& posterior) const override;
  void AddLogScores(const Posterior& posterior,
                    absl::Span<double> log_scores) const override;
  void ExpertLogScores(const Posterior& posterior,
                       RowMatrixRef<double> log_scores) const override;
  void AddSampledMessages(const Observations<Scalar>& x,
                          const Posterior& posterior, const Draws& draws,
                          const Workers& workers,
                          Messages<Scalar>& messages) const override;
  void AddGradient(const Observations<Scalar>& x, const Posterior& posterior,
                   absl::Span<const Scalar> weights, const Workers& workers,
                   Eigen::Ref<Vector<Scalar>> gradient) const override;
  void StepUnits(const Workers& workers,
                 Eigen::Ref<Vector<Scalar>> units) const override {
    inner_->StepUnits(workers, units);
  }
  Index num_hidden() const override { return inner_->num_hidden(); }
  void HiddenProbabilities(const Posterior& posterior,
                           RowMatrixRef<Scalar> probabilities) const override;
  void AddMessages(const ConstRowMatrixRef<Scalar>& states,
                   const Workers& workers,
                   Messages<Scalar>& messages) const override;

 private:
  SelectedCoordinates() = default;
  void ParametersChanged(const Workers& workers) override;
  void CopyParameters();
  // Lets `add` add the experts' messages to those about their columns.
  template <typename Add>
  void Scatter(Messages<Scalar>& messages, Add add) const;

  std::unique_ptr<ExpertGroup<Scalar>> inner_;
  std::vector<Index> columns_;
  Index dimension_ = 0;
};

// Experts and the columns of x that they see, all of them or those that a
// SelectedCoordinates shows to the group within.
template <typename Scalar>
struct SightedGroup {
  const ExpertGroup<Scalar>* group = nullptr;
  std::vector<Index> columns;
};
template <typename Scalar>
SightedGroup<Scalar> Unwrap(const ExpertGroup<Scalar>& group);

// The same columns in `dimension` ones, zeros in the others.
RowMatrix<double> Spread(const RowMatrix<double>& matrix,
                         absl::Span<const Index> columns, Index dimension);

}  // namespace poe

#endif  // POE_EXPERTS_SELECTED_COORDINATES_H_
