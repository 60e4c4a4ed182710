// Time as a parameter: nothing outside base asks the system what time it is.
#pragma once

#include <chrono>
#include <condition_variable>
#include <optional>
#include <string>
#include <string_view>

namespace base {

using Duration = std::chrono::microseconds;
/// Wall-clock time, UTC, in microseconds. Stored as BIGINT.
using Timestamp = std::chrono::sys_time<Duration>;
/// Time since an arbitrary origin that never steps; for deadlines within one process.
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, Duration>;

inline std::int64_t to_us(Timestamp t) {
  return t.time_since_epoch().count();
}
inline Timestamp from_us(std::int64_t us) {
  return Timestamp(Duration(us));
}

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now() const = 0;
  virtual SteadyTime steady() const = 0;
};

/// The machine's clock. Thread-safe.
class SystemClock : public Clock {
 public:
  Timestamp now() const override;
  SteadyTime steady() const override;
};

/// "2026-11-22T12:53:59.123Z": ISO 8601, UTC, milliseconds (rest-api.md). Years 0 to 9999.
std::string to_iso8601(Timestamp t);
/// Reads the form above; seconds may lack a fraction or carry up to six digits, the zone is "Z" or
/// "+hh:mm". Nothing else is accepted.
std::optional<Timestamp> from_iso8601(std::string_view text);

}  // namespace base
