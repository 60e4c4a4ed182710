// The executor of the simulator: attempts on the virtual clock, whose reports come late, twice, in
// any order, and sometimes after the crash that killed the attempt.
#pragma once

#include <deque>
#include <map>

#include "runtime/events.h"
#include "runtime/executor.h"
#include "sim/ledger.h"
#include "sim/script.h"

namespace sim {

/// Stands still until the world moves it.
class VirtualClock : public base::Clock {
 public:
  base::Timestamp now() const override { return time; }
  base::SteadyTime steady() const override { return base::SteadyTime(time.time_since_epoch()); }
  base::Timestamp time = *base::from_iso8601("2026-01-01T00:00:00Z");
};

using Key = std::tuple<RunId, TaskIndex, int>;  // run, task, epoch

class FakeExecutor : public runtime::Executor {
 public:
  FakeExecutor(const Ledger& ledger, const Script& script, VirtualClock& clock,
               base::SeededRandom& random, Trace& trace)
      : ledger_(ledger), script_(script), clock_(clock), random_(random), trace_(trace) {}

  void start(runtime::AttemptStart start) override;
  void stop(RunId run, TaskIndex task, int epoch) override;
  void compute(runtime::ComputeStart start) override;
  void collect(runtime::ChildEnd end) override;
  void finished(RunId run) override;

  /// When the next message comes, if any.
  std::optional<base::Timestamp> next() const;
  /// Takes the messages that are due: those of one attempt in order, all others in any.
  std::vector<runtime::Message> take_due();
  /// Power goes: every attempt dies at once. Some of their reports still arrive.
  void die();
  /// The attempt is alive and was not told to stop.
  bool goes_on(const Key& key) const;

  /// Attempts whose end was handed out by take_due(); the world clears it.
  std::vector<Key> ends_delivered;
  /// Chunks handed out so far, of each attempt.
  const std::map<Key, int>& chunks_sent() const { return chunks_sent_; }
  int started() const { return started_; }

 private:
  struct Attempt {
    runtime::AttemptStart start;
    base::Timestamp ends_at;
    std::deque<std::pair<base::Timestamp, runtime::Message>> messages;
    bool stopped = false;
    bool reported = false;  // its end was handed out; what follows is a second copy
    int chunks = 0;
  };

  void check_start(const runtime::AttemptStart& start) const;
  void plan_messages(Attempt& attempt, const Outcome& outcome);
  void add_end(Attempt& attempt, const Outcome& outcome);
  base::Duration delay(int milliseconds_max) {
    return std::chrono::milliseconds(random_.below(std::uint64_t(milliseconds_max) + 1));
  }
  runtime::LogChunk next_chunk(Attempt& attempt);

  const Ledger& ledger_;
  const Script& script_;
  VirtualClock& clock_;
  base::SeededRandom& random_;
  Trace& trace_;
  std::map<Key, Attempt> attempts_;
  std::multimap<base::Timestamp, runtime::Message> stray_;  // words of the dead
  std::map<Key, int> chunks_sent_;
  int started_ = 0;
};

}  // namespace sim
