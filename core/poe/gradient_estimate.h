// What a batch of data tells about the parameters of a product.
#ifndef POE_GRADIENT_ESTIMATE_H_
#define POE_GRADIENT_ESTIMATE_H_

#include <vector>

#include "poe/product.h"

namespace poe {

// Gradients of base and groups, as means over rows. The parameters themselves
// are only read. Not thread-safe.
template <typename Scalar>
class GradientEstimate {
 public:
  explicit GradientEstimate(const Product<Scalar>& product);
  virtual ~GradientEstimate() = default;

  const Vector<Scalar>& base_gradient() const { return base_gradient_; }
  const Vector<Scalar>& group_gradient(std::size_t i) const {
    return group_gradients_[i];
  }
  // Root mean square over all entries of all gradients.
  double gradient_norm() const;

 protected:
  const Product<Scalar>& product() const { return product_; }
  void SetZero(const Workers& workers);
  // += sum_n weights[n] d log p*(x_n) / d parameters, once x has been inferred.
  void Add(const Observations<Scalar>& x,
           const typename Product<Scalar>::Posteriors& posteriors,
           absl::Span<const Scalar> weights, const Workers& workers);
  // Weights that sum to 1: `weights`, or all the same if it is empty.
  static std::vector<Scalar> Normalized(absl::Span<const Scalar> weights,
                                        Index rows);

 private:
  const Product<Scalar>& product_;
  Vector<Scalar> base_gradient_;
  std::vector<Vector<Scalar>> group_gradients_;
};

}  // namespace poe

#endif  // POE_GRADIENT_ESTIMATE_H_
