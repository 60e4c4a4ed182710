#include "cli/run_display.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <tuple>

#include "base/clock.h"
#include "cli/output.h"

namespace cli {

namespace {

constexpr std::size_t name_width_max = 40;
constexpr std::size_t running_names_max = 5;  // in the last line

std::string text_member(base::JsonView object, std::string_view name) {
  std::optional<base::JsonView> value = object.is_object() ? object.find(name) : std::nullopt;
  if (!value || value->is_null()) return "";
  return value->is_string() ? value->string() : std::string(value->raw());
}

// "HH:MM:SS.mmm" of a time.
std::string clock_time(std::string_view time) {
  return std::string(time.size() > 23 ? time.substr(11, 12) : "");
}

// The name within its run: "<run_id>:<task_id>[:<map_index>]" without the run.
std::string task_name(const std::string& task_run_id) {
  return task_run_id.substr(std::min(task_run_id.find(':') + 1, task_run_id.size()));
}

bool is_final(std::string_view state) {
  return state == "SUCCEEDED" || state == "FAILED" || state == "TIMED_OUT" ||
         state == "CANCELLED" || state == "SKIPPED";
}

std::string_view colour_of(std::string_view state) {
  if (state == "SUCCEEDED") return "32";
  if (state == "FAILED" || state == "TIMED_OUT") return "31";
  if (state == "RUNNING") return "36";
  return "33";
}

std::string error_text(base::JsonView object) {
  std::optional<base::JsonView> error = object.find("error");
  return error && error->is_object() ? text_member(*error, "message") : "";
}

}  // namespace

std::string seconds_between(base::JsonView object, std::string_view from, std::string_view to) {
  auto begin = base::from_iso8601(text_member(object, from));
  auto end = base::from_iso8601(text_member(object, to));
  if (!begin || !end) return "";
  return fmt::format("{:.2f} s", std::chrono::duration<double>(*end - *begin).count());
}

RunDisplay::RunDisplay(std::FILE* stream)
    : stream_(stream),
      is_terminal_(isatty(fileno(stream)) != 0),
      is_coloured_(is_terminal_ && std::getenv("NO_COLOR") == nullptr) {}

RunDisplay::~RunDisplay() {
  erase_status();
  std::fflush(stream_);
}

std::string RunDisplay::paint(std::string_view text, std::string_view state) const {
  if (!is_coloured_) return std::string(text);
  return fmt::format("\033[{}m{}\033[0m", colour_of(state), text);
}

void RunDisplay::begin(base::JsonView run) {
  if (auto count = run.find("task_count"); count && count->integer())
    task_count_ = *count->integer();
  if (auto tasks = run.find("task_runs"); tasks && tasks->is_array())
    for (base::JsonView task : tasks->elements())
      name_width_ =
          std::min(name_width_max, std::max(name_width_, text_member(task, "task_id").size()));
}

void RunDisplay::hear(std::string_view type, base::JsonView data) {
  if (type == "task") show_task(data);
  if (type == "log") show_line(data);
  if (type != "reset") return;
  begin(data);
  if (auto tasks = data.find("task_runs"); tasks && tasks->is_array())
    for (base::JsonView task : tasks->elements()) show_task(task);
}

void RunDisplay::show_task(base::JsonView task) {
  std::string id = text_member(task, "task_run_id"), state = text_member(task, "status");
  std::string attempt = text_member(task, "attempt");
  states_[id] = state;
  bool is_told = is_final(state) || state == "RUNNING" || state == "RETRYING" || state == "WAITING";
  if (!is_told || !shown_.insert(id + ' ' + attempt + ' ' + state).second) return;
  std::string text, time = text_member(task, is_final(state) ? "finished_at" : "started_at");
  std::optional<base::JsonView> earlier = task.find("earlier_attempts");
  if (state == "RETRYING" && earlier && earlier->is_array() && earlier->size() > 0) {
    for (base::JsonView last : earlier->elements()) {
      text = fmt::format(" after attempt {}: {}", text_member(last, "attempt"), error_text(last));
      time = text_member(last, "finished_at");
    }
  }
  if (is_final(state)) {
    std::string seconds = seconds_between(task, "started_at", "finished_at");
    if (!seconds.empty()) text += " after " + seconds;
    if (attempt != "0" && attempt != "1" && !attempt.empty()) text += ", attempt " + attempt;
    if (std::string error = error_text(task); !error.empty()) text += ": " + error;
  }
  bool is_element = std::count(id.begin(), id.end(), ':') > 1;
  heard_.push_back({time, state == "RUNNING" ? Rank::start : Rank::end, task_name(id),
                    paint(state, state) + printable(text), is_final(state) && !is_element, true});
}

void RunDisplay::show_line(base::JsonView line) {
  std::string message = printable(text_member(line, "message"));
  if (text_member(line, "level") == "error") message = paint(message, "RETRYING");
  heard_.push_back({text_member(line, "timestamp"), Rank::line,
                    task_name(text_member(line, "task_run_id")), "| " + message});
}

void RunDisplay::rest() {
  std::stable_sort(heard_.begin(), heard_.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.time, a.rank) < std::tie(b.time, b.rank);
  });
  for (const Entry& entry : heard_) print(entry);
  heard_.clear();
  draw_status();
}

void RunDisplay::end(base::JsonView run) {
  rest();
  erase_status();
  std::string status = text_member(run, "status");
  std::int64_t count = 0, succeeded = 0;  // of tasks: elements are part of theirs
  if (auto tasks = run.find("task_runs"); tasks && tasks->is_array())
    for (base::JsonView task : tasks->elements()) {
      bool is_element = !text_member(task, "map_index").empty();
      count += !is_element;
      succeeded += !is_element && text_member(task, "status") == "SUCCEEDED";
    }
  std::string seconds = seconds_between(run, "started_at", "finished_at");
  fmt::print(stream_, "{}{}, {} of {} tasks succeeded\n", paint(status, status),
             seconds.empty() ? "" : " after " + seconds, succeeded, count);
  if (std::string error = error_text(run); !error.empty())
    fmt::print(stream_, "{}\n", printable(error));
}

void RunDisplay::print(const Entry& entry) {
  erase_status();
  ended_ += entry.is_end_of_task;
  std::string progress = entry.is_state ? fmt::format("  [{}/{}]", ended_, task_count_) : "";
  fmt::print(stream_, "{:<12}  {:<{}}  {}{}\n", clock_time(entry.time), printable(entry.task),
             name_width_, entry.text, progress);
  if (!is_terminal_) std::fflush(stream_);
}

void RunDisplay::draw_status() {
  if (!is_terminal_) return;
  erase_status();
  std::string names;
  std::size_t running = 0, width = terminal_width() == 0 ? 80 : terminal_width();
  for (const auto& [id, state] : states_) {
    if (state != "RUNNING" || ++running > running_names_max) continue;
    names += (names.empty() ? "" : ", ") + printable(task_name(id));
  }
  if (running > running_names_max)
    names += fmt::format(" and {} more", running - running_names_max);
  std::string text = running == 0 ? "" : fmt::format("running: {}", names);
  if (text.size() >= width) text.resize(width - 1);
  fmt::print(stream_, "{}", text);
  std::fflush(stream_);
  has_status_ = true;
}

void RunDisplay::erase_status() {
  if (std::exchange(has_status_, false)) fmt::print(stream_, "\r\033[K");
}

}  // namespace cli
