#include "tests/golden/golden_file.h"

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <utility>
#include <vector>

namespace poe {
namespace {

[[noreturn]] void Fail(const std::string& message) {
  std::cerr << message << std::endl;
  std::abort();
}

}  // namespace

GoldenFile::GoldenFile(const std::string& name) : name_(name) {
  std::ifstream in(std::string(POE_GOLDEN_DIR) + "/" + name);
  if (!in)
    Fail("cannot read " + name +
         " in " POE_GOLDEN_DIR "; make_golden.py there writes it");
  int number = 0;
  auto next_line = [&](std::istringstream& fields) {
    std::string line;
    while (std::getline(in, line)) {
      ++number;
      if (line.empty() || line[0] == '#') continue;
      fields = std::istringstream(line);
      return true;
    }
    return false;
  };
  auto expect = [&](bool holds, const std::string& what) {
    if (!holds)
      Fail(name + ":" + std::to_string(number) + ": expected " + what);
  };
  for (std::istringstream fields; next_line(fields);) {
    std::string array, rest;
    Index rows = 0, cols = 0;
    fields >> array >> rows >> cols;
    expect(!fields.fail() && rows > 0 && cols > 0 && !(fields >> rest),
           "a name, rows and columns");
    RowMatrix<double> values(rows, cols);
    for (Index i = 0; i < rows; ++i) {
      expect(next_line(fields), std::to_string(rows) + " rows of " + array);
      for (Index j = 0; j < cols; ++j) fields >> values(i, j);
      expect(!fields.fail() && !(fields >> rest),
             std::to_string(cols) + " numbers of " + array);
    }
    expect(arrays_.emplace(array, std::move(values)).second,
           "an array other than " + array + ", which was there before");
  }
}

const RowMatrix<double>& GoldenFile::operator[](
    const std::string& array) const {
  const auto found = arrays_.find(array);
  if (found == arrays_.end()) {
    std::string all;
    for (const auto& [key, values] : arrays_) all += " " + key;
    Fail(name_ + " has no array " + array + "; it has" + all);
  }
  return found->second;
}

double GoldenFile::Number(const std::string& array) const {
  const RowMatrix<double>& values = (*this)[array];
  if (values.size() != 1) Fail(name_ + ": " + array + " is not one number");
  return values(0, 0);
}

Vector<double> GoldenFile::Column(const std::string& array) const {
  const RowMatrix<double>& values = (*this)[array];
  if (values.rows() != 1 && values.cols() != 1)
    Fail(name_ + ": " + array + " is no vector");
  return Eigen::Map<const Vector<double>>(values.data(), values.size());
}

Observations<double> GoldenFile::Sequences() const {
  const RowMatrix<double>& frames = (*this)["frames"];
  std::vector<Index> lengths;
  for (double length : (*this)["lengths"].reshaped())
    lengths.push_back(static_cast<Index>(length));
  Observations<double> x =
      MakeSequences<double>(std::move(lengths), frames.cols());
  if (x.frames() != frames.rows())
    Fail(name_ + ": the lengths do not add up to the number of frames");
  x.values.topRows(x.frames()) = frames;
  return x;
}

}  // namespace poe
