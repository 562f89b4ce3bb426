// Numbers one after another as bytes of this machine, for what goes no further
// than from one run of a program to its next.
#ifndef POE_ARCHIVE_H_
#define POE_ARCHIVE_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "Eigen/Core"
#include "absl/strings/string_view.h"

namespace poe {

class ArchiveWriter {
 public:
  template <typename T>
  void Put(T value) {
    static_assert(std::is_arithmetic_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  // Shape and elements.
  template <typename Derived>
  void PutMatrix(const Eigen::PlainObjectBase<Derived>& matrix) {
    Put<std::int64_t>(matrix.rows());
    Put<std::int64_t>(matrix.cols());
    bytes_.append(reinterpret_cast<const char*>(matrix.data()),
                  static_cast<std::size_t>(matrix.size()) *
                      sizeof(typename Derived::Scalar));
  }
  // Of another archive.
  void Append(absl::string_view bytes) {
    bytes_.append(bytes.data(), bytes.size());
  }

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Reads in the order of writing. Once something does not fit, ok() is false and
// nothing more is read.
class ArchiveReader {
 public:
  // `bytes` must outlive the reader.
  explicit ArchiveReader(absl::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && bytes_.empty(); }

  // 0 if it is not there.
  template <typename T>
  T Get() {
    static_assert(std::is_arithmetic_v<T>);
    T value = 0;
    Read(&value, sizeof(value));
    return value;
  }
  // Of any size; unchanged if it is not there.
  template <typename Derived>
  void GetMatrix(Eigen::PlainObjectBase<Derived>& matrix) {
    const auto rows = Get<std::int64_t>(), cols = Get<std::int64_t>();
    const auto most = static_cast<std::int64_t>(
        bytes_.size() / sizeof(typename Derived::Scalar));
    if (rows < 0 || cols < 0 || (rows > 0 && cols > most / rows)) ok_ = false;
    if (!ok_) return;
    matrix.resize(rows, cols);
    Read(matrix.data(), static_cast<std::size_t>(matrix.size()) *
                            sizeof(typename Derived::Scalar));
  }

 private:
  void Read(void* target, std::size_t size) {
    ok_ = ok_ && size <= bytes_.size();
    if (!ok_ || size == 0) return;
    std::memcpy(target, bytes_.data(), size);
    bytes_.remove_prefix(size);
  }

  absl::string_view bytes_;
  bool ok_ = true;
};

}  // namespace poe

#endif  // POE_ARCHIVE_H_
