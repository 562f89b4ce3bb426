#ifndef POE_CLIENT_CPP_COMMAND_EXPERTS_H_
#define POE_CLIENT_CPP_COMMAND_EXPERTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cpp/command/expert_kinds.h"
#include "poe/v1/model.pb.h"

namespace poe::client {

// One expert as it is shown, or one of the states that it is a mixture of: a
// component, a hidden state, a tree. `values` and `deviations` have an entry
// for each coordinate of the layer's data, in the units of the data on the
// lowest layer, NaN for coordinates that the expert does not see.
struct Expert {
  std::string class_name;
  // In its product, groups one after the other.
  int64_t number = 0;
  ExpertKind kind = ExpertKind::kUnits;
  // Which of its states; -1 for all of an expert without.
  int64_t state = -1;
  // Units: bias. Dynamics: the greatest modulus of the transition's
  // eigenvalues. Others: the share of the Gaussian, component or tree, and of a
  // hidden state in the long run.
  double strength = 0;
  // Units: weights, of preprocessed data, 0 where nothing is seen; of symbols,
  // one for each symbol of each coordinate (FirstWeights). Dynamics: root mean
  // squares of what the first latent state adds to each. Others: means. Empty
  // for trees and for hidden states over symbols.
  std::vector<double> values;
  // Standard deviations; of dynamics, of the noise of a coordinate. Empty for
  // units.
  std::vector<double> deviations;
  // Hidden states over symbols: D x S probabilities.
  std::vector<double> probabilities;
  // Hidden states: how likely a sequence begins with it, and K probabilities of
  // the state after it.
  double initial = 0;
  std::vector<double> next;
  // Dynamics: of the transition's eigenvalues, greatest first.
  std::vector<double> moduli;
  // Dynamics, row by row: the transition A and the covariance Q of its noise,
  // both L x L, and the emission C, D x L, of preprocessed data, NaN where
  // nothing is seen.
  std::vector<double> transition, transition_noise, emission;
  // Trees: weights are those of preprocessed data.
  struct Edge {
    int64_t parent;
    int64_t child;
    double weight;
  };
  std::vector<Edge> edges;
};

// The experts of one layer (0 lowest) of one class, or of all classes if the
// name is empty. NOT_FOUND if there is no such class or layer, UNIMPLEMENTED
// for other kinds of expert, INTERNAL if the model's shapes do not fit.
absl::StatusOr<std::vector<Expert>> ReadExperts(const v1::Model& model,
                                                const std::string& class_name,
                                                int layer);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_EXPERTS_H_
