#ifndef POE_CLIENT_CPP_COMMAND_PROGRESS_H_
#define POE_CLIENT_CPP_COMMAND_PROGRESS_H_

#include <functional>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace poe::client {

// How far something is.
struct ProgressView {
  // What is being done; each is worth a line of its own.
  std::string topic;
  // How far within the topic, "epoch 3 of 20"; may be empty.
  std::string detail;
  // "held-out error 0.5": how well it goes, the most important first.
  std::vector<std::string> figures;
  // What there is room for only on a line without a bar; may be empty.
  std::string note;
  // Of the whole, in [0, 1].
  double fraction = 0;
  // Absent: unknown.
  std::optional<double> rows_per_second;
  std::optional<double> seconds_left;
};

// "shirt, epoch 3 of 20, held-out error 0.5  [=====>    ]  37%  21,500 rows/s
// 0:12 left", in one line of at most `width` columns. Where they are few, they
// go to topic, detail and share first, then to figures, the time left, rows/s
// and the bar, in this order.
std::string ProgressBar(const ProgressView& view, int width);

// The same with the note instead of the bar, of any width.
std::string ProgressLine(const ProgressView& view);

// Shows progress: on a terminal as a bar that is drawn over and over, elsewhere
// as a line every five seconds and for each topic. Not thread-safe.
class ProgressDisplay {
 public:
  // What it writes to.
  struct Output {
    std::ostream* stream;
    // False: not a terminal.
    bool terminal;
    // Columns of the terminal.
    std::function<int()> width;
    std::function<absl::Time()> now = absl::Now;
  };

  // Standard error.
  ProgressDisplay();

  explicit ProgressDisplay(Output output);

  // Removes the bar.
  ~ProgressDisplay();

  void Show(const ProgressView& view);

  // A line above the bar.
  void Print(absl::string_view line);

 private:
  void Erase();

  Output output_;
  bool drawn_ = false;
  std::set<std::string> topics_;
  absl::Time shown_ = absl::InfinitePast();
};

}  // namespace poe::client

#endif  // POE_CLIENT_CPP_COMMAND_PROGRESS_H_
