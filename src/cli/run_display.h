// A run as lines: what became of its tasks, and what they wrote. On a terminal in colour, with a
// last line that tells what is running.
#pragma once

#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace cli {

class RunDisplay {
 public:
  explicit RunDisplay(std::FILE* stream);
  ~RunDisplay();  // takes the last line away

  /// The run as GET /runs/{run_id} answers it: names and number of its tasks.
  void begin(base::JsonView run);
  /// An event of the run's stream (event_stream.h).
  void hear(std::string_view type, base::JsonView data);
  /// Prints what has been heard, in order of time: of what came at once, states come before lines.
  void rest();
  /// "SUCCEEDED after 1.25 s, 9 of 9 tasks succeeded", and the error if there is one.
  void end(base::JsonView run);

 private:
  enum class Rank { line, end, start };  // order of what happened in the same millisecond
  struct Entry {
    std::string time;
    Rank rank;
    std::string task;
    std::string text;
    bool is_end_of_task = false;  // not of an element
    bool is_state = false;
  };

  void show_task(base::JsonView task);
  void show_line(base::JsonView line);
  void print(const Entry& entry);
  void draw_status();
  void erase_status();
  std::string paint(std::string_view text, std::string_view state) const;

  std::FILE* stream_;
  bool is_terminal_;
  bool is_coloured_;
  bool has_status_ = false;
  std::size_t name_width_ = 0;
  std::int64_t task_count_ = 0;
  std::int64_t ended_ = 0;
  std::vector<Entry> heard_;                   // not yet printed
  std::set<std::string> shown_;                // task run, attempt and state
  std::map<std::string, std::string> states_;  // of task runs
};

/// "1.25 s" between two times of an object, "" where one is missing.
std::string seconds_between(base::JsonView object, std::string_view from, std::string_view to);

}  // namespace cli
