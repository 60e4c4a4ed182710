// A token bucket for each client, in memory. Thread-safe.
#pragma once

#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/thread_safety.h"

namespace auth {

class RateLimit {
 public:
  /// `per_minute` 0 switches it off.
  RateLimit(int per_minute, int burst, base::Clock& clock);

  struct Verdict {
    bool allowed = true;
    int remaining = 0;            // whole tokens left
    int retry_after_seconds = 0;  // to one token, when refused
  };
  /// Takes one token of `client` if there is one.
  Verdict take(const std::string& client);

  bool is_on() const { return per_minute_ > 0; }
  int per_minute() const { return per_minute_; }

 private:
  struct Bucket {
    double tokens;
    base::SteadyTime filled_at;
  };
  void make_room(base::SteadyTime now) REQUIRES(mutex_);

  const int per_minute_;
  const double burst_;
  base::Clock& clock_;
  base::Mutex mutex_;
  std::unordered_map<std::string, Bucket> buckets_ GUARDED_BY(mutex_);
};

}  // namespace auth
