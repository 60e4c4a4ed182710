#include "model/cel/time.h"

#include <fmt/format.h>

#include <chrono>
#include <climits>

namespace model::cel {

namespace {

using Wide = __int128;  // nanoseconds of any timestamp

constexpr std::int64_t nanos_per_second = 1'000'000'000;
constexpr std::int64_t seconds_min = -62'135'596'800;  // 0001-01-01T00:00:00Z
constexpr std::int64_t seconds_max = 253'402'300'799;  // 9999-12-31T23:59:59Z

Wide to_nanos(Timestamp value) {
  return Wide{value.seconds} * nanos_per_second + value.nanos;
}

std::optional<Timestamp> from_nanos(Wide nanos) {
  Wide seconds = nanos / nanos_per_second;
  Wide rest = nanos % nanos_per_second;
  if (rest < 0) {
    rest += nanos_per_second;
    --seconds;
  }
  if (seconds < seconds_min || seconds > seconds_max) return std::nullopt;
  return Timestamp{static_cast<std::int64_t>(seconds), static_cast<std::int32_t>(rest)};
}

// Takes what it has read off the front of the text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }
  bool skip(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  bool at_digit() const { return !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; }
  int digit() {
    int value = rest_.front() - '0';
    rest_.remove_prefix(1);
    return value;
  }
  /// A number of exactly so many digits.
  std::optional<int> number(int digits) {
    int value = 0;
    for (int i = 0; i < digits; ++i) {
      if (!at_digit()) return std::nullopt;
      value = value * 10 + digit();
    }
    return value;
  }
  /// The digits after a decimal point as billionths; those beyond the ninth are dropped.
  std::int64_t billionths(int& digits) {
    std::int64_t value = 0;
    for (digits = 0; at_digit(); ++digits) {
      int next = digit();
      if (digits < 9) value = value * 10 + next;
    }
    for (int i = digits; i < 9; ++i) value *= 10;
    return value;
  }

 private:
  std::string_view rest_;
};

// With 3, 6 or 9 digits, as the JSON form of protobuf has it.
std::string fraction(std::int64_t nanos) {
  if (nanos == 0) return "";
  if (nanos % 1'000'000 == 0) return fmt::format(".{:03}", nanos / 1'000'000);
  if (nanos % 1000 == 0) return fmt::format(".{:06}", nanos / 1000);
  return fmt::format(".{:09}", nanos);
}

struct Clock {
  int hour, minute, second;
};

std::optional<Clock> scan_clock(Scanner& in) {
  auto hour = in.number(2);
  if (!hour || !in.skip(":")) return std::nullopt;
  auto minute = in.number(2);
  if (!minute || !in.skip(":")) return std::nullopt;
  auto second = in.number(2);
  if (!second || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  return Clock{*hour, *minute, *second};
}

std::optional<std::chrono::sys_days> scan_date(Scanner& in) {
  auto year = in.number(4);
  if (!year || !in.skip("-")) return std::nullopt;
  auto month = in.number(2);
  if (!month || !in.skip("-")) return std::nullopt;
  auto day = in.number(2);
  if (!day) return std::nullopt;
  std::chrono::year_month_day date(std::chrono::year(*year),
                                   std::chrono::month(static_cast<unsigned>(*month)),
                                   std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date);
}

std::optional<int> scan_offset(Scanner& in) {
  bool west = in.skip("-");
  if (!west) in.skip("+");
  auto hours = in.number(2);
  if (!hours || !in.skip(":")) return std::nullopt;
  auto minutes = in.number(2);
  if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  int offset = *hours * 60 + *minutes;
  return west ? -offset : offset;
}

// Nanoseconds of a unit of a duration; 0 if there is none at the front.
std::int64_t scan_unit(Scanner& in) {
  struct Unit {
    std::string_view name;
    std::int64_t nanos;
  };
  static constexpr Unit units[] = {{"ns", 1},
                                   {"us", 1'000},
                                   {"µs", 1'000},
                                   {"ms", 1'000'000},
                                   {"s", nanos_per_second},
                                   {"m", 60 * nanos_per_second},
                                   {"h", 3600 * nanos_per_second}};
  for (const Unit& unit : units)
    if (in.skip(unit.name)) return unit.nanos;
  return 0;
}

// "1.5h" at the front, in nanoseconds.
std::optional<Wide> scan_amount(Scanner& in) {
  constexpr Wide whole_max = Wide{1} << 64;  // more is out of range with any unit
  Wide whole = 0;
  bool any = in.at_digit();
  while (in.at_digit()) whole = std::min(whole * 10 + in.digit(), whole_max);
  std::int64_t part = 0;
  if (in.skip(".")) {
    int digits = 0;
    part = in.billionths(digits);
    any = any || digits > 0;
  }
  if (!any) return std::nullopt;
  std::int64_t unit = scan_unit(in);
  if (unit == 0) return std::nullopt;
  return whole * unit + Wide{part} * unit / nanos_per_second;
}

}  // namespace

std::optional<Timestamp> timestamp_at(std::int64_t seconds) {
  if (seconds < seconds_min || seconds > seconds_max) return std::nullopt;
  return Timestamp{seconds, 0};
}

std::optional<Timestamp> sum(Timestamp from, Duration by) {
  return from_nanos(to_nanos(from) + by.nanos);
}

std::optional<Timestamp> difference(Timestamp from, Duration by) {
  return from_nanos(to_nanos(from) - by.nanos);
}

std::optional<Duration> difference(Timestamp from, Timestamp to) {
  Wide nanos = to_nanos(from) - to_nanos(to);
  if (nanos < INT64_MIN || nanos > INT64_MAX) return std::nullopt;
  return Duration{static_cast<std::int64_t>(nanos)};
}

std::optional<Timestamp> parse_timestamp(std::string_view text) {
  Scanner in(text);
  auto date = scan_date(in);
  if (!date || !(in.skip("T") || in.skip("t"))) return std::nullopt;
  auto clock = scan_clock(in);
  if (!clock) return std::nullopt;
  std::int64_t nanos = 0;
  if (in.skip(".")) {
    int digits = 0;
    nanos = in.billionths(digits);
    if (digits == 0) return std::nullopt;
  }
  std::optional<int> offset = 0;
  if (!in.skip("Z") && !in.skip("z")) offset = scan_offset(in);
  if (!offset || !in.done()) return std::nullopt;
  Wide seconds = Wide{date->time_since_epoch().count()} * 86'400 + clock->hour * 3600 +
                 clock->minute * 60 + clock->second - *offset * 60;
  return from_nanos(seconds * nanos_per_second + nanos);
}

std::optional<Duration> parse_duration(std::string_view text) {
  if (text == "0" || text == "-0" || text == "+0") return Duration{};
  Scanner in(text);
  bool negative = in.skip("-");
  if (!negative) in.skip("+");
  Wide nanos = 0;
  do {
    auto amount = scan_amount(in);
    if (!amount) return std::nullopt;
    nanos += *amount;
    if (nanos > Wide{INT64_MAX} + 1) return std::nullopt;
  } while (!in.done());
  if (negative) nanos = -nanos;
  if (nanos > INT64_MAX) return std::nullopt;
  return Duration{static_cast<std::int64_t>(nanos)};
}

std::string to_text(Timestamp value) {
  auto field = [&](CalendarField which) { return field_of(value, 0, which); };
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}Z", field(CalendarField::year),
                     field(CalendarField::month) + 1, field(CalendarField::date),
                     field(CalendarField::hours), field(CalendarField::minutes),
                     field(CalendarField::seconds), fraction(value.nanos));
}

std::string to_text(Duration value) {
  std::int64_t seconds = value.nanos / nanos_per_second;
  std::int64_t nanos = value.nanos % nanos_per_second;
  const char* sign = value.nanos < 0 ? "-" : "";
  return fmt::format("{}{}{}s", sign, std::abs(seconds), fraction(std::abs(nanos)));
}

std::optional<int> parse_offset(std::string_view zone) {
  if (zone == "UTC" || zone == "Z") return 0;
  Scanner in(zone);
  auto offset = scan_offset(in);
  return in.done() ? offset : std::nullopt;
}

std::int64_t field_of(Timestamp value, int offset_minutes, CalendarField field) {
  using namespace std::chrono;
  sys_seconds local{seconds(value.seconds + offset_minutes * 60)};
  sys_days day = floor<days>(local);
  year_month_day date(day);
  hh_mm_ss clock(local - day);
  switch (field) {
    case CalendarField::year:
      return static_cast<int>(date.year());
    case CalendarField::month:
      return static_cast<unsigned>(date.month()) - 1;
    case CalendarField::day_of_month:
      return static_cast<unsigned>(date.day()) - 1;
    case CalendarField::date:
      return static_cast<unsigned>(date.day());
    case CalendarField::day_of_year:
      return (day - sys_days(date.year() / January / 1)).count();
    case CalendarField::day_of_week:
      return weekday(day).c_encoding();
    case CalendarField::hours:
      return clock.hours().count();
    case CalendarField::minutes:
      return clock.minutes().count();
    case CalendarField::seconds:
      return clock.seconds().count();
    case CalendarField::milliseconds:
      return value.nanos / 1'000'000;
  }
  return 0;
}

}  // namespace model::cel
