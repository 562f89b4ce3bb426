#include "client/cpp/chunks.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/tensor.h"

namespace poe::client {
namespace {

absl::Status Mismatch(const char* what, int64_t count, int64_t expected) {
  return absl::InvalidArgumentError(absl::StrCat(
      "observations.", what, " has ", count, " entries, expected ", expected));
}

absl::Status ExpectNoneOr(const char* what, int64_t count, int64_t expected) {
  if (count == 0 || count == expected) return absl::OkStatus();
  return Mismatch(what, count, expected);
}

template <typename Repeated>
void CopyPart(const Repeated& from, int64_t begin, int64_t end, Repeated* to) {
  if (from.empty()) return;
  to->Add(from.begin() + begin, from.begin() + end);
}

}  // namespace

ObservationChunks::ObservationChunks(const v1::Observations& observations)
    : observations_(&observations), rows_(RowCount(observations)) {}

absl::StatusOr<ObservationChunks> ObservationChunks::Create(
    const v1::Observations& observations) {
  ObservationChunks chunks(observations);
  const v1::Tensor& values = chunks.values();
  int64_t value_rows = chunks.rows_;
  if (observations.has_sequences()) {
    int64_t end = 0;
    chunks.starts_.push_back(end);
    for (const int64_t length : observations.sequences().lengths()) {
      if (length < 0 || __builtin_add_overflow(end, length, &end)) {
        return absl::InvalidArgumentError(absl::StrCat(
            "observations.sequences.lengths has ", length, ", expected >= 1"));
      }
      chunks.starts_.push_back(end);
    }
    value_rows = end;
    if (values.shape().empty() || values.shape(0) != value_rows) {
      return Mismatch("sequences.values",
                      values.shape().empty() ? 0 : values.shape(0), value_rows);
    }
  }
  if (value_rows < 0) return Mismatch("dense", value_rows, 0);
  for (int i = 1; i < values.shape_size(); ++i) {
    if (values.shape(i) < 0 ||
        __builtin_mul_overflow(chunks.row_elements_, values.shape(i),
                               &chunks.row_elements_)) {
      return absl::InvalidArgumentError("observations have a bad shape");
    }
  }
  int64_t elements = 0;
  if (__builtin_mul_overflow(value_rows, chunks.row_elements_, &elements)) {
    return absl::InvalidArgumentError("observations have a bad shape");
  }
  const int64_t bytes = values.data().size();
  if (values.data().empty()) {
    if (values.values_size() != elements) {
      return Mismatch("values", values.values_size(), elements);
    }
    chunks.row_bytes_ = chunks.row_elements_ * sizeof(float);
  } else {
    if (elements == 0 || bytes % elements != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("observations have ", bytes, " bytes of data for ",
                       elements, " elements"));
    }
    chunks.row_bytes_ = bytes / value_rows;
  }
  absl::Status status =
      ExpectNoneOr("mask", observations.mask().size(), elements);
  status.Update(
      ExpectNoneOr("row_ids", observations.row_ids_size(), chunks.rows_));
  status.Update(
      ExpectNoneOr("weights", observations.weights_size(), chunks.rows_));
  if (!status.ok()) return status;
  return chunks;
}

int64_t ObservationChunks::ValueRow(int64_t row) const {
  return starts_.empty() ? row : starts_[row];
}

int64_t ObservationChunks::End(int64_t begin, const ChunkLimits& limits) const {
  const int64_t value_rows =
      std::min(limits.rows, limits.bytes / std::max<int64_t>(row_bytes_, 1));
  if (starts_.empty()) {
    return std::min(rows_, begin + std::max<int64_t>(value_rows, 1));
  }
  const auto past = std::upper_bound(starts_.begin() + begin, starts_.end(),
                                     starts_[begin] + value_rows);
  return std::max<int64_t>(past - starts_.begin() - 1, begin + 1);
}

v1::Observations ObservationChunks::Slice(int64_t begin, int64_t end) const {
  const int64_t first = ValueRow(begin);
  const int64_t past = ValueRow(end);
  v1::Observations slice;
  v1::Tensor* tensor = slice.mutable_dense();
  if (observations_->has_sequences()) {
    tensor = slice.mutable_sequences()->mutable_values();
    CopyPart(observations_->sequences().lengths(), begin, end,
             slice.mutable_sequences()->mutable_lengths());
  }
  *tensor->mutable_shape() = values().shape();
  tensor->set_shape(0, past - first);
  tensor->set_element_type(values().element_type());
  if (!values().data().empty()) {
    tensor->set_data(values().data().data() + first * row_bytes_,
                     (past - first) * row_bytes_);
  }
  CopyPart(values().values(), first * row_elements_, past * row_elements_,
           tensor->mutable_values());
  if (!observations_->mask().empty()) {
    slice.set_mask(observations_->mask().data() + first * row_elements_,
                   (past - first) * row_elements_);
  }
  CopyPart(observations_->row_ids(), begin, end, slice.mutable_row_ids());
  CopyPart(observations_->weights(), begin, end, slice.mutable_weights());
  return slice;
}

}  // namespace poe::client
