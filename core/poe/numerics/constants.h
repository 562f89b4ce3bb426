// Constants that the formulas of several kinds name.
#ifndef POE_NUMERICS_CONSTANTS_H_
#define POE_NUMERICS_CONSTANTS_H_

namespace poe {

inline constexpr double kLog2Pi = 1.8378770664093454836;  // log(2 pi)

}  // namespace poe

#endif  // POE_NUMERICS_CONSTANTS_H_
