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

double ShareOf(const ProgressView& view) {
  return std::clamp(view.fraction, 0.0, 1.0);
}

std::string ShareText(const ProgressView& view) {
  return absl::StrFormat("%3.0f%%", std::floor(100 * ShareOf(view)));
}

// What follows it, if it is known.
std::string SpeedText(const ProgressView& view) {
  if (!view.rows_per_second) return "";
  return absl::StrCat(
      "  ",
      FormatCount(static_cast<int64_t>(std::llround(*view.rows_per_second))),
      " rows/s");
}

std::string TimeText(const ProgressView& view) {
  if (!view.seconds_left) return "";
  return absl::StrCat("  ", FormatClock(*view.seconds_left), " left");
}

}  // namespace

std::string ProgressBar(const ProgressView& view, int width) {
  std::string before = Before(view);
  std::string after = ShareText(view);
  // Columns that are left with two spaces between these.
  const auto room = [&] {
    return width - DisplayWidth(before) - 2 - DisplayWidth(after);
  };
  for (const std::string& figure : view.figures) {
    const std::string more = absl::StrCat(", ", figure);
    if (DisplayWidth(more) > room()) break;
    before += more;
  }
  const std::string time = TimeText(view);
  if (DisplayWidth(time) <= room()) {
    const std::string speed = SpeedText(view);
    if (DisplayWidth(speed) + DisplayWidth(time) <= room()) after += speed;
    after += time;
  }
  std::string line = absl::StrCat(before, "  ");
  // A bracket on each side of the bar and two spaces behind it.
  const int length = std::min(room() - 4, kGreatestBar);
  if (length >= kLeastBar) {
    const int done = static_cast<int>(std::floor(length * ShareOf(view)));
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
  std::string line = Before(view);
  for (const std::string& figure : view.figures) {
    absl::StrAppend(&line, ", ", figure);
  }
  if (!view.note.empty()) absl::StrAppend(&line, ", ", view.note);
  return absl::StrCat(line, "  ", ShareText(view), SpeedText(view),
                      TimeText(view));
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
