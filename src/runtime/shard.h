// A shard owns runs: everything that happens to one is a message in its inbox or a timer. One step
// takes a batch of them, applies them, commits all rows in one transaction, and only then performs
// the actions and answers. Threadless: RunLoop drives it, and the simulator does. The messages are
// in shard.cc, the commit in shard_commit.cc, what follows a restart or a refusing store in
// shard_recovery.cc, the answer to "why does it wait?" in shard_explain.cc.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "engine/admission.h"
#include "engine/apply.h"
#include "model/node_type.h"
#include "runtime/events.h"
#include "runtime/executor.h"
#include "runtime/live_run.h"
#include "runtime/timers.h"

namespace runtime {

struct ShardOptions {
  std::size_t slots = 8;  // local processes at a time
  std::uint16_t node = 0;
};

/// Hears of every commit; called on the shard's thread, must not block.
class CommitObserver {
 public:
  virtual ~CommitObserver() = default;
  /// The run has a new row of facts, or lines of log. `run.seq` is the commit's.
  virtual void committed(const LiveRun& run, base::Timestamp at) = 0;
};

class Shard {
 public:
  Shard(store::EngineStore& store, Executor& executor, base::Clock& clock,
        model::NodeCatalog catalog, ShardOptions options);
  ~Shard();

  void observe(CommitObserver& observer) { observer_ = &observer; }

  /// Takes over every live run of the store. A run whose rows are damaged is logged and fails; the
  /// others go on.
  base::Result<> recover();

  /// Applies the messages and the timers that are due, in one commit. When the store refuses,
  /// commands are answered with its error, and reports and waiters are kept for next_wake().
  void step(std::vector<Message> messages);

  /// When step() must be called although no message has come.
  std::optional<base::Timestamp> next_wake() const;
  /// From now on no process starts; used to drain.
  void hold_starts() { holding_starts_ = true; }
  /// Answers every waiter with what its run is now; before the end of the server.
  void answer_all_waiters();
  /// Attempts that hold a slot now.
  std::size_t slots_held() const { return admission_.slots_held(); }
  std::size_t live_runs() const { return runs_.size(); }
  /// For the simulator's invariants.
  const LiveRun* live_run(base::RunId run) const;
  const engine::Admission& admission() const { return admission_; }

 private:
  struct Step;

  // Messages.
  void handle(CreateRun& message);
  void handle(ControlRun& message);
  void handle(WatchRun& message);
  void handle(ExplainRun&) {}
  void handle(const StartChild& message);
  void handle(const TaskComputed& message);
  void handle(const AttemptLog& message);
  void handle(const AttemptEnded& message);
  void fire(const Timers::Due& due);

  std::optional<base::Result<Created>> turn_away(CreateRun& message);
  base::Result<std::optional<store::Duplicate>> find_key(const store::IdempotencyRow& key);
  base::Result<> make_room(const store::LiveRunRow& row, const model::Plan& plan);
  LiveRun& create(store::LiveRunRow row, std::shared_ptr<const model::Plan> plan);
  void admit(LiveRun& run);
  LiveRun* find(base::RunId run);
  LiveRun* find_attempt(base::RunId run, model::TaskIndex task, int epoch);
  void apply(LiveRun& run, const engine::Event& event);
  void follow_fact(LiveRun& run, const engine::Fact& fact);
  void cache_output(LiveRun& run, const engine::AttemptSucceeded& fact);
  void close_approval(LiveRun& run, model::TaskIndex task);
  void take_actions(LiveRun& run);
  void stop_child(LiveRun& run, const engine::StopAttempt& action);
  void touch(LiveRun& run);
  void add_chunk(LiveRun& run, model::TaskIndex task, const LogChunk& chunk);
  void grant_places();

  // The commit.
  store::EngineBatch build_batch();
  void collect_rows(LiveRun& run, store::EngineBatch& batch);
  void collect_finished(LiveRun& run, store::EngineBatch& batch);
  void succeed(const store::CommitResult& result);
  void settle(LiveRun& run);
  void perform(LiveRun& run);
  TaskContext context_of(const LiveRun& run, model::TaskIndex task) const;
  void compute(LiveRun& run, const engine::Compute& action);
  void tell_parent(const store::LiveRunRow& child);
  void watch(LiveRun& run, Waiter waiter, base::Timestamp until);
  void answer_waiters(LiveRun& run);
  void expire_waiters(LiveRun& run);
  void drop_duplicate(LiveRun& run, const store::Duplicate& duplicate);
  void forget(base::RunId run);

  // When the store refuses, and after a restart.
  void fail(const base::Error& error);
  void refuse_commands(const base::Error& error);
  base::Result<> reload_runs();
  base::Result<> reload(base::RunId run);
  void resume(LiveRun& run);
  void hold_places(const LiveRun& run);
  base::Result<> abandon(LiveRun& run);
  base::Result<std::unique_ptr<LiveRun>> load(const store::StoredRun& stored);
  base::Result<std::unique_ptr<LiveRun>> fold_run(const store::StoredRun& stored,
                                                  std::shared_ptr<const model::Plan> plan);
  base::Result<> recover_rows(base::RunId id);
  void recover_run(LiveRun& run);
  base::Result<> fail_damaged(base::RunId id, const base::Error& error);
  void collect_children(const LiveRun& run);

  // Why does it wait?
  Explanation explain(const LiveRun& run) const;
  Reason explain_run_place(const LiveRun& run) const;
  std::optional<Reason> explain_task(const LiveRun& run, model::TaskIndex task) const;
  Reason explain_pending(const LiveRun& run, model::TaskIndex task, Reason reason) const;
  Reason explain_queued(const LiveRun& run, model::TaskIndex task, Reason reason) const;
  Reason explain_waiting(const LiveRun& run, model::TaskIndex task, Reason reason) const;
  std::vector<HolderOf> holders(const LiveRun& asking,
                                const std::vector<engine::Admission::Place>& places) const;

  store::EngineStore& store_;
  Executor& executor_;
  base::Clock& clock_;
  model::NodeCatalog catalog_;
  CommitObserver* observer_ = nullptr;
  base::RunIdSource ids_;
  engine::Admission admission_;
  Timers timers_;
  std::unordered_map<base::RunId, std::unique_ptr<LiveRun>> runs_;
  std::unique_ptr<Step> step_;  // the step under way
  // The messages of the step under way; of one whose commit failed, those to be applied again.
  std::vector<Message> retained_;
  std::deque<base::RunId> to_reload_;       // runs whose memory may be ahead of the store
  std::optional<base::Timestamp> wake_at_;  // when to step whatever the timers say
  bool holding_starts_ = false;
};

/// The step under way.
struct Shard::Step {
  base::Timestamp now;
  std::vector<LiveRun*> touched;
  std::vector<store::AuditRow> audit;
  // What commands are told once the commit is done; when it fails, they are told that instead.
  std::vector<std::pair<CommandReply, base::Result<>>> replies;
};

}  // namespace runtime
