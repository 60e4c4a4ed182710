#include "runtime/timers.h"

namespace runtime {

void Timers::set(base::Timestamp at, Due due) {
  Key key{at, next_serial_++};
  timers_.emplace(key, due);
  of_run_[due.run].push_back(key);
}

std::optional<base::Timestamp> Timers::next() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first.at;
}

std::vector<Timers::Due> Timers::take_due(base::Timestamp now, std::size_t max) {
  std::vector<Due> due;
  while (!timers_.empty() && timers_.begin()->first.at <= now && due.size() < max) {
    due.push_back(timers_.begin()->second);
    timers_.erase(timers_.begin());
  }
  return due;
}

void Timers::forget(base::RunId run) {
  auto found = of_run_.find(run);
  if (found == of_run_.end()) return;
  for (const Key& key : found->second) timers_.erase(key);
  of_run_.erase(found);
}

}  // namespace runtime
