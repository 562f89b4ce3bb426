// How things are printed: numbers, tables, progress, help.
#include <algorithm>
#include <sstream>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/time/time.h"
#include "client/cpp/command/format.h"
#include "client/cpp/command/help.h"
#include "client/cpp/command/progress.h"
#include "client/cpp/command/table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace poe::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(FormatTest, CountsHaveCommas) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(-123456), "-123,456");
  EXPECT_EQ(FormatCount(60000000), "60,000,000");
  EXPECT_EQ(FormatCount(1, "row"), "1 row");
  EXPECT_EQ(FormatCount(1200, "row"), "1,200 rows");
}

TEST(FormatTest, BytesHaveTwoDigits) {
  EXPECT_EQ(FormatBytes(999), "999 B");
  EXPECT_EQ(FormatBytes(1000), "1.0 kB");
  EXPECT_EQ(FormatBytes(31400), "31 kB");
  EXPECT_EQ(FormatBytes(999600), "1.0 MB");
  EXPECT_EQ(FormatBytes(2500000000), "2.5 GB");
}

TEST(FormatTest, ClocksCountUp) {
  EXPECT_EQ(FormatClock(-1), "0:00");
  EXPECT_EQ(FormatClock(7.4), "0:07");
  EXPECT_EQ(FormatClock(59.6), "1:00");
  EXPECT_EQ(FormatClock(3723), "1:02:03");
}

TEST(FormatTest, SharesOfNothingAreNothing) {
  EXPECT_EQ(FormatShare(153, 1000), "15.3%");
  EXPECT_EQ(FormatShare(0, 0), "-");
}

TEST(TableTest, ColumnsAreAligned) {
  Table table({{"class"}, {"rows", Table::Align::kRight}});
  table.AddRow({"T-shirt", "1,000"});
  table.AddRow({"Bag", "7"});
  EXPECT_EQ(table.ToString(),
            "class     rows\n"
            "T-shirt  1,000\n"
            "Bag          7\n");
}

TEST(TableTest, AnEmptyTableIsItsHeader) {
  EXPECT_EQ(Table({{"model"}, {"version"}}).ToString(), "model  version\n");
}

TEST(TableTest, WidthsCountCharacters) {
  Table table({{"name"}, {"n", Table::Align::kRight}});
  table.AddRow({"Größe ±", "1"});
  EXPECT_EQ(table.ToString(), "name     n\nGröße ±  1\n");
}

ProgressView View() {
  ProgressView view;
  view.topic = "shirt";
  view.detail = "epoch 3 of 20";
  view.note = "error 0.02";
  view.fraction = 0.5;
  view.rows_per_second = 21500;
  view.seconds_left = 12;
  return view;
}

TEST(ProgressTest, TheBarTakesWhatIsLeft) {
  const std::string bar = ProgressBar(View(), 79);
  EXPECT_EQ(bar,
            "shirt, epoch 3 of 20  [===========>           ]   50%  "
            "21,500 rows/s  0:12 left");
  EXPECT_EQ(bar.size(), 79);
}

TEST(ProgressTest, ANarrowTerminalHasNoBar) {
  EXPECT_EQ(ProgressBar(View(), 60),
            "shirt, epoch 3 of 20   50%  21,500 rows/s  0:12 left");
  EXPECT_EQ(ProgressBar(View(), 10), "shirt, epo");
}

TEST(ProgressTest, FiguresComeBeforeTheTimeLeftAndThatBeforeTheRest) {
  ProgressView view = View();
  view.figures = {"held-out error 0.5", "best epoch 2"};
  EXPECT_EQ(ProgressBar(view, 79),
            "shirt, epoch 3 of 20, held-out error 0.5, best epoch 2   50%  "
            "0:12 left");
  EXPECT_EQ(ProgressBar(view, 60),
            "shirt, epoch 3 of 20, held-out error 0.5, best epoch 2   50%");
  EXPECT_EQ(ProgressBar(view, 58),
            "shirt, epoch 3 of 20, held-out error 0.5   50%  0:12 left");
  EXPECT_EQ(ProgressLine(view),
            "shirt, epoch 3 of 20, held-out error 0.5, best epoch 2, error "
            "0.02   50%  21,500 rows/s  0:12 left");
}

