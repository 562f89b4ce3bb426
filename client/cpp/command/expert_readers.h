// Groups of experts to single experts: one overload for each kind.
#ifndef POE_CLIENT_CPP_COMMAND_EXPERT_READERS_H_
#define POE_CLIENT_CPP_COMMAND_EXPERT_READERS_H_

#include <cstdint>
#include <set>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "client/cpp/command/experts.h"
#include "poe/v1/model.pb.h"

namespace poe::client {

// What a group sees: some of the coordinates of its layer's data, which have so
// many symbols, or 0.
struct SeenData {
  std::vector<int64_t> coordinates;
  int64_t dimension = 0;
  int64_t symbols = 0;
  // As FirstWeights has them.
  std::vector<int64_t> first_weights;
  // Coordinates whose columns stand behind all others.
  std::set<int64_t> real_inputs;
};

// INTERNAL: the model contradicts itself.
absl::Status UnfitParameters();

// The elements of a tensor; false if there are not so many.
bool ReadParameters(const v1::Tensor& tensor, size_t size,
                    std::vector<double>& values);

// Each appends to `experts`, in preprocessed units, kind and what belongs to
// the kind. INTERNAL if shapes do not fit.
absl::Status Append(const v1::BernoulliUnits& group, const SeenData& seen,
                    std::vector<Expert>& experts);
absl::Status Append(const v1::Unigauss& group, const SeenData& seen,
                    std::vector<Expert>& experts);
absl::Status Append(const v1::GaussianMixture& group, const SeenData& seen,
                    std::vector<Expert>& experts);
absl::Status Append(const v1::HiddenMarkov& group, const SeenData& seen,
                    std::vector<Expert>& experts);
absl::Status Append(const v1::LinearDynamical& group, const SeenData& seen,
                    std::vector<Expert>& experts);
absl::Status Append(const v1::GaussianTree& group, const SeenData& seen,
                    std::vector<Expert>& experts);

// A row of so many Gaussians, one for each coordinate that is seen.
void SetGaussian(absl::Span<const double> mean,
                 absl::Span<const double> log_variance, const SeenData& seen,
                 Expert& expert);

// softmax(logits).
std::vector<double> Shares(absl::Span<const double> logits);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_EXPERT_READERS_H_
