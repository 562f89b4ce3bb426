// Groups of experts as they are before training: one overload for each kind.
#ifndef POE_INITIAL_GROUPS_H_
#define POE_INITIAL_GROUPS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "poe/initialization.h"

namespace poe {

// What groups start from: settings that all kinds share, and examples with
// their moments.
struct InitialData {
  const DataSpec& spec;
  const Examples& examples;
  DataMoments moments;
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
// By Chow and Liu: single trees each without the edges of those before,
// mixtures by expectation maximization. FailedPrecondition or InvalidArgument
// where the data determine no tree; the status of the check.
InitialGroup InitializeGroup(const GaussianTreeSettings& settings,
                             const GroupSettings& group,
                             const InitialData& data, const Draws& draws);

// The frame at a share in (0, 1) of the weight of all frames.
Index FrameAt(const Examples& examples, double share);

// The bounds on log variances that settings ask for, as far as experts can have
// them.
struct LogVarianceBounds {
  double least, greatest;
};
LogVarianceBounds BoundsOf(const StandardDeviations& settings,
                           double deviation);

}  // namespace poe

#endif  // POE_INITIAL_GROUPS_H_
