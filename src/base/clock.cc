#include "base/clock.h"

#include <charconv>

namespace base {

using std::chrono::floor;

Timestamp SystemClock::now() const {
  return floor<Duration>(std::chrono::system_clock::now());
}

SteadyTime SystemClock::steady() const {
  return floor<Duration>(std::chrono::steady_clock::now());
}

std::string to_iso8601(Timestamp t) {
  auto day = floor<std::chrono::days>(t);
  std::chrono::year_month_day ymd(day);
  auto ms = floor<std::chrono::milliseconds>(t - day).count();
  std::string text = "0000-00-00T00:00:00.000Z";
  // Every answer holds several of these, so they are not formatted but filled in.
  auto fill = [&](std::size_t end, std::size_t digits, std::int64_t value) {
    for (; digits > 0; --digits, value /= 10) text[--end] = static_cast<char>('0' + value % 10);
  };
  fill(4, 4, int(ymd.year()));
  fill(7, 2, unsigned(ymd.month()));
  fill(10, 2, unsigned(ymd.day()));
  fill(13, 2, ms / 3'600'000);
  fill(16, 2, ms / 60'000 % 60);
  fill(19, 2, ms / 1000 % 60);
  fill(23, 3, ms % 1000);
  return text;
}

namespace {

// A cursor over fixed-width decimal fields; `ok` turns false at the first mismatch.
struct Reader {
  std::string_view rest;
  bool ok = true;

  int number(std::size_t digits) {
    int value = 0;
    if (rest.size() < digits) return fail();
    for (std::size_t i = 0; i < digits; ++i) {
      if (rest[i] < '0' || rest[i] > '9') return fail();
      value = value * 10 + (rest[i] - '0');
    }
    rest.remove_prefix(digits);
    return value;
  }
  void expect(char c) {
    if (rest.empty() || rest.front() != c) {
      fail();
      return;
    }
    rest.remove_prefix(1);
  }
  bool skip(char c) {
    if (rest.empty() || rest.front() != c) return false;
    rest.remove_prefix(1);
    return true;
  }
  int fail() {
    ok = false;
    return 0;
  }
};

Duration read_fraction(Reader& in) {
  std::int64_t us = 0;
  std::size_t digits = 0;
  while (digits < 6 && !in.rest.empty() && in.rest.front() >= '0' && in.rest.front() <= '9') {
    us = us * 10 + in.number(1);
    ++digits;
  }
  if (digits == 0) in.fail();
  for (; digits < 6; ++digits) us *= 10;
  return Duration(us);
}

Duration read_zone(Reader& in) {
  if (in.skip('Z')) return Duration(0);
  int sign = in.skip('-') ? -1 : 1;
  if (sign == 1) in.expect('+');
  int hours = in.number(2);
  in.expect(':');
  int minutes = in.number(2);
  if (hours > 14 || minutes > 59) in.fail();
  return sign * (std::chrono::hours(hours) + std::chrono::minutes(minutes));
}

}  // namespace

std::optional<Timestamp> from_iso8601(std::string_view text) {
  Reader in{text};
  int year = in.number(4);
  in.expect('-');
  unsigned month = unsigned(in.number(2));
  in.expect('-');
  unsigned day = unsigned(in.number(2));
  in.expect('T');
  int hour = in.number(2);
  in.expect(':');
  int minute = in.number(2);
  in.expect(':');
  int second = in.number(2);
  Duration fraction = in.ok && in.skip('.') ? read_fraction(in) : Duration(0);
  Duration zone = read_zone(in);
  std::chrono::year_month_day ymd{std::chrono::year(year), std::chrono::month(month),
                                  std::chrono::day(day)};
  if (!in.ok || !in.rest.empty() || !ymd.ok() || hour > 23 || minute > 59 || second > 59)
    return std::nullopt;
  return Timestamp(std::chrono::sys_days(ymd).time_since_epoch()) + std::chrono::hours(hour) +
         std::chrono::minutes(minute) + std::chrono::seconds(second) + fraction - zone;
}

}  // namespace base
