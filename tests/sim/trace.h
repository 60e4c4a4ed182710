// What happened in a simulated world, for the reader of a failure; and how a broken rule is told.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <deque>
#include <string>

namespace sim {

/// A rule of the engine was broken.
struct Violation {
  std::string what;
};

template <class... Args>
[[noreturn]] void violate(fmt::format_string<Args...> format, Args&&... args) {
  throw Violation{fmt::format(format, std::forward<Args>(args)...)};
}

/// Keeps the last lines; prints each one when verbose.
class Trace {
 public:
  explicit Trace(bool verbose) : verbose_(verbose) {}

  template <class... Args>
  void operator()(fmt::format_string<Args...> format, Args&&... args) {
    lines_.push_back(fmt::format(format, std::forward<Args>(args)...));
    if (verbose_) std::puts(lines_.back().c_str());
    if (lines_.size() > lines_max) lines_.pop_front();
  }
  void print() const {
    if (verbose_) return;
    for (const std::string& line : lines_) std::puts(line.c_str());
  }

 private:
  static constexpr std::size_t lines_max = 400;
  bool verbose_;
  std::deque<std::string> lines_;
};

}  // namespace sim
