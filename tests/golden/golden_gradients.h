// One sequence at a time: scores and gradients as golden files state them.
#ifndef POE_TESTS_GOLDEN_GOLDEN_GRADIENTS_H_
#define POE_TESTS_GOLDEN_GOLDEN_GRADIENTS_H_

#include <vector>

#include "poe/expert_group.h"

namespace poe {

// N x M.
inline RowMatrix<double> LogScores(const ExpertGroup<double>& group,
                                   const Observations<double>& x, double beta) {
  const auto posterior = group.NewPosterior();
  group.Infer(x, beta, Workers::Inline(), *posterior);
  RowMatrix<double> scores(x.size, group.num_experts());
  group.ExpertLogScores(*posterior, scores);
  return scores;
}

// d sum_m log f_m(x_n) / d parameters, of observation n alone.
inline Vector<double> GradientOf(const ExpertGroup<double>& group,
                                 const Observations<double>& x, Index n) {
  const auto posterior = group.NewPosterior();
  group.Infer(x, 1, Workers::Inline(), *posterior);
  std::vector<double> weights(x.size, 0);
  weights[n] = 1;
  Vector<double> gradient = Vector<double>::Zero(group.parameters().size());
  group.AddGradient(x, *posterior, weights, Workers::Inline(), gradient);
  return gradient;
}

// Block i of a gradient.
inline RowMatrix<double> BlockOf(const ExpertGroup<double>& group,
                                 const Vector<double>& gradient,
                                 std::size_t i) {
  const ParameterBlock& block = group.blocks()[i];
  return Eigen::Map<const RowMatrix<double>>(gradient.data() + block.offset,
                                             block.rows, block.cols);
}

}  // namespace poe

#endif  // POE_TESTS_GOLDEN_GOLDEN_GRADIENTS_H_
