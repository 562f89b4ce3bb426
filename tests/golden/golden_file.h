// Golden files: numbers by make_golden.py, which describes the format.
#ifndef POE_TESTS_GOLDEN_GOLDEN_FILE_H_
#define POE_TESTS_GOLDEN_GOLDEN_FILE_H_

#include <map>
#include <string>

#include "poe/observations.h"

namespace poe {

// The arrays of one file by name. What is missing or malformed ends the test
// program with a message that names file, line or array.
class GoldenFile {
 public:
  // `name` without folder, "rbm.txt".
  explicit GoldenFile(const std::string& name);

  const RowMatrix<double>& operator[](const std::string& array) const;
  // The only number of a 1 x 1 array.
  double Number(const std::string& array) const;
  // A 1 x D or D x 1 array.
  Vector<double> Column(const std::string& array) const;
  // The array `frames`, cut by `lengths`.
  Observations<double> Sequences() const;

 private:
  std::string name_;
  std::map<std::string, RowMatrix<double>> arrays_;
};

}  // namespace poe

#endif  // POE_TESTS_GOLDEN_GOLDEN_FILE_H_
