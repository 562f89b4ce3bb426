// Products by hand.
#ifndef POE_TESTS_CORE_PRODUCT_OF_H_
#define POE_TESTS_CORE_PRODUCT_OF_H_

#include <memory>
#include <utility>
#include <vector>

#include "poe/product.h"

namespace poe {

// Of a base and groups that fit each other.
template <typename... Groups>
Product<double> ProductOf(std::unique_ptr<Base<double>> base,
                          Groups... groups) {
  std::vector<std::unique_ptr<ExpertGroup<double>>> all;
  (all.push_back(std::move(groups)), ...);
  return *Product<double>::Create(std::move(base), std::move(all));
}

}  // namespace poe

#endif  // POE_TESTS_CORE_PRODUCT_OF_H_
