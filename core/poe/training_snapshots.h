// How a training that was interrupted goes on where it was, and ends with the
// same bits: parameters of all layers trained so far, and what the stage that
// was running remembers from update to update.
#ifndef POE_TRAINING_SNAPSHOTS_H_
#define POE_TRAINING_SNAPSHOTS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "poe/archive.h"
#include "poe/product.h"
#include "poe/training.h"

namespace poe {

// Of one training. Layers are met in the order of their training, classes
// first, and so are the stages of gradient ascent of a layer; everything before
// those is done again, and gives the same again. Not thread-safe.
class TrainingSnapshots {
 public:
  // Null: the training is neither resumed nor kept. DataLoss from the first
  // call of Enter on if `resumption->from` is no snapshot.
  explicit TrainingSnapshots(const Resumption* resumption);

  enum class Step {
    kRun,     // from its start
    kResume,  // OpenStage gives what it had
    kSkip,    // it is done
  };
  // A layer as it starts, whose parameters become those of the snapshot if it
  // is in there. DataLoss if they do not fit.
  absl::Status Enter(Index class_index, Index layer, Product<float>& product);
  // The first stage of the layer entered begins, or the next one.
  void BeginStage() { ++stage_; }
  // What to do of the stage that has begun.
  Step step() const;
  // The layer is done.
  void Leave(const Product<float>& product);

  // Of a stage whose step is kResume: the update that it was at. What follows
  // in the reader is what `memory` wrote in Keep.
  ArchiveReader& OpenStage(std::int64_t& update);

  bool IsDue() const { return resumption_ != nullptr && resumption_->is_due(); }
  // The stage that has begun is at `update`.
  void Keep(std::int64_t update, const Product<float>& product,
            absl::FunctionRef<void(ArchiveWriter&)> memory);

 private:
  struct Position {
    Index class_index = 0, layer = 0;
    int stage = 0;  // of the layer
    std::int64_t update = 0;
  };

  const Resumption* const resumption_;
  ArchiveReader reader_;
  std::optional<Position> from_;       // of the snapshot resumed from
  Index class_index_ = 0, layer_ = 0;  // entered last
  int stage_ = -1;                     // begun last; -1: none of the layer
  ArchiveWriter done_;                 // parameters of layers that are done
};

}  // namespace poe

#endif  // POE_TRAINING_SNAPSHOTS_H_
