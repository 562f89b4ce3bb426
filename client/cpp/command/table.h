#ifndef POE_CLIENT_CPP_COMMAND_TABLE_H_
#define POE_CLIENT_CPP_COMMAND_TABLE_H_

#include <string>
#include <vector>

namespace poe::client {

// A table of text: a line of headings, then one line a row, columns two spaces
// apart and no trailing spaces.
class Table {
 public:
  enum class Align { kLeft, kRight };

  struct Column {
    std::string heading;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns);

  // One cell for each column. An empty one shows as it is.
  void AddRow(std::vector<std::string> cells);

  // The whole table, each line ended.
  std::string ToString() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// Columns of a terminal that UTF-8 text takes, each character counted as one.
int DisplayWidth(const std::string& text);

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_TABLE_H_
