// Timers of the runs of one shard, ordered by time. Not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "engine/apply.h"

namespace runtime {

class Timers {
 public:
  struct Due {
    base::RunId run;
    std::optional<engine::TimerFired> fired;  // nothing: a waiter's time may be up
  };

  void set(base::Timestamp at, Due due);
  /// Earliest time, if any.
  std::optional<base::Timestamp> next() const;
  /// Takes up to `max` timers that are due.
  std::vector<Due> take_due(base::Timestamp now, std::size_t max);
  /// Forgets a run's timers: a finished run leaves nothing behind.
  void forget(base::RunId run);

 private:
  struct Key {
    base::Timestamp at;
    std::uint64_t serial;
    auto operator<=>(const Key&) const = default;
  };
  std::map<Key, Due> timers_;
  std::unordered_map<base::RunId, std::vector<Key>> of_run_;  // may name timers already taken
  std::uint64_t next_serial_ = 0;
};

}  // namespace runtime
