// Missing values of training rows, drawn from the product as it learns: Gibbs
// steps over what is missing, what was observed held.
#ifndef POE_IMPUTATION_H_
#define POE_IMPUTATION_H_

#include <cstdint>
#include <unordered_map>

#include "poe/archive.h"
#include "poe/gibbs.h"
#include "poe/product.h"
#include "poe/raw_rows.h"

namespace poe {

// Keeps, for each incomplete observation, what its missing values were last
// drawn to be, and goes on from there. Not thread-safe.
class Imputation {
 public:
  // `rows` are those of the training set, of this spec; both must outlive it.
  Imputation(const DataSpec& spec, const RawRows& rows, std::uint64_t seed)
      : spec_(spec), rows_(rows), seed_(seed) {}

  // Fills in x, the preprocessed observations of these numbers, by one Gibbs
  // step from the last fill, or by a few from the base. What is clamped in x
  // stays so. `step` names the draws.
  void Fill(const Product<float>& product, absl::Span<const Index> numbers,
            std::uint32_t step, const Workers& workers, Observations<float>& x);

  // What was filled in last.
  void Save(ArchiveWriter& writer) const;
  void Load(ArchiveReader& reader);

 private:
  const DataSpec& spec_;
  const RawRows& rows_;
  std::uint64_t seed_;
  // Frames x width, by number.
  std::unordered_map<Index, RowMatrix<float>> filled_;
};

}  // namespace poe

#endif  // POE_IMPUTATION_H_
