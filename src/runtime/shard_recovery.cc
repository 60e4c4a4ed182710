// What a shard does when the store refuses a commit, and when its server starts anew.
#include <algorithm>

#include "base/limits.h"
#include "base/log.h"
#include "runtime/shard.h"

namespace runtime {

using base::RunId;
using engine::Admission;
using model::TaskIndex;

// ---- when the store refuses ----

// Memory is ahead of the store now. New runs are given up, all others are read back, and what their
// attempts reported is applied again later.
void Shard::fail(const base::Error& error) {
  base::log_error("engine commit failed", {{"error", error.message}});
  for (LiveRun* run : std::exchange(step_->touched, {})) {
    if (run->created) {
      if (run->reply) run->reply(error);
      forget(run->row.id);
    } else {
      to_reload_.push_back(run->row.id);
    }
  }
  refuse_commands(error);
  using namespace std::chrono_literals;
  wake_at_ = step_->now + 100ms;
}

// Keeps the reports and waiters among the step's messages; commands that have not been answered yet
// are refused.
void Shard::refuse_commands(const base::Error& error) {
  for (auto& [reply, told] : step_->replies) reply(error);
  std::erase_if(retained_, [&](Message& message) {
    auto* watching = std::get_if<WatchRun>(&message);
    return refuse(message, error) || (watching && !watching->waiter);
  });
}

base::Result<> Shard::reload_runs() {
  while (!to_reload_.empty()) {
    TRY(reload(to_reload_.front()));
    to_reload_.pop_front();
  }
  return {};
}

base::Result<> Shard::reload(RunId id) {
  auto found = runs_.find(id);
  if (found == runs_.end()) return {};
  std::optional<store::StoredRun> stored = TRY(store_.load_run(id));
  if (!stored) return abandon(*found->second);  // the commit that failed had ended it after all
  base::Result<std::unique_ptr<LiveRun>> fresh = fold_run(*stored, found->second->state.plan);
  if (!fresh) {
    TRY(fail_damaged(id, fresh.error()));
    return abandon(*found->second);
  }
  (*fresh)->waiters = std::move(found->second->waiters);
  timers_.forget(id);
  admission_.release({id, Admission::whole_run});
  std::size_t tasks = std::max(found->second->state.tasks.size(), (*fresh)->state.tasks.size());
  for (TaskIndex i = 0; i < tasks; ++i) admission_.release({id, i});
  found->second = std::move(*fresh);
  resume(*found->second);
  return {};
}

// Takes up a run that was read back while its attempts go on.
void Shard::resume(LiveRun& run) {
  hold_places(run);
  engine::rearm(run.state, run.decision.actions);
  take_actions(run);
  for (const engine::Action& action : run.decision.actions)
    if (auto* a = std::get_if<engine::Compute>(&action)) compute(run, *a);
  run.begin_step();
  for (const auto& [until, waiter] : run.waiters) timers_.set(until, {run.row.id, std::nullopt});
}

// The places that a run's state says it has or waits for.
void Shard::hold_places(const LiveRun& run) {
  for (TaskIndex i = 0; i < run.state.tasks.size(); ++i)
    if (run.state.tasks[i].live && run.needs_admission(i)) admission_.hold(run.request_for(i));
  if (run.row.concurrency_key.empty()) return;
  if (run.state.started_at) admission_.hold(run.request_for_run());
  if (run.state.status == model::RunStatus::queued) admission_.request(run.request_for_run());
}

// Lets go of a run that the store no longer has.
base::Result<> Shard::abandon(LiveRun& run) {
  for (TaskIndex i = 0; i < run.state.tasks.size(); ++i)
    if (run.state.tasks[i].live) executor_.stop(run.row.id, i, run.state.tasks[i].epoch);
  for (auto& [until, waiter] : std::exchange(run.waiters, {})) waiter(nullptr);
  tell_parent(run.row);
  forget(run.row.id);
  return {};
}

// ---- recovery ----

base::Result<std::unique_ptr<LiveRun>> Shard::load(const store::StoredRun& stored) {
  store::StoredSpec spec =
      TRY(store_.load_spec(stored.run.org_id, stored.run.flow_name, stored.run.flow_version));
  auto plan = TRY(model::load_plan(std::move(spec.json), stored.run.flow_version, catalog_,
                                   std::move(spec.artifact)));
  return fold_run(stored, std::move(plan));
}

base::Result<std::unique_ptr<LiveRun>> Shard::fold_run(const store::StoredRun& stored,
                                                       std::shared_ptr<const model::Plan> plan) {
  auto run = std::make_unique<LiveRun>(stored.run, std::move(plan));
  TRY(engine::fold_rows(run->state, stored.journal));
  run->seq = stored.last_seq;
  run->journal_rows = static_cast<std::int64_t>(stored.journal.size());
  run->had_approvals = true;  // perhaps
  return run;
}

// First everything that lives is read, so that nothing is granted that another run still holds;
// then the runs go on, many in one commit, the youngest first: a sub-flow has found its attempts
// lost before its parent ends it.
base::Result<> Shard::recover() {
  if (std::optional<RunId> last = TRY(store_.last_run())) ids_.advance_past(*last);
  std::vector<RunId> live = TRY(store_.live_runs());
  std::sort(live.begin(), live.end(), std::greater<>());
  for (RunId id : live) TRY(recover_rows(id));
  std::size_t next = 0;
  while (next < live.size()) {
    step_ = std::make_unique<Step>();
    step_->now = clock_.now();
    for (; next < live.size() && step_->touched.size() < base::limits::recovered_runs_max; ++next)
      if (LiveRun* run = find(live[next])) recover_run(*run);
    if (next == live.size()) grant_places();
    store::EngineBatch batch = build_batch();
    if (!batch.empty()) TRY(store_.commit(batch));
    succeed({});
  }
  for (const auto& [id, run] : runs_) collect_children(*run);
  if (!live.empty()) base::log_info("recovered live runs", {{"runs", live.size()}});
  return {};
}

base::Result<> Shard::recover_rows(RunId id) {
  std::optional<store::StoredRun> stored = TRY(store_.load_run(id));
  if (!stored) return {};
  base::Result<std::unique_ptr<LiveRun>> loaded = load(*stored);
  if (!loaded && loaded.error().code == base::ErrorCode::unavailable) return loaded.error();
  if (!loaded) return fail_damaged(id, loaded.error());
  runs_.emplace(id, std::move(*loaded));
  return {};
}

// Attempts went down with the server, but for those that are runs: they hold what they held.
void Shard::recover_run(LiveRun& run) {
  for (TaskIndex i = 0; i < run.state.tasks.size(); ++i)
    if (run.state.live_child_of(i) && run.needs_admission(i)) admission_.hold(run.request_for(i));
  bool has_begun = run.state.started_at.has_value();
  bool is_limited = !run.row.concurrency_key.empty();
  if (has_begun && is_limited) admission_.hold(run.request_for_run());
  apply(run, engine::Recovered{});
  if (run.state.status == model::RunStatus::queued) admit(run);
}

// Sub-flows that ended without their parent hearing of it.
void Shard::collect_children(const LiveRun& run) {
  for (const auto& [task, child] : run.state.children)
    if (run.state.live_child_of(task) && !runs_.contains(child))
      executor_.collect({run.row.org_id, run.row.id, task, run.state.tasks[task].epoch, child,
                         context_of(run, task)});
}

base::Result<> Shard::fail_damaged(RunId id, const base::Error& error) {
  base::log_error("a live run cannot be read and fails",
                  {{"run_id", to_string(id)}, {"error", error.message}});
  store::EngineBatch batch;
  store::FinishedRunRow& row = batch.finished.emplace_back();
  row.run = id;
  row.status = model::RunStatus::failed;
  row.finished_at = clock_.now();
  row.failure = model::Failure{"damaged", error.message};
  row.task_chunks = {"[]"};
  row.had_approvals = true;  // perhaps
  TRY(store_.commit(batch));
  return {};
}

}  // namespace runtime
