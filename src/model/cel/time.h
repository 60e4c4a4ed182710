// Points and spans of time to the nanosecond, their texts and their calendar fields in UTC or at a
// fixed offset. Source: CEL language definition, "Timestamp" and "Duration"; RFC 3339.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace model::cel {

/// UTC, from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z.
struct Timestamp {
  std::int64_t seconds = 0;  // since 1970, rounded down
  std::int32_t nanos = 0;    // 0 to 999'999'999
  auto operator<=>(const Timestamp&) const = default;
};

struct Duration {
  std::int64_t nanos = 0;
  auto operator<=>(const Duration&) const = default;
};

// Nothing where the result is out of range.
std::optional<Timestamp> timestamp_at(std::int64_t seconds);
std::optional<Timestamp> sum(Timestamp from, Duration by);
std::optional<Timestamp> difference(Timestamp from, Duration by);
std::optional<Duration> difference(Timestamp from, Timestamp to);

/// RFC 3339 with any offset; nothing for another form or out of range.
std::optional<Timestamp> parse_timestamp(std::string_view text);
/// "1h30m", "-1.5s", "10ms": decimal numbers with units h, m, s, ms, us, ns; or "0".
std::optional<Duration> parse_duration(std::string_view text);
/// "2009-02-13T23:31:30.500Z": UTC, and no, 3, 6 or 9 digits of the fraction.
std::string to_text(Timestamp value);
/// Seconds: "5400s", "-1.500s".
std::string to_text(Duration value);

/// Minutes east of UTC of "UTC", "+05:30", "-02:00" or "02:00"; nothing for another zone.
std::optional<int> parse_offset(std::string_view zone);

enum class CalendarField {
  year,
  month,         // 0 to 11
  day_of_month,  // 0 to 30
  date,          // 1 to 31
  day_of_year,   // 0 to 365
  day_of_week,   // 0 is Sunday
  hours,
  minutes,
  seconds,
  milliseconds,
};
std::int64_t field_of(Timestamp value, int offset_minutes, CalendarField field);

}  // namespace model::cel
