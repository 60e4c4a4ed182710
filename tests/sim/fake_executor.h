// The executor of the simulator: attempts, evaluations and sub-flows on the virtual clock, whose
// reports come late, twice, in any order, and sometimes after the crash that killed the attempt.
// What it is given is checked as strictly as the real one relies on it.
#pragma once

#include <deque>
#include <map>

#include "runtime/events.h"
#include "runtime/executor.h"
#include "sim/memory_store.h"
#include "sim/virtual_clock.h"

namespace sim {

using Key = std::tuple<RunId, TaskIndex, int>;  // run, task run, epoch

class FakeExecutor : public runtime::Executor {
 public:
  FakeExecutor(const MemoryStore& store, const Ledger& ledger, VirtualClock& clock,
               base::SeededRandom& random, Trace& trace)
      : store_(store), ledger_(ledger), clock_(clock), random_(random), trace_(trace) {}

  void start(runtime::AttemptStart start) override;
  void stop(RunId run, TaskIndex task, int epoch) override;
  void compute(runtime::ComputeStart start) override;
  void collect(runtime::ChildEnd end) override;
  void finished(RunId run) override;

  /// When the next message comes, if any.
  std::optional<base::Timestamp> next() const;
  /// Takes the messages that are due: those of one attempt in order, all others in any.
  std::vector<runtime::Message> take_due();
  /// Power goes: every attempt dies at once. Some of their reports still arrive, unless the spawner
  /// has died first and the server with it.
  void die(bool with_last_words);
  /// The attempt is alive and was not told to stop.
  bool goes_on(const Key& key) const;
  /// An evaluation of the task run was asked for, and its answer is to come.
  bool is_computing(RunId run, TaskIndex task) const { return computing_.contains({run, task}); }
  bool is_computing(RunId run) const {
    auto first = computing_.lower_bound({run, 0});
    return first != computing_.end() && first->first.first == run;
  }

  /// Attempts whose end was handed out by take_due(); the world clears it.
  std::vector<Key> ends_delivered;
  /// Sub-flows that were handed out to be started; likewise.
  std::vector<Key> children_delivered;
  /// Chunks handed out so far, of each attempt.
  const std::map<Key, int>& chunks_sent() const { return chunks_sent_; }
  int started() const { return started_; }
  int computed() const { return computed_; }
  int collected() const { return collected_; }

 private:
  struct Attempt {
    runtime::AttemptStart start;
    base::Timestamp ends_at;
    std::deque<std::pair<base::Timestamp, runtime::Message>> messages;
    bool stopped = false;
    bool reported = false;  // its end was handed out; what follows is a second copy
    int chunks = 0;
  };
  struct Loose {
    runtime::Message message;
    std::optional<std::pair<RunId, TaskIndex>> computes;
  };

  void check_start(const runtime::AttemptStart& start) const;
  void check_context(const runtime::TaskContext& context) const;
  void check_compute(const runtime::ComputeStart& start) const;
  runtime::TaskComputed evaluate(const runtime::ComputeStart& start) const;
  engine::Decided decide(const runtime::TaskContext& context,
                         std::optional<store::ApprovalRow>& approval) const;
  engine::Gathered gather(const runtime::ComputeStart& start) const;
  void plan_messages(Attempt& attempt, const Outcome& outcome);
  void plan_child(Attempt& attempt);
  std::optional<runtime::StartChild> child_of(const runtime::AttemptStart& start) const;
  void add_end(Attempt& attempt, const Outcome& outcome);
  void send_loose(base::Duration delay, Loose loose) {
    loose_.emplace(clock_.time + delay, std::move(loose));
  }
  base::Duration delay(int milliseconds_max) {
    return std::chrono::milliseconds(random_.below(std::uint64_t(milliseconds_max) + 1));
  }
  runtime::LogChunk next_chunk(Attempt& attempt);
  void take_due_of(const Key& key, Attempt& attempt, std::deque<runtime::Message>& queue);
  std::vector<runtime::Message> shuffled(std::vector<std::deque<runtime::Message>> queues);

  const MemoryStore& store_;
  const Ledger& ledger_;
  VirtualClock& clock_;
  base::SeededRandom& random_;
  Trace& trace_;
  std::map<Key, Attempt> attempts_;
  std::multimap<base::Timestamp, Loose> loose_;  // of no attempt, or words of the dead
  std::map<std::pair<RunId, TaskIndex>, int> computing_;
  std::map<Key, int> chunks_sent_;
  int started_ = 0;
  int computed_ = 0;
  int collected_ = 0;
};

}  // namespace sim
