#include "runtime/run_loop.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/limits.h"

namespace runtime {

namespace limits = base::limits;

namespace {

// Answers what will not be applied.
void turn_away(Message& message, const base::Error& error) {
  refuse(message, error);
  if (auto* watch = std::get_if<WatchRun>(&message); watch && watch->waiter) watch->waiter(nullptr);
}

}  // namespace

RunLoop::RunLoop(Shard& shard, base::Clock& clock)
    : shard_(shard), clock_(clock), busy_since_(clock.steady()) {}

RunLoop::~RunLoop() {
  stop();
}

void RunLoop::start() {
  {
    base::MutexLock lock(mutex_);
    busy_since_ = clock_.steady();  // until its thread has taken the first messages
  }
  thread_ = std::thread([this] { run(); });
  guard_ = std::thread([this] { guard(); });
}

void RunLoop::drain(std::chrono::milliseconds limit) {
  base::MutexLock lock(mutex_);
  draining_ = true;
  inbox_changed_.notify_one();
  base::SteadyTime until = clock_.steady() + limit;
  while (!drained_once_ || slots_held_ > 0)
    if (!drained_.wait_until(mutex_, until)) return;
}

void RunLoop::stop() {
  {
    base::MutexLock lock(mutex_);
    draining_ = stopping_ = true;
    inbox_changed_.notify_one();
    inbox_has_room_.notify_all();
    guard_changed_.notify_one();
  }
  if (guard_.joinable()) guard_.join();
  if (thread_.joinable()) {
    thread_.join();
    shard_.answer_all_waiters();
  }
  base::MutexLock lock(mutex_);
  for (Message& message : inbox_) turn_away(message, base::unavailable("the server is stopping"));
  inbox_.clear();
}

void RunLoop::push(Message message) {
  inbox_.push_back(std::move(message));
  if (loop_waits_) inbox_changed_.notify_one();
}

void RunLoop::command(Message message) {
  {
    base::MutexLock lock(mutex_);
    if (!draining_ && !is_stuck() && inbox_.size() < limits::inbox_max) {
      if (!loop_waits_ && !std::exchange(guard_is_wanted_, true)) guard_changed_.notify_one();
      return push(std::move(message));
    }
    guard_changed_.notify_one();
  }
  turn_away(message, base::unavailable("the server is busy, stopping, or waits for its database"));
}

void RunLoop::report(Message message) {
  base::MutexLock lock(mutex_);
  push(std::move(message));
}

void RunLoop::log(AttemptLog message) {
  base::MutexLock lock(mutex_);
  while (inbox_.size() >= limits::inbox_max && !stopping_) inbox_has_room_.wait(mutex_);
  push(std::move(message));
}

bool RunLoop::is_stuck() const {
  return !loop_waits_ && clock_.steady() - busy_since_ >= limits::command_wait_max;
}

// Commands that came while the loop was at work do not wait for as long as its store is away.
void RunLoop::guard() {
  while (true) {
    std::vector<Message> late;
    {
      base::MutexLock lock(mutex_);
      while (!guard_is_wanted_ && !stopping_) guard_changed_.wait(mutex_);
      while (!loop_waits_ && !is_stuck() && !stopping_)
        if (!guard_changed_.wait_until(mutex_, busy_since_ + limits::command_wait_max)) break;
      if (stopping_) return;
      if (loop_waits_ || is_stuck()) guard_is_wanted_ = false;
      if (is_stuck()) late = take_commands();
    }
    for (Message& message : late)
      turn_away(message, base::unavailable("the engine waits for its database"));
  }
}

std::vector<Message> RunLoop::take_commands() {
  std::vector<Message> commands;
  auto first = std::stable_partition(inbox_.begin(), inbox_.end(),
                                     [](const Message& message) { return !is_command(message); });
  std::move(first, inbox_.end(), std::back_inserter(commands));
  inbox_.erase(first, inbox_.end());
  return commands;
}

bool RunLoop::is_responsive() const {
  base::MutexLock lock(mutex_);
  return !is_stuck();
}

void RunLoop::run() {
  while (true) {
    std::vector<Message> messages = take();
    {
      base::MutexLock lock(mutex_);
      if (stopping_) {
        for (Message& message : messages)
          turn_away(message, base::unavailable("the server is stopping"));
        return;
      }
      if (draining_) shard_.hold_starts();
    }
    shard_.step(std::move(messages));
    base::MutexLock lock(mutex_);
    slots_held_ = shard_.slots_held();
    drained_once_ = draining_;
    if (draining_ && slots_held_ == 0) drained_.notify_all();
  }
}

// Waits for messages, a timer, the beginning of a drain, or the end. At most batch_events_max
// messages a step.
std::vector<Message> RunLoop::take() {
  std::optional<base::Timestamp> wake = shard_.next_wake();
  base::MutexLock lock(mutex_);
  loop_waits_ = true;
  while (inbox_.empty() && !stopping_ && draining_ == drained_once_) {
    if (!wake) {
      inbox_changed_.wait(mutex_);
      continue;
    }
    // Timers are wall-clock times: the wait is bounded so that a stepped clock is noticed.
    base::Duration left = *wake - clock_.now();
    if (left <= base::Duration(0)) break;
    using namespace std::chrono_literals;
    inbox_changed_.wait_for(mutex_, std::min<base::Duration>(left, 1s));
  }
  loop_waits_ = false;
  busy_since_ = clock_.steady();
  std::vector<Message> messages;
  if (inbox_.size() <= limits::batch_events_max) {
    messages.swap(inbox_);
  } else {
    auto end = inbox_.begin() + limits::batch_events_max;
    messages.assign(std::make_move_iterator(inbox_.begin()), std::make_move_iterator(end));
    inbox_.erase(inbox_.begin(), end);
  }
  inbox_has_room_.notify_all();
  return messages;
}

}  // namespace runtime
