// A shard owns runs: everything that happens to one is a message in its inbox or a timer. One step
// takes a batch of them, applies them, commits all rows in one transaction, and only then performs
// the actions and answers. Threadless: RunLoop drives it, and the simulator does.
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
#include "runtime/timers.h"

namespace runtime {

struct ShardOptions {
  std::size_t slots = 8;  // local processes at a time
  std::uint16_t node = 0;
};

class Shard {
 public:
  Shard(store::EngineStore& store, Executor& executor, base::Clock& clock,
        model::NodeCatalog catalog, ShardOptions options);
  ~Shard();

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
  std::size_t slots_held() const { return admission_.holders(); }
  std::size_t live_runs() const { return runs_.size(); }
  /// For the simulator's invariants.
  const engine::RunState* state_of(base::RunId run) const;
  const engine::Admission& admission() const { return admission_; }

 private:
  struct LiveRun;
  struct Step;

  void handle(CreateRun& message);
  void handle(CancelRun& message);
  void handle(WatchRun& message);
  void handle(const AttemptLog& message);
  void handle(const AttemptEnded& message);
  void fire(const Timers::Due& due);

  LiveRun* find(base::RunId run);
  void apply(LiveRun& run, const engine::Event& event);
  void follow_facts(LiveRun& run, std::size_t first);
  void take_actions(LiveRun& run);
  void touch(LiveRun& run);
  void add_chunk(LiveRun& run, model::TaskIndex task, const LogChunk& chunk);
  void grant_slots();
  void expire_waiters(LiveRun& run);

  store::EngineBatch build_batch();
  void collect_rows(LiveRun& run, store::EngineBatch& batch);
  void succeed(const store::CommitResult& result);
  void perform(LiveRun& run);
  void start(LiveRun& run, const engine::StartAttempt& action);
  void answer_waiters(LiveRun& run);
  void drop_duplicate(LiveRun& run, const store::Duplicate& duplicate);
  void fail(const base::Error& error);
  void refuse(const base::Error& error);
  base::Result<> reload_runs();
  base::Result<> reload(base::RunId run);
  void resume(LiveRun& run);
  base::Result<> abandon(LiveRun& run);
  base::Result<std::unique_ptr<LiveRun>> load(const store::StoredRun& stored);
  base::Result<std::unique_ptr<LiveRun>> fold_run(const store::StoredRun& stored,
                                                  std::shared_ptr<const model::Plan> plan);
  base::Result<> recover_run(base::RunId id);
  base::Result<> fail_damaged(base::RunId id, const base::Error& error);
  void watch(LiveRun& run, Waiter waiter, base::Timestamp until);
  void forget(base::RunId run);

  store::EngineStore& store_;
  Executor& executor_;
  base::Clock& clock_;
  model::NodeCatalog catalog_;
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

}  // namespace runtime
