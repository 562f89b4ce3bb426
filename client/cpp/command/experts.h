#ifndef POE_CLIENT_CPP_COMMAND_EXPERTS_H_
#define POE_CLIENT_CPP_COMMAND_EXPERTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "poe/v1/model.pb.h"

namespace poe::client {

// One expert, as it is shown. `values` and `deviations` have an entry for each
// coordinate of the layer's data.
struct Expert {
  enum class Kind { kBernoulliUnit, kUnigauss };

  std::string class_name;
  // In its product, groups one after the other.
  int64_t number = 0;
  Kind kind = Kind::kBernoulliUnit;
  // Bernoulli unit: its bias. Unigauss: the share of the Gaussian against the
  // uniform.
  double strength = 0;
  // Bernoulli unit: weights, of preprocessed data. Unigauss: means, in the
  // units of the data on the lowest layer. 0 and NaN for coordinates that the
  // expert does not see.
  std::vector<double> values;
  // Unigauss only: standard deviations.
  std::vector<double> deviations;
};

// The experts of one layer (0 lowest) of one class, or of all classes if the
// name is empty. NOT_FOUND if there is no such class or layer, UNIMPLEMENTED
// for other kinds of expert, INTERNAL if the model's shapes do not fit.
absl::StatusOr<std::vector<Expert>> ReadExperts(const v1::Model& model,
                                                const std::string& class_name,
                                                int layer);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_EXPERTS_H_
