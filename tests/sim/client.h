// The clients of a simulated server: send commands, answer approvals, remember what was promised to
// them, and complain.
#pragma once

#include <map>
#include <set>

#include "runtime/events.h"
#include "sim/fake_executor.h"
#include "sim/workload.h"

namespace sim {

class Client {
 public:
  Client(const MemoryStore& store, Ledger& ledger, const FakeExecutor& executor,
         const VirtualClock& clock, Trace& trace, std::uint64_t seed, std::size_t slots)
      : store_(store),
        ledger_(ledger),
        executor_(executor),
        clock_(clock),
        trace_(trace),
        random_(seed),
        slots_(slots) {}

  /// The message of an action; nothing when the run it means was never acknowledged.
  std::optional<runtime::Message> command(const PlannedAction& action);
  /// When somebody next answers an approval.
  std::optional<base::Timestamp> next_answer() const;
  void take_answers(std::vector<runtime::Message>& messages);
  /// Nothing else is to come: paused runs go on, open approvals are granted, and of runs that wait
  /// for each other within a limit the oldest is given up. Empty when no run needs that.
  std::vector<runtime::Message> rescue();

  /// The server is gone: what it has not answered it never will.
  void forget_unanswered();
  void begin_step();
  bool cancel_was_asked(RunId run) const { return cancels_asked_.contains(run); }

  /// After a step: every command has been answered once.
  void check_answered() const;
  /// After a step that committed: whoever waited too long or for a run that is decided has his
  /// answer. People hear of new approvals.
  void check_waiters() const;
  void look_at_approvals();
  void check_end() const;
  int answered_approvals() const { return answered_approvals_; }

 private:
  struct Waiting {
    std::optional<RunId> run;
    base::Timestamp until;
  };
  struct Intent {
    RunId run;
    TaskIndex task;
    bool approves;
  };

  std::optional<RunId> target(const PlannedAction& action) const;
  runtime::Message create(const PlannedAction& action, runtime::CreateRun message);
  std::optional<runtime::Message> rerun(const PlannedAction& action, RunId earlier);
  runtime::ControlRun control(RunId run, engine::Event event, const char* what);
  runtime::ControlRun answer(const Intent& intent);
  runtime::WatchRun watch(RunId run, base::Duration wait);
  runtime::ExplainRun explain(RunId run);
  runtime::Waiter waiter(int number);
  void created(int number, std::size_t index, const runtime::CreateRun& asked,
               const base::Result<runtime::Created>& result);
  void check_refusal(int number, const runtime::CreateRun& asked, const base::Error& error) const;
  void controlled(int number, RunId run, bool cancels, const base::Result<>& result);
  void explained(int number, RunId run, const base::Result<runtime::Explanation>& result) const;
  void check_reason(RunId run, const runtime::Reason& reason) const;
  bool must_be_explained(RunId run) const;
  void answered(int number);
  bool waits_in_vain(const Ledger::Run& run) const;

  const MemoryStore& store_;
  Ledger& ledger_;
  const FakeExecutor& executor_;
  const VirtualClock& clock_;
  Trace& trace_;
  base::SeededRandom random_;
  std::size_t slots_;
  int numbers_ = 0;
  int answered_approvals_ = 0;
  int failures_before_ = 0;  // of the store, before the step under way
  base::Timestamp step_now_{};
  std::map<std::string, int> keys_before_;     // live runs of each concurrency key, likewise
  std::set<int> open_;                         // commands not yet answered
  std::map<int, Waiting> waiting_;             // waiters not yet answered
  std::vector<std::optional<RunId>> creates_;  // acknowledged ids, by order of creation
  std::set<RunId> created_;                    // acknowledged as new
  std::set<RunId> acknowledged_;
  std::set<RunId> cancels_asked_;
  std::set<RunId> cancels_done_;
  std::set<std::pair<RunId, TaskIndex>> approvals_seen_;
  std::multimap<base::Timestamp, Intent> intents_;  // by true time
};

}  // namespace sim
