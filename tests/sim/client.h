// The clients of a simulated server: send commands, remember what was promised to them, and
// complain.
#pragma once

#include <map>
#include <set>

#include "runtime/events.h"
#include "sim/fake_executor.h"
#include "sim/workload.h"

namespace sim {

class Client {
 public:
  Client(const MemoryStore& store, const Ledger& ledger, const VirtualClock& clock, Trace& trace)
      : store_(store), ledger_(ledger), clock_(clock), trace_(trace) {}

  /// The message of an action; nothing when the run it means was never acknowledged.
  std::optional<runtime::Message> command(const PlannedAction& action);
  /// The server is gone: what it has not answered it never will.
  void forget_unanswered();
  void begin_step() { failures_before_ = store_.failures(); }
  bool cancel_was_asked(RunId run) const { return cancels_asked_.contains(run); }

  /// After a step: every command has been answered once.
  void check_answered() const;
  /// After a step that committed: whoever waited too long or for a run that is decided has his
  /// answer.
  void check_waiters() const;
  void check_end() const;

 private:
  struct Waiting {
    std::optional<RunId> run;
    base::Timestamp until;
  };

  runtime::CreateRun create(const PlannedAction& action);
  runtime::ControlRun cancel(RunId run);
  runtime::WatchRun watch(RunId run, base::Duration wait);
  runtime::Waiter waiter(int number);
  void created(int number, std::size_t index, const std::optional<store::IdempotencyRow>& key,
               const base::Result<runtime::Created>& result);
  void cancelled(int number, RunId run, const base::Result<>& result);
  void answered(int number);

  const MemoryStore& store_;
  const Ledger& ledger_;
  const VirtualClock& clock_;
  Trace& trace_;
  int numbers_ = 0;
  int failures_before_ = 0;                    // of the store, before the step under way
  std::set<int> open_;                         // commands not yet answered
  std::map<int, Waiting> waiting_;             // waiters not yet answered
  std::vector<std::optional<RunId>> creates_;  // acknowledged ids, by order of creation
  std::set<RunId> created_;                    // acknowledged as new
  std::set<RunId> acknowledged_;
  std::set<RunId> cancels_asked_;
  std::set<RunId> cancels_done_;
};

}  // namespace sim
