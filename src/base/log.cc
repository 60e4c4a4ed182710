#include "base/log.h"

#include <unistd.h>

#include <atomic>

#include "base/clock.h"
#include "base/json_writer.h"

namespace base {

namespace {

std::atomic<LogLevel> level_min{LogLevel::info};

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
    case LogLevel::off:
      return "error";
  }
  return "error";
}

void write_field(JsonWriter& json, const LogField& field) {
  json.key(field.key);
  if (auto* text = std::get_if<std::string_view>(&field.value)) json.string(*text);
  if (auto* integer = std::get_if<std::int64_t>(&field.value)) json.integer(*integer);
  if (auto* number = std::get_if<double>(&field.value)) json.number(*number);
}

}  // namespace

void set_log_level(LogLevel level) {
  level_min = level;
}

void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (level < level_min.load(std::memory_order_relaxed)) return;
  std::string line;
  JsonWriter json(line);
  json.begin_object();
  json.member("time", to_iso8601(SystemClock().now()));
  json.member("level", level_name(level)).member("message", message);
  for (const LogField& field : fields) write_field(json, field);
  json.end_object();
  line += '\n';
  [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace base
