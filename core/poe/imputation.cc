#include "poe/imputation.h"

#include <vector>

namespace poe {
namespace {

// Gibbs steps of an observation that is met for the first time.
constexpr int kFirstSteps = 10;

}  // namespace

void Imputation::Fill(const Product<float>& product,
                      absl::Span<const Index> numbers, std::uint32_t step,
                      const Workers& workers, Observations<float>& x) {
  // Of those met before, and of those met for the first time.
  std::vector<Index> parts[2];
  std::vector<Index> begins;  // first frame in x, by position
  Index frame = 0;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    begins.push_back(frame);
    frame += rows_.length(numbers[i]);
    if (!rows_.IsComplete(numbers[i]))
      parts[filled_.contains(numbers[i]) ? 0 : 1].push_back(
          static_cast<Index>(i));
  }
  for (int first = 0; first < 2; ++first) {
    if (parts[first].empty()) continue;
    std::vector<Index> incomplete;
    for (Index i : parts[first]) incomplete.push_back(numbers[i]);
    const GatheredRows gathered(rows_, incomplete);
    const RawRows raw = gathered.View();
    Observations<float> part = Preprocess(spec_, raw, 0, raw.size());
    for (std::size_t i = 0; i < incomplete.size(); ++i)
      part.row_ids[i] = static_cast<std::uint64_t>(incomplete[i]);
    KeepObserved(spec_, raw, 0, part);
    if (first == 1) {
      product.base().SampleStart({seed_, Purpose::kStart, 0, step}, part);
    } else {
      for (std::size_t i = 0; i < incomplete.size(); ++i)
        part.values.middleRows(raw.start(static_cast<Index>(i)),
                               raw.length(static_cast<Index>(i))) =
            filled_.at(incomplete[i]);
    }
    const int steps = first == 1 ? kFirstSteps : 1;
    auto posteriors = product.NewPosteriors();
    Messages<float> messages;
    for (int k = 0; k < steps; ++k) {
      product.Infer(part, 1, workers, posteriors);
      product.Resample(posteriors, seed_,
                       step * static_cast<std::uint32_t>(kFirstSteps) +
                           static_cast<std::uint32_t>(k),
                       Reconstruction::kSample, workers, messages, part);
    }
    for (std::size_t i = 0; i < incomplete.size(); ++i) {
      const auto values = part.values.middleRows(
          raw.start(static_cast<Index>(i)), raw.length(static_cast<Index>(i)));
      filled_[incomplete[i]] = values;
      x.values.middleRows(begins[parts[first][i]], values.rows()) = values;
    }
  }
}

void Imputation::Save(ArchiveWriter& writer) const {
  writer.Put<std::uint64_t>(filled_.size());
  for (const auto& [number, values] : filled_) {
    writer.Put<std::int64_t>(number);
    writer.PutMatrix(values);
  }
}

void Imputation::Load(ArchiveReader& reader) {
  const auto count = reader.Get<std::uint64_t>();
  for (std::uint64_t i = 0; reader.ok() && i < count; ++i) {
    const auto number = reader.Get<std::int64_t>();
    reader.GetMatrix(filled_[number]);
  }
}

}  // namespace poe
