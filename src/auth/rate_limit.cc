#include "auth/rate_limit.h"

#include <algorithm>
#include <cmath>

#include "base/limits.h"

namespace auth {

RateLimit::RateLimit(int per_minute, int burst, base::Clock& clock)
    : per_minute_(per_minute), burst_(std::max(burst, 1)), clock_(clock) {}

// A bucket that would be full again tells nothing and can go; if none is, all go: better to forget
// who was limited than to grow without bound.
void RateLimit::make_room(base::SteadyTime now) {
  auto full_after = std::chrono::duration<double>(burst_ * 60 / per_minute_);
  std::erase_if(buckets_,
                [&](const auto& entry) { return now - entry.second.filled_at >= full_after; });
  if (buckets_.size() >= base::limits::rate_limit_clients_max) buckets_.clear();
}

RateLimit::Verdict RateLimit::take(const std::string& client) {
  if (!is_on()) return {};
  base::SteadyTime now = clock_.steady();
  base::MutexLock lock(mutex_);
  if (buckets_.size() >= base::limits::rate_limit_clients_max && !buckets_.contains(client))
    make_room(now);
  Bucket& bucket = buckets_.try_emplace(client, Bucket{burst_, now}).first->second;
  double per_second = per_minute_ / 60.0;
  double seconds = std::chrono::duration<double>(now - bucket.filled_at).count();
  bucket.tokens = std::min(burst_, bucket.tokens + seconds * per_second);
  bucket.filled_at = now;
  if (bucket.tokens >= 1) {
    bucket.tokens -= 1;
    return {true, static_cast<int>(bucket.tokens), 0};
  }
  return {false, 0, static_cast<int>(std::ceil((1 - bucket.tokens) / per_second))};
}

}  // namespace auth
