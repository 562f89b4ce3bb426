// What arithmetic has to withstand.
#ifndef POE_TESTS_CORE_SPECIAL_VALUES_H_
#define POE_TESTS_CORE_SPECIAL_VALUES_H_

#include <limits>

namespace poe {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

}  // namespace poe

#endif  // POE_TESTS_CORE_SPECIAL_VALUES_H_
