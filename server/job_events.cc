#include "server/job_events.h"

#include <algorithm>
#include <string>
#include <utility>

#include "server/timestamp.h"

namespace poe::server {
namespace {

bool SameStage(const v1::Progress& a, const v1::Progress& b) {
  return a.stage() == b.stage() && a.class_name() == b.class_name() &&
         a.layer() == b.layer();
}

}  // namespace

void JobEvents::AddState(v1::Job::State state, absl::Time now) {
  AddHeldBack();
  Add(now).set_state(state);
}

void JobEvents::AddPublishedVersion(std::int64_t version, absl::Time now) {
  AddHeldBack();
  Add(now).set_published_version(version);
}

void JobEvents::AddCheckpoint(std::int64_t update, absl::Time now) {
  AddHeldBack();
  Add(now).set_checkpoint_update(update);
}

void JobEvents::AddMessage(absl::string_view text, absl::Time now) {
  AddHeldBack();
  Add(now).set_message(std::string(text));
}

bool JobEvents::AddProgress(const v1::Progress& progress, absl::Time now) {
  if (!SameStage(progress, last_progress_)) {
    AddHeldBack();
  } else if (absl::AbsDuration(now - last_progress_time_) < kProgressInterval) {
    held_back_ = HeldBack{progress, now};
    return false;
  }
  held_back_.reset();
  last_progress_ = progress;
  last_progress_time_ = now;
  *Add(now).mutable_progress() = progress;
  return true;
}

std::optional<v1::JobEvent> JobEvents::Next(std::int64_t from,
                                            Skip skip) const {
  const std::int64_t first =
      last_number_ - static_cast<std::int64_t>(events_.size()) + 1;
  if (from > last_number_) return std::nullopt;
  auto event = events_.begin() + (std::max(from, first) - first);
  if (skip == Skip::kOldProgress) {
    for (auto next = event + 1;
         next != events_.end() && event->has_progress() &&
         next->has_progress() && SameStage(event->progress(), next->progress());
         ++next) {
      event = next;
    }
  }
  return *event;
}

v1::JobEvent& JobEvents::Add(absl::Time time) {
  if (events_.size() == kKept) events_.pop_front();
  v1::JobEvent& event = events_.emplace_back();
  event.set_number(++last_number_);
  *event.mutable_time() = ToTimestamp(time);
  return event;
}

void JobEvents::AddHeldBack() {
  if (!held_back_.has_value()) return;
  const HeldBack held = *std::exchange(held_back_, std::nullopt);
  *Add(held.time).mutable_progress() = held.progress;
}

}  // namespace poe::server
