// Early stopping: the epoch of a training that was best on held-out rows so
// far, the start counting as epoch 0, and the parameters that it had.
#ifndef POE_BEST_EPOCH_H_
#define POE_BEST_EPOCH_H_

#include <cstdint>
#include <limits>
#include <vector>

#include "absl/status/status.h"
#include "poe/archive.h"
#include "poe/contrastive_divergence.h"
#include "poe/held_out_figure.h"

namespace poe {

// Of one training of one product. Not thread-safe.
class BestEpoch {
 public:
  // `product` as it starts, or as it is when the training is resumed. `rows`
  // must outlive it; see HeldOutJudge.
  BestEpoch(const EarlyStopping& settings, const RowSelection& rows,
            const Product<float>& product, Reconstruction reconstruction,
            std::uint64_t seed);

  // Epoch `epoch` is done, or is to begin if it is 0; in their order. Of equal
  // figures the first is best, and one that is not finite never is. Errors as
  // HeldOutJudge::Judge.
  absl::Status Judge(int epoch, const Product<float>& product,
                     const Workers& workers, InterruptCheck check);

  // Of the last epoch judged.
  const HeldOutFigure& figure() const { return figure_; }
  int epoch() const { return epoch_; }
  // Whether patience ends after the last epoch judged.
  bool is_over() const {
    return patience_ > 0 && judged_ - epoch_ >= patience_;
  }

  // Puts the parameters of the best epoch in place.
  void Restore(const Workers& workers, Product<float>& product) const;

  // What it remembers from epoch to epoch. Load gives false if the parameters
  // are not as many as the product's.
  void Save(ArchiveWriter& writer) const;
  bool Load(ArchiveReader& reader);

 private:
  const int patience_;
  const HeldOutJudge judge_;
  HeldOutFigure figure_;
  int judged_ = 0;
  int epoch_ = 0;
  double best_ = -std::numeric_limits<double>::infinity();
  std::vector<Vector<float>> parameters_;  // base, then groups
};

}  // namespace poe

#endif  // POE_BEST_EPOCH_H_
