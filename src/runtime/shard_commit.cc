// What a step writes, and what follows once that is durable.
#include <algorithm>

#include "base/limits.h"
#include "engine/fingerprint.h"
#include "engine/record.h"
#include "runtime/shard.h"

namespace runtime {

using base::RunId;
using model::TaskIndex;

namespace {

model::Value output_of(const engine::TaskState& task) {
  return task.status == model::TaskStatus::succeeded ? task.output : model::Value{};
}

}  // namespace

// ---- rows ----

store::EngineBatch Shard::build_batch() {
  store::EngineBatch batch;
  for (LiveRun* run : step_->touched) collect_rows(*run, batch);
  batch.audit = step_->audit;
  return batch;
}

void Shard::collect_rows(LiveRun& run, store::EngineBatch& batch) {
  bool status_changed = run.row.status != run.state.status;
  run.row.status = run.state.status;
  run.row.started_at = run.state.started_at;
  if (run.created) batch.created.emplace_back(run.row, run.key);
  for (const store::LogChunkRow& chunk : run.chunks) batch.logs.push_back(chunk);
  for (const store::CachedRow& row : run.cached) batch.cached.push_back(row);
  if (run.finish) return collect_finished(run, batch);
  for (const store::ApprovalRow& row : run.approvals_opened) batch.approvals_opened.push_back(row);
  for (TaskIndex task : run.approvals_closed) batch.approvals_closed.emplace_back(run.row.id, task);
  if (status_changed && !run.created)
    batch.statuses.push_back({run.row.id, run.row.status, run.row.started_at});
  if (run.decision.facts.empty()) return;
  store::JournalRow row{run.row.id, run.seq + 1, {}};
  engine::append_facts(row.facts, step_->now, run.decision.facts);
  batch.journal.push_back(std::move(row));
}

void Shard::collect_finished(LiveRun& run, store::EngineBatch& batch) {
  const engine::RunState& state = run.state;
  store::FinishedRunRow& row = batch.finished.emplace_back();
  row.run = run.row.id;
  row.status = state.status;
  row.started_at = state.started_at;
  row.finished_at = step_->now;
  row.failure = state.failure;
  row.task_chunks = engine::encode_tasks(state);
  row.journal_rows = run.journal_rows;
  row.had_approvals = run.had_approvals;
  if (state.status != model::RunStatus::failed) return;
  const model::Failure* failure = &*state.failure;
  if (state.first_failed && *failure == engine::failure_by(state, *state.first_failed)) {
    row.failed_task = state.planned(*state.first_failed).id;
    failure = &*state.tasks[*state.first_failed].failure;
  }
  row.fingerprint = engine::fingerprint(run.row.flow_name, row.failed_task, *failure);
}

// ---- once it is durable ----

void Shard::succeed(const store::CommitResult& result) {
  for (const store::Duplicate& duplicate : result.duplicates)
    drop_duplicate(*runs_.at(duplicate.run), duplicate);
  std::vector<LiveRun*> touched = std::move(step_->touched);
  for (LiveRun* run : touched) settle(*run);
  for (auto& [reply, told] : step_->replies) reply(std::move(told));
  for (Message& message : std::exchange(retained_, {})) {
    if (auto* watching = std::get_if<WatchRun>(&message); watching && watching->waiter)
      watching->waiter(nullptr);
    if (auto* asked = std::get_if<ExplainRun>(&message)) {
      const LiveRun* run = find(asked->run);
      asked->reply(run ? base::Result<Explanation>(explain(*run))
                       : base::not_found("the run does not live"));
    }
  }
}

void Shard::settle(LiveRun& run) {
  if (!run.decision.facts.empty()) ++run.journal_rows;
  bool has_news = !run.decision.facts.empty() || !run.chunks.empty();
  if (has_news) ++run.seq;
  if (observer_ != nullptr && (has_news || run.finish)) observer_->committed(run, step_->now);
  if (run.reply) run.reply(Created{run.row.id, false});
  perform(run);
  expire_waiters(run);
  bool finished = run.finish;
  run.begin_step();
  if (!finished) return;
  executor_.finished(run.row.id);
  tell_parent(run.row);
  forget(run.row.id);
}

void Shard::drop_duplicate(LiveRun& run, const store::Duplicate& duplicate) {
  std::erase(step_->touched, &run);
  if (duplicate.same_body) {
    run.reply(Created{duplicate.holder, true});
  } else {
    run.reply(store::key_reused());
  }
  forget(run.row.id);
  wake_at_ = step_->now;  // its places may be granted to others
}

void Shard::perform(LiveRun& run) {
  for (const engine::Action& action : run.decision.actions) {
    if (auto* a = std::get_if<engine::StartAttempt>(&action))
      executor_.start(
          {context_of(run, a->task), a->attempt, a->epoch, run.state.tasks[a->task].iteration});
    if (auto* a = std::get_if<engine::StopAttempt>(&action))
      executor_.stop(run.row.id, a->task, a->epoch);
    if (auto* a = std::get_if<engine::Compute>(&action)) compute(run, *a);
    if (std::holds_alternative<engine::AnnounceRun>(action)) answer_waiters(run);
  }
}

TaskContext Shard::context_of(const LiveRun& run, TaskIndex task) const {
  const engine::TaskState& state = run.state.tasks[task];
  TaskContext context;
  context.run = run.row.id;
  context.org_id = run.row.org_id;
  context.plan = run.state.plan;
  context.task = task;
  context.planned = state.planned;
  context.map_index = state.map_index;
  context.trigger_type = run.row.trigger_type;
  context.created_at = run.row.created_at;
  context.created_by = run.row.created_by;
  context.depth = run.row.depth;
  context.run_priority = run.row.priority;
  context.environment_id = run.row.environment_id;
  context.execution_mode = run.row.execution_mode;
  context.parameters = run.row.parameters;
  for (TaskIndex source : run.state.planned(task).reads)
    context.outputs.push_back(output_of(run.state.tasks[source]));
  if (state.iteration > 0) context.previous = state.output;
  context.run_status = run.state.status;
  context.run_failure = run.state.failure;
  return context;
}

void Shard::compute(LiveRun& run, const engine::Compute& action) {
  ComputeStart start{context_of(run, action.task), action.what, {}};
  if (action.what == engine::Compute::What::gathering) {
    const engine::Elements& elements = run.state.elements.at(action.task);
    for (TaskIndex i = elements.first; i < elements.first + elements.count; ++i)
      start.elements.push_back(output_of(run.state.tasks[i]));
  }
  executor_.compute(std::move(start));
}

// The end of a sub-flow is the end of its parent's attempt.
void Shard::tell_parent(const store::LiveRunRow& child) {
  if (!child.parent) return;
  LiveRun* parent = find(*child.parent);
  if (parent == nullptr || parent->state.live_child_of(child.parent_task) != child.id) return;
  executor_.collect({child.org_id, *child.parent, child.parent_task,
                     parent->state.tasks[child.parent_task].epoch, child.id,
                     context_of(*parent, child.parent_task)});
}

void Shard::watch(LiveRun& run, Waiter waiter, base::Timestamp until) {
  run.waiters.emplace_back(until, std::move(waiter));
  timers_.set(until, {run.row.id, std::nullopt});
}

void Shard::answer_waiters(LiveRun& run) {
  RunSnapshot snapshot{run.row, run.state};
  for (auto& [until, waiter] : std::exchange(run.waiters, {})) waiter(&snapshot);
}

void Shard::answer_all_waiters() {
  for (auto& [id, run] : runs_) answer_waiters(*run);
}

void Shard::expire_waiters(LiveRun& run) {
  auto late = std::partition(run.waiters.begin(), run.waiters.end(),
                             [&](const auto& each) { return each.first > step_->now; });
  RunSnapshot snapshot{run.row, run.state};
  for (auto it = late; it != run.waiters.end(); ++it) it->second(&snapshot);
  run.waiters.erase(late, run.waiters.end());
}

void Shard::forget(RunId id) {
  timers_.forget(id);
  auto found = runs_.find(id);
  const engine::RunState& state = found->second->state;
  admission_.release({id, engine::Admission::whole_run});
  if (state.active > 0)
    for (TaskIndex i = 0; i < state.tasks.size(); ++i) admission_.release({id, i});
  runs_.erase(found);
}

}  // namespace runtime
