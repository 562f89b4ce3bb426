// A product whose experts are all linear dynamical systems: one system of their
// latents side by side, given which the coordinates of a frame are independent.
#ifndef POE_EXPERTS_LINEAR_DYNAMICAL_PRODUCT_H_
#define POE_EXPERTS_LINEAR_DYNAMICAL_PRODUCT_H_

#include <vector>

#include "absl/status/statusor.h"
#include "poe/experts/linear_system.h"
#include "poe/product.h"

namespace poe {

// A view of a product, with parameters of its own. Everything is at beta 1 and
// the groups' own powers. Immutable and thread-safe.
template <typename Scalar>
class LinearDynamicalProduct {
 public:
  // FailedPrecondition where the base is not a structured Gaussian or a group
  // not of linear dynamical systems, which may see some coordinates only.
  static absl::StatusOr<LinearDynamicalProduct> View(
      const Product<Scalar>& product);

  // The experts' latents, before anything is said of x: no emission.
  const LinearSystem& latents() const { return latents_; }
  // Of a coordinate: the base, and one for each expert.
  Index sources() const { return sources_; }

  // exp(constant - |rows y + offset|^2 / 2) for the joint latents y of a frame.
  struct Evidence {
    RowMatrix<double> rows;  // sources() x latents
    Vector<double> offset;
    double constant = 0;
  };
  // Base and emissions of each coordinate, integrated over its value.
  const std::vector<Evidence>& integrated() const { return integrated_; }

  // log of the integral of b(x) prod_m f_m(x) over those values of observation
  // n that are not clamped, its frames from `start` on: a square root filter,
  // O(T D M (M L)^2).
  double LogMarginal(const Observations<Scalar>& x, Index start,
                     Index length) const;

 private:
  LinearDynamicalProduct() = default;

  // What the sources of a coordinate expect, rows y + offset, each with a
  // precision; an expert that does not look has 0.
  struct Emission {
    RowMatrix<double> rows;
    Vector<double> offset, precision;
    double constant = 0;
  };
  static Evidence Integrate(const Emission& emission);

  LinearSystem latents_;
  Index sources_ = 0;
  std::vector<Emission> emissions_;   // D
  std::vector<Evidence> integrated_;  // D
};

}  // namespace poe

#endif  // POE_EXPERTS_LINEAR_DYNAMICAL_PRODUCT_H_
