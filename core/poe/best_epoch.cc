#include "poe/best_epoch.h"

#include <cmath>

namespace poe {

BestEpoch::BestEpoch(const EarlyStopping& settings, const RowSelection& rows,
                     const Product<float>& product,
                     Reconstruction reconstruction, std::uint64_t seed)
    : patience_(settings.patience),
      judge_(rows, product, reconstruction, seed),
      parameters_(product.Parameters()) {}

absl::Status BestEpoch::Judge(int epoch, const Product<float>& product,
                              const Workers& workers, InterruptCheck check) {
  const auto figure = judge_.Judge(product, workers, check);
  if (!figure.ok()) return figure.status();
  figure_ = *figure;
  judged_ = epoch;
  const double value = figure_.value();
  if (!std::isfinite(value) || value <= best_) return absl::OkStatus();
  best_ = value;
  epoch_ = epoch;
  parameters_ = product.Parameters();
  return absl::OkStatus();
}

void BestEpoch::Restore(const Workers& workers, Product<float>& product) const {
  product.SetParameters(parameters_, workers);
}

void BestEpoch::Save(ArchiveWriter& writer) const {
  writer.Put<std::int32_t>(judged_);
  writer.Put<std::int32_t>(epoch_);
  writer.Put(best_);
  for (const Vector<float>& parameters : parameters_)
    writer.PutMatrix(parameters);
}

bool BestEpoch::Load(ArchiveReader& reader) {
  judged_ = reader.Get<std::int32_t>();
  epoch_ = reader.Get<std::int32_t>();
  best_ = reader.Get<double>();
  for (Vector<float>& parameters : parameters_) {
    const Index size = parameters.size();
    reader.GetMatrix(parameters);
    if (!reader.ok() || parameters.size() != size) return false;
  }
  return true;
}

}  // namespace poe
