#include "client/cpp/command/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cpp/command/format.h"
#include "client/cpp/command/table.h"

namespace poe::client {
namespace {

constexpr absl::Duration kRedraw = absl::Milliseconds(100);
constexpr absl::Duration kLine = absl::Seconds(5);
constexpr int kLeastBar = 10;
constexpr int kGreatestBar = 40;

int TerminalWidth() {
  winsize size;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
    return 80;
  }
  return size.ws_col;
}

std::string Before(const ProgressView& view) {
  return view.detail.empty() ? view.topic
                             : absl::StrCat(view.topic, ", ", view.detail);
}

std::string After(const ProgressView& view) {
  std::string text = absl::StrFormat(
      "%3.0f%%", std::floor(100 * std::clamp(view.fraction, 0.0, 1.0)));
  if (view.rows_per_second) {
    absl::StrAppend(
        &text, "  ",
        FormatCount(static_cast<int64_t>(std::llround(*view.rows_per_second))),
        " rows/s");
  }
  if (view.seconds_left) {
    absl::StrAppend(&text, "  ", FormatClock(*view.seconds_left), " left");
  }
  return text;
}

}  // namespace

std::string ProgressBar(const ProgressView& view, int width) {
  const std::string before = Before(view);
  const std::string after = After(view);
  // Two spaces and a bracket on each side of the bar.
  const int room = width - DisplayWidth(before) - DisplayWidth(after) - 6;
  std::string line = absl::StrCat(before, "  ");
  if (room >= kLeastBar) {
    const int length = std::min(room, kGreatestBar);
    const int done = static_cast<int>(
        std::floor(length * std::clamp(view.fraction, 0.0, 1.0)));
    std::string bar(done, '=');
    if (done < length) bar.push_back('>');
    bar.resize(length, ' ');
    absl::StrAppend(&line, "[", bar, "]  ");
  }
  absl::StrAppend(&line, after);
  while (DisplayWidth(line) > width) line.pop_back();
  return line;
}

std::string ProgressLine(const ProgressView& view) {
  return absl::StrCat(Before(view), view.note.empty() ? "" : ", ", view.note,
                      "  ", After(view));
}

ProgressDisplay::ProgressDisplay()
    : ProgressDisplay(Output{.stream = &std::cerr,
                             .terminal = isatty(STDERR_FILENO) == 1,
                             .width = TerminalWidth}) {}

ProgressDisplay::ProgressDisplay(Output output) : output_(std::move(output)) {}

ProgressDisplay::~ProgressDisplay() { Erase(); }

void ProgressDisplay::Show(const ProgressView& view) {
  const absl::Time now = output_.now();
  const bool new_topic = topics_.insert(view.topic).second;
  const absl::Duration interval = output_.terminal ? kRedraw : kLine;
  if (!new_topic && now - shown_ < interval) return;
  shown_ = now;
  if (!output_.terminal) {
    *output_.stream << ProgressLine(view) << std::endl;
    return;
  }
  // In the last column the cursor would wrap.
  *output_.stream << "\r" << ProgressBar(view, output_.width() - 1) << "\x1b[K"
                  << std::flush;
  drawn_ = true;
}

void ProgressDisplay::Print(absl::string_view line) {
  Erase();
  *output_.stream << line << std::endl;
}

void ProgressDisplay::Erase() {
  if (drawn_) *output_.stream << "\r\x1b[K" << std::flush;
  drawn_ = false;
}

}  // namespace poe::client
