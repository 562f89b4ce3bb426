#include "poe/training_snapshots.h"

#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

namespace poe {
namespace {

// Changes with whatever the bytes mean.
constexpr std::uint64_t kFormat = 0x706f65'736e6170'02;

void Put(const Product<float>& product, ArchiveWriter& writer) {
  writer.PutMatrix(product.base().parameters());
  for (std::size_t i = 0; i < product.num_groups(); ++i)
    writer.PutMatrix(product.group(i).parameters());
}

// Leaves the target as it is unless the parameters are as many.
bool Get(ArchiveReader& reader, Parameterized<float>& target) {
  Vector<float> parameters;
  reader.GetMatrix(parameters);
  if (!reader.ok() || parameters.size() != target.parameters().size())
    return false;
  target.UpdateParameters(
      Workers::Inline(),
      [&](Eigen::Ref<Vector<float>> all) { all = parameters; });
  return true;
}

absl::Status DoesNotFit(absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat("the snapshot of the training ", what));
}

}  // namespace

TrainingSnapshots::TrainingSnapshots(const Resumption* resumption)
    : resumption_(resumption),
      reader_(resumption == nullptr ? "" : resumption->from) {
  if (resumption == nullptr || resumption->from.empty()) return;
  Position& from = from_.emplace(Position());
  if (reader_.Get<std::uint64_t>() != kFormat) reader_ = ArchiveReader("");
  from.class_index = reader_.Get<std::int64_t>();
  from.layer = reader_.Get<std::int64_t>();
  from.stage = reader_.Get<std::int32_t>();
  from.update = reader_.Get<std::int64_t>();
}

absl::Status TrainingSnapshots::Enter(Index class_index, Index layer,
                                      Product<float>& product) {
  class_index_ = class_index;
  layer_ = layer;
  stage_ = -1;
  if (!from_.has_value()) return absl::OkStatus();
  if (!reader_.ok()) return DoesNotFit("is damaged or of another version");
  if (std::pair(class_index, layer) >
      std::pair(from_->class_index, from_->layer))
    return absl::OkStatus();
  bool fits = Get(reader_, product.mutable_base());
  for (std::size_t i = 0; fits && i < product.num_groups(); ++i)
    fits = Get(reader_, product.mutable_group(i));
  if (fits) return absl::OkStatus();
  return DoesNotFit(
      absl::StrCat("does not fit layer ", layer, " of class ", class_index));
}

TrainingSnapshots::Step TrainingSnapshots::step() const {
  if (!from_.has_value()) return Step::kRun;
  const auto here = std::tuple(class_index_, layer_, stage_);
  const auto there = std::tuple(from_->class_index, from_->layer, from_->stage);
  if (here == there) return Step::kResume;
  return here < there ? Step::kSkip : Step::kRun;
}

void TrainingSnapshots::Leave(const Product<float>& product) {
  if (resumption_ != nullptr) Put(product, done_);
}

ArchiveReader& TrainingSnapshots::OpenStage(std::int64_t& update) {
  update = from_->update;
  return reader_;
}

void TrainingSnapshots::Keep(std::int64_t update, const Product<float>& product,
                             absl::FunctionRef<void(ArchiveWriter&)> memory) {
  ArchiveWriter writer;
  writer.Put(kFormat);
  writer.Put<std::int64_t>(class_index_);
  writer.Put<std::int64_t>(layer_);
  writer.Put<std::int32_t>(stage_);
  writer.Put(update);
  writer.Append(done_.bytes());
  Put(product, writer);
  memory(writer);
  resumption_->keep(writer.bytes(), update);
}

}  // namespace poe
