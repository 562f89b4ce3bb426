#include "poe/product_samples.h"

#include <vector>

#include "absl/strings/str_cat.h"

namespace poe {

template <typename Scalar>
absl::Status CheckSamples(const Product<Scalar>& product,
                          const ProductSamples<Scalar>& samples) {
  const Observations<Scalar>& x = samples.x;
  if (x.size < 2)
    return absl::InvalidArgumentError(
        absl::StrCat("there are ", x.size, " samples; at least 2"));
  const auto kind = [](bool sequential) {
    return sequential ? "sequences" : "rows";
  };
  if (x.dimension() != product.dimension() ||
      x.sequential() != product.sequential())
    return absl::InvalidArgumentError(
        absl::StrCat("the samples are ", kind(x.sequential()), " of ",
                     x.dimension(), " columns; those of the product are ",
                     kind(product.sequential()), " of ", product.dimension()));
  for (Index n = 1; n < x.size; ++n)
    if (x.length(n) != x.length(0))
      return absl::InvalidArgumentError(absl::StrCat(
          "sample ", n, " has ", x.length(n), " frames and sample 0 has ",
          x.length(0), "; log Z is that of one length"));
  if (!x.clamped.empty())
    return absl::InvalidArgumentError(
        "samples of a product have no clamped values");
  const std::vector<bool> in_support = product.InSupport(x);
  for (Index n = 0; n < x.size; ++n)
    if (!in_support[n])
      return absl::InvalidArgumentError(
          absl::StrCat("sample ", n, " is out of support"));
  return absl::OkStatus();
}

template absl::Status CheckSamples<float>(const Product<float>&,
                                          const ProductSamples<float>&);
template absl::Status CheckSamples<double>(const Product<double>&,
                                           const ProductSamples<double>&);

}  // namespace poe