TEST(ProgressTest, ALineSaysTheNote) {
  EXPECT_EQ(ProgressLine(View()),
            "shirt, epoch 3 of 20, error 0.02   50%  21,500 rows/s  0:12 left");
}

TEST(ProgressTest, WhatIsUnknownIsLeftOut) {
  ProgressView view;
  view.topic = "separator";
  EXPECT_EQ(ProgressLine(view), "separator    0%");
}

// A display whose time a test sets.
struct TestDisplay {
  explicit TestDisplay(bool terminal)
      : display({.stream = &stream,
                 .terminal = terminal,
                 .width = [] { return 60; },
                 .now = [this] { return now; }}) {}

  int Lines() const {
    const std::string text = stream.str();
    return std::count(text.begin(), text.end(), '\n');
  }

  std::ostringstream stream;
  absl::Time now = absl::UnixEpoch();
  ProgressDisplay display;
};

TEST(ProgressDisplayTest, AFileGetsALineEachFiveSecondsAndForEachTopic) {
  TestDisplay test(/*terminal=*/false);
  ProgressView view = View();
  test.display.Show(view);
  EXPECT_EQ(test.Lines(), 1);
  test.now += absl::Seconds(4.9);
  test.display.Show(view);
  EXPECT_EQ(test.Lines(), 1);
  test.now += absl::Seconds(0.2);
  test.display.Show(view);
  EXPECT_EQ(test.Lines(), 2);
  view.topic = "boot";
  test.display.Show(view);
  EXPECT_EQ(test.Lines(), 3);
  view.topic = "shirt";
  test.display.Show(view);
  EXPECT_EQ(test.Lines(), 3);
  EXPECT_THAT(test.stream.str(), Not(HasSubstr("\x1b")));
}

TEST(ProgressDisplayTest, ATerminalGetsOneLineThatIsRemovedAtTheEnd) {
  std::string text;
  {
    TestDisplay test(/*terminal=*/true);
    test.display.Show(View());
    test.now += absl::Seconds(1);
    test.display.Show(View());
    EXPECT_EQ(test.Lines(), 0);
    test.display.Print("jobs/1");
    text = test.stream.str();
  }
  EXPECT_THAT(text, testing::EndsWith("\r\x1b[Kjobs/1\n"));
}

TEST(HelpTest, WrapsBeforeTheWidth) {
  EXPECT_EQ(Wrap("one two  three\nfour", 2, 9), "one two\n  three\n  four");
  EXPECT_EQ(Wrap("incomprehensibilities", 0, 5), "incomprehensibilities");
  EXPECT_EQ(Wrap("", 2, 9), "");
}

TEST(HelpTest, ThePageHasItsParts) {
  CLI::App app("", "poe");
  CLI::App* command = app.add_subcommand("draw", "draw rows");
  SetManPage(*command, {.summary = "draw rows",
                        .synopsis = {"MODEL [OPTION]..."},
                        .description = "Draws.",
                        .examples = {"poe draw digits"}});
  int chains = 64;
  std::string model;
  command->add_option("MODEL", model, "The model.");
  command->add_option("--chains", chains, "How many.")
      ->type_name("N")
      ->capture_default_str()
      ->group("Chains");
  EXPECT_EQ(command->help(),
            "NAME\n"
            "  poe draw - draw rows\n"
            "\n"
            "SYNOPSIS\n"
            "  poe draw MODEL [OPTION]...\n"
            "\n"
            "DESCRIPTION\n"
            "  Draws.\n"
            "\n"
            "ARGUMENTS\n"
            "  MODEL                 The model.\n"
            "\n"
            "CHAINS\n"
            "  --chains N            How many. Default: 64.\n"
            "\n"
            "COMMON OPTIONS\n"
            "  -h, --help            Print this page.\n"
            "\n"
            "EXAMPLES\n"
            "  poe draw digits\n");
}

}  // namespace
}  // namespace poe::client
