// The clock of a simulated world: true time goes on as the world moves it, the wall clock that the
// server sees may be set forward and back.
#pragma once

#include "base/clock.h"

namespace sim {

class VirtualClock : public base::Clock {
 public:
  base::Timestamp now() const override { return time + offset; }
  base::SteadyTime steady() const override { return base::SteadyTime(time.time_since_epoch()); }
  /// The true time at which the wall clock shows `wall`.
  base::Timestamp true_time(base::Timestamp wall) const { return wall - offset; }

  base::Timestamp time = *base::from_iso8601("2026-01-01T00:00:00Z");
  base::Duration offset{};
};

}  // namespace sim
