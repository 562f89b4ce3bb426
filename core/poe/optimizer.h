// Gradient ascent over flat parameter vectors.
#ifndef POE_OPTIMIZER_H_
#define POE_OPTIMIZER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "poe/archive.h"
#include "poe/numerics/workers.h"
#include "poe/parameters.h"

namespace poe {

struct OptimizerSettings {
  enum class Kind { kMomentum, kAdam };
  enum class Schedule { kConstant, kLinear, kCosine };
  Kind kind = Kind::kMomentum;
  double rate = 0.05;
  Schedule schedule = Schedule::kConstant;
  double final_rate_share = 0;  // of `rate`, at the last update
  double momentum = 0.9;        // Adam's first decay as well
  double early_momentum = 0.9;  // during the first `early_epochs` epochs
  int early_epochs = 0;
  double second_decay = 0.999;  // Adam only
  double weight_decay = 0;      // weights only
  // By ParameterKindName; 1 for those absent.
  std::map<std::string, double> rate_multipliers;
  double average_share = 0;  // last share of updates averaged; 0: none
};

// InvalidArgument naming the field at fault.
absl::Status Validate(const OptimizerSettings& settings);

// One Parameterized's optimizer: velocities and moments. Not thread-safe.
template <typename Scalar>
class Optimizer {
 public:
  // `total_updates` is the length of the schedule.
  Optimizer(const OptimizerSettings& settings, std::int64_t total_updates);

  // Moves the parameters of `target` up the gradient (a mean over rows).
  // `update` and `epoch` count from 0.
  void Step(std::int64_t update, int epoch, const Vector<Scalar>& gradient,
            const Workers& workers, Parameterized<Scalar>& target);

  // What it remembers from update to update.
  void Save(ArchiveWriter& writer) const;
  void Load(ArchiveReader& reader);

  // After the last update: puts the average in place, if one was kept.
  void Finish(const Workers& workers, Parameterized<Scalar>& target) const;

 private:
  OptimizerSettings settings_;
  std::int64_t total_updates_;
  Vector<Scalar> velocity_, second_moment_, average_, units_;
  double first_decays_ = 1;  // product over all updates so far
  std::int64_t averaged_ = 0;
};

}  // namespace poe

#endif  // POE_OPTIMIZER_H_
