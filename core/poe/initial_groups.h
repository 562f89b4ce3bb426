// Groups of experts as they are before training: one overload for each kind.
#ifndef POE_INITIAL_GROUPS_H_
#define POE_INITIAL_GROUPS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "poe/initialization.h"

namespace poe {

// What groups start from: settings that all kinds share, and examples with
// their moments.
struct InitialData {
  const DataSpec& spec;
  const Examples& examples;
  DataMoments moments;
  // Of the frames up to and with each; empty if all weigh 1.
  std::vector<double> weight_so_far;
  // Root mean square deviation of the data over coordinates; 1 if it is 0.
  double deviation;
  InterruptCheck check;
};

using InitialGroup = absl::StatusOr<std::unique_ptr<ExpertGroup<float>>>;

InitialGroup InitializeGroup(const BernoulliUnitsSettings& settings,
                             const GroupSettings& group,
                             const InitialData& data, const Draws& draws);
InitialGroup InitializeGroup(const UnigaussSettings& settings,
                             const GroupSettings& group,
                             const InitialData& data, const Draws& draws);
// Components on examples drawn at random.
InitialGroup InitializeGroup(const GaussianMixtureSettings& settings,
                             const GroupSettings& group,
                             const InitialData& data, const Draws& draws);
// Gaussian emissions on frames drawn at random; transitions, and emissions of
// symbols, at random.
InitialGroup InitializeGroup(const HiddenMarkovSettings& settings,
                             const GroupSettings& group,
                             const InitialData& data, const Draws& draws);
// Slow rotations at random, of stationary variance 1.
InitialGroup InitializeGroup(const LinearDynamicalSettings& settings,
                             const GroupSettings& group,
                             const InitialData& data, const Draws& draws);
// As FitTrees does, to all rows.
InitialGroup InitializeGroup(const GaussianTreeSettings& settings,
                             const GroupSettings& group,
                             const InitialData& data, const Draws& draws);

// How the trees of a group are found.
struct TreeFit {
  // Of the rows: N for each expert, or once N for all.
  std::vector<std::vector<double>> weights;
  int max_iterations = 30;  // of mixtures
  // Whether mixtures that have not converged by then are refused.
  bool must_converge = false;
  double power = 1;  // of the group
  std::uint64_t seed = 0;
};

// By Chow and Liu: single trees each without the edges of those before,
// mixtures by expectation maximization. FailedPrecondition or InvalidArgument
// where the rows determine no tree, or a mixture must converge and has not; the
// status of `check`.
InitialGroup FitTrees(const GaussianTreeSettings& settings, Index experts,
                      const Examples& examples, const TreeFit& fit,
                      InterruptCheck check);

// The frame at a share in (0, 1) of the weight of all frames.
Eigen::Ref<const Eigen::Matrix<float, 1, Eigen::Dynamic>> FrameAt(
    const InitialData& data, double share);

// The bounds on log variances that settings ask for, as far as experts can have
// them.
struct LogVarianceBounds {
  double least, greatest;
};
LogVarianceBounds BoundsOf(const StandardDeviations& settings,
                           double deviation);

}  // namespace poe

#endif  // POE_INITIAL_GROUPS_H_
