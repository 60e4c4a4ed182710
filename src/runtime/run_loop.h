// The thread that drives a shard: an inbox, the shard's timers, and nothing else. It never polls.
// A second one, the guard, sleeps unless commands come to a loop that is at work.
#pragma once

#include <thread>
#include <vector>

#include "base/thread_safety.h"
#include "runtime/shard.h"

namespace runtime {

class RunLoop {
 public:
  RunLoop(Shard& shard, base::Clock& clock);
  ~RunLoop();

  void start();
  /// Takes no further commands, lets no further process start, and waits until none holds a slot or
  /// `limit` has passed.
  void drain(std::chrono::milliseconds limit);
  /// Ends the loop; commands in the inbox are refused, waiters are told what their runs are now.
  void stop();

  /// A command: refused with `unavailable` when the inbox is full, the loop stops, or has taken no
  /// messages for command_wait_max, because its store is away; its reply is then called at once.
  /// Thread-safe.
  void command(Message message);
  /// A report of the executor: never refused, since what was asked of it bounds their number.
  /// Thread-safe.
  void report(Message message);
  /// Log lines: waits while the inbox is full. Thread-safe, but never from the loop's own thread.
  void log(AttemptLog message);

  /// For /health: the loop has taken its messages within the last command_wait_max.
  bool is_responsive() const;

 private:
  void run();
  void guard();
  bool is_stuck() const REQUIRES(mutex_);
  std::vector<Message> take();
  std::vector<Message> take_commands() REQUIRES(mutex_);
  void push(Message message) REQUIRES(mutex_);

  Shard& shard_;
  base::Clock& clock_;
  mutable base::Mutex mutex_;
  base::CondVar inbox_changed_;
  base::CondVar inbox_has_room_;
  base::CondVar drained_;
  base::CondVar guard_changed_;
  std::vector<Message> inbox_ GUARDED_BY(mutex_);
  bool loop_waits_ GUARDED_BY(mutex_) = false;
  bool draining_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool guard_is_wanted_ GUARDED_BY(mutex_) = false;
  bool drained_once_ GUARDED_BY(mutex_) = false;  // a step has been made since draining began
  std::size_t slots_held_ GUARDED_BY(mutex_) = 0;
  base::SteadyTime busy_since_ GUARDED_BY(mutex_);
  std::thread thread_, guard_;
};

}  // namespace runtime
