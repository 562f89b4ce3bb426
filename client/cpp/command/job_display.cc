#include "client/cpp/command/job_display.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cpp/command/format.h"

namespace poe::client {

namespace {

std::string FigureText(absl::string_view name, double value) {
  return absl::StrCat(name, " ", FormatNumber(value));
}

// How well it learns, by rows that it has not learned from.
std::vector<std::string> FiguresOf(const v1::Progress& progress) {
  std::vector<std::string> figures;
  if (progress.has_held_out_log_probability()) {
    figures.push_back(
        FigureText("held-out log p", progress.held_out_log_probability()));
  }
  if (progress.has_held_out_reconstruction_error()) {
    figures.push_back(
        FigureText("held-out error", progress.held_out_reconstruction_error()));
  }
  if (progress.has_best_epoch()) {
    figures.push_back(absl::StrCat("best epoch ", progress.best_epoch()));
  }
  return figures;
}

}  // namespace

ProgressView ViewOf(const v1::Progress& progress) {
  ProgressView view;
  view.topic = progress.class_name().empty()
                   ? progress.stage()
                   : absl::StrCat("class ", progress.class_name());
  if (progress.layer() > 0) {
    absl::StrAppend(&view.topic, ", layer ", progress.layer());
  }
  if (progress.epochs() > 0) {
    view.detail =
        absl::StrCat("epoch ", progress.epoch(), " of ", progress.epochs());
  } else if (progress.updates() > 0) {
    view.detail = absl::StrCat("update ", FormatCount(progress.update()),
                               " of ", FormatCount(progress.updates()));
  }
  view.figures = FiguresOf(progress);
  if (progress.has_reconstruction_error()) {
    view.note =
        FigureText("reconstruction error", progress.reconstruction_error());
  }
  view.fraction = progress.fraction();
  if (progress.rows_per_second() > 0) {
    view.rows_per_second = progress.rows_per_second();
  }
  if (progress.has_seconds_left()) view.seconds_left = progress.seconds_left();
  return view;
}

std::string StateName(v1::Job::State state) {
  return absl::AsciiStrToLower(
      absl::StripPrefix(v1::Job::State_Name(state), "STATE_"));
}

std::string Outcome(const v1::Job& job) {
  if (job.state() == v1::Job::STATE_SUCCEEDED) {
    std::string text =
        absl::StrCat(job.model_name(), " version ", job.version(), ": ",
                     FormatCount(job.rows(), "row"));
    if (job.progress().seconds() > 0) {
      absl::StrAppendFormat(&text, ", trained in %.1f s",
                            job.progress().seconds());
    }
    return absl::StrCat(text, ", seed ", job.seed());
  }
  std::string text = absl::StrCat(job.name(), " ", StateName(job.state()));
  if (job.state() == v1::Job::STATE_FAILED) {
    absl::StrAppend(&text, ": ", job.error_message());
  }
  return text;
}

// What is known of a pool, for people.
std::string PoolText(const v1::Progress& progress) {
  std::string text =
      absl::StrCat("pool of class ", progress.class_name(), ": gain ",
                   FormatNumber(progress.pool_gain()), " nats a row, weights");
  for (const double weight : progress.pool_weights()) {
    absl::StrAppend(&text, " ", FormatNumber(weight));
  }
  return text;
}

JobDisplay::JobDisplay(int64_t expected_rows) : expected_rows_(expected_rows) {}

void JobDisplay::Show(const v1::TrainResponse& response) {
  switch (response.kind_case()) {
    case v1::TrainResponse::kAccepted:
      display_.Print(absl::StrCat(response.accepted().name(), ": training ",
                                  response.accepted().model_name()));
      break;
    case v1::TrainResponse::kAcknowledgedRows:
      ShowRows(response.acknowledged_rows());
      break;
    case v1::TrainResponse::kEvent:
      Show(response.event());
      break;
    case v1::TrainResponse::kCompleted:
    case v1::TrainResponse::KIND_NOT_SET:
      break;
  }
}

void JobDisplay::Show(const v1::JobEvent& event) {
  switch (event.kind_case()) {
    case v1::JobEvent::kState:
      if (event.state() == v1::Job::STATE_QUEUED) {
        ProgressView view;
        view.topic = "waiting for its turn";
        display_.Show(view);
      }
      break;
    case v1::JobEvent::kProgress:
      display_.Show(ViewOf(event.progress()));
      if (event.progress().has_pool_gain()) {
        display_.Print(PoolText(event.progress()));
      }
      break;
    case v1::JobEvent::kMessage:
      display_.Print(event.message());
      break;
    case v1::JobEvent::kPublishedVersion:
    case v1::JobEvent::kCheckpointUpdate:
    case v1::JobEvent::KIND_NOT_SET:
      break;
  }
}

void JobDisplay::ShowRows(int64_t rows) {
  // The server reads them itself.
  if (rows == 0) return;
  ProgressView view;
  view.topic = "sending rows";
  view.detail = FormatCount(rows);
  const double seconds = absl::ToDoubleSeconds(absl::Now() - started_);
  if (seconds > 0) {
    view.rows_per_second = rows / seconds;
    view.seconds_left =
        std::max<int64_t>(expected_rows_ - rows, 0) * seconds / rows;
  }
  if (expected_rows_ > 0) {
    absl::StrAppend(&view.detail, " of ", FormatCount(expected_rows_));
    view.fraction = static_cast<double>(rows) / expected_rows_;
  }
  display_.Show(view);
}

}  // namespace poe::client
