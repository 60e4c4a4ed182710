// The server's own log: one JSON object a line on standard error. Never a secret, never a body.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace base {

enum class LogLevel { debug, info, warning, error, off };

struct LogField {
  std::string_view key;
  std::variant<std::string_view, std::int64_t, double> value;

  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  template <class N>
  requires std::is_integral_v<N> LogField(std::string_view k, N v)
      : key(k), value(std::int64_t(v)) {}
  LogField(std::string_view k, double v) : key(k), value(v) {}
};

/// Lines below the level are dropped, all of them at `off`. Thread-safe.
void set_log_level(LogLevel level);

/// Writes one line with a single write(2). Thread-safe; blocks only as standard error does.
void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

inline void log_info(std::string_view message, std::initializer_list<LogField> fields = {}) {
  log(LogLevel::info, message, fields);
}
inline void log_warning(std::string_view message, std::initializer_list<LogField> fields = {}) {
  log(LogLevel::warning, message, fields);
}
inline void log_error(std::string_view message, std::initializer_list<LogField> fields = {}) {
  log(LogLevel::error, message, fields);
}

}  // namespace base
