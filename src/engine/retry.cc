#include "engine/retry.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/random.h"

namespace engine {

namespace {

// Attempts of the present iteration that have failed and were retried.
std::size_t retries_used(const TaskState& task) {
  return task.earlier.size() - task.earlier_elsewhere;
}

double base_delay(const model::PlannedTask& plan, std::size_t retries) {
  if (plan.retry_backoff) {
    const model::RetryBackoff& backoff = *plan.retry_backoff;
    return std::min(backoff.max, backoff.initial * std::pow(backoff.factor, double(retries)));
  }
  return plan.retry_delay_seconds[std::min(retries, plan.retry_delay_seconds.size() - 1)];
}

}  // namespace

bool may_retry(const TaskState& task, const model::PlannedTask& plan, const Failure& failure) {
  static constexpr auto lasting =
      std::to_array<std::string_view>({"expression", "invalid_config", "forbidden_address"});
  if (std::find(lasting.begin(), lasting.end(), failure.kind) != lasting.end()) return false;
  if (std::cmp_greater_equal(retries_used(task) + 1, plan.attempts_max)) return false;
  if (!plan.retry_on) return true;
  return std::find(plan.retry_on->begin(), plan.retry_on->end(), failure.kind) !=
         plan.retry_on->end();
}

base::Duration retry_delay(const RunState& state, TaskIndex i) {
  const model::PlannedTask& plan = state.planned(i);
  auto attempt = static_cast<std::uint64_t>(state.tasks[i].attempt);
  base::SeededRandom random(static_cast<std::uint64_t>(state.id) ^ (std::uint64_t{i} << 40) ^
                            (attempt << 32));
  double seconds = base_delay(plan, retries_used(state.tasks[i])) *
                   (1 + plan.retry_jitter_factor * random.unit());
  return std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(seconds));
}

}  // namespace engine
