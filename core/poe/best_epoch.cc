#include "poe/best_epoch.h"

#include <cmath>
#include <utility>

namespace poe {
namespace {

std::vector<Vector<float>> AllParameters(const Product<float>& product) {
  std::vector<Vector<float>> all = {product.base().parameters()};
  for (std::size_t i = 0; i < product.num_groups(); ++i)
    all.push_back(product.group(i).parameters());
  return all;
}

void SetParameters(const Vector<float>& parameters,
                   Parameterized<float>& target) {
  target.UpdateParameters(
      [&](Eigen::Ref<Vector<float>> all) { all = parameters; });
}

}  // namespace

BestEpoch::BestEpoch(const EarlyStopping& settings, const RowSelection& rows,
                     const Product<float>& product,
                     Reconstruction reconstruction, std::uint64_t seed)
    : patience_(settings.patience),
      judge_(rows, product, reconstruction, seed),
      parameters_(AllParameters(product)) {}

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
  parameters_ = AllParameters(product);
  return absl::OkStatus();
}

void BestEpoch::Restore(Product<float>& product) const {
  SetParameters(parameters_[0], product.mutable_base());
  for (std::size_t i = 0; i < product.num_groups(); ++i)
    SetParameters(parameters_[i + 1], product.mutable_group(i));
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
