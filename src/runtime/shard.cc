#include "runtime/shard.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "engine/record.h"

namespace runtime {

using base::RunId;
using engine::Fact;
using model::TaskIndex;

struct Shard::LiveRun {
  LiveRun(store::LiveRunRow row_of_run, std::shared_ptr<const model::Plan> plan)
      : row(std::move(row_of_run)), state(row.id, std::move(plan)) {}

  store::LiveRunRow row;
  engine::RunState state;
  std::int64_t seq = 0;  // of the last commit that was the run's
  std::int64_t journal_rows = 0;
  std::vector<std::pair<base::Timestamp, Waiter>> waiters;

  // The present step's part.
  bool touched = false;
  bool finish = false;
  bool created = false;
  std::optional<store::IdempotencyRow> key;
  CreateReply reply;
  engine::Decision decision;
  std::size_t actions_taken = 0;
  std::vector<store::LogChunkRow> chunks;

  void begin_step() {
    touched = finish = created = false;
    key.reset();
    reply = nullptr;
    decision.facts.clear();
    decision.actions.clear();
    actions_taken = 0;
    chunks.clear();
  }
};

struct Shard::Step {
  base::Timestamp now;
  std::vector<LiveRun*> touched;
  std::vector<store::AuditRow> audit;
  // What commands are told once the commit is done; when it fails, they are told that instead.
  std::vector<std::pair<CommandReply, base::Result<>>> replies;
};

Shard::Shard(store::EngineStore& store, Executor& executor, base::Clock& clock,
             model::NodeCatalog catalog, ShardOptions options)
    : store_(store),
      executor_(executor),
      clock_(clock),
      catalog_(catalog),
      ids_(options.node),
      admission_(options.slots) {}

Shard::~Shard() = default;

// ---- messages ----

void Shard::handle(CreateRun& message) {
  if (runs_.size() >= base::limits::live_runs_max)
    return std::exchange(message.reply, nullptr)(base::unavailable("too many live runs"));
  RunId id = ids_.next(step_->now);
  message.run.id = id;
  message.run.created_at = step_->now;
  auto owned = std::make_unique<LiveRun>(std::move(message.run), std::move(message.plan));
  LiveRun& run = *runs_.emplace(id, std::move(owned)).first->second;
  touch(run);
  run.created = true;
  run.key = std::move(message.key);
  if (run.key) {
    run.key->run = id;
    run.key->created_at = step_->now;
  }
  run.reply = std::move(message.reply);
  if (message.waiter) watch(run, std::move(message.waiter), message.wait_until);
  apply(run, engine::Begin{});
}

void Shard::handle(CancelRun& message) {
  LiveRun* run = find(message.run);
  base::Result<> result;
  if (run == nullptr) {
    result = base::not_found("the run does not live");
  } else if (model::is_final(run->state.status)) {
    result = base::conflict("the run is already final");
  } else {
    step_->audit.push_back(std::move(message.audit));
    apply(*run, engine::CancelRequested{std::move(message.reason)});
  }
  step_->replies.emplace_back(std::exchange(message.reply, nullptr), std::move(result));
}

// A waiter that stays in its message is sent to the store when the commit is done: only then does
// the store know of the end.
void Shard::handle(WatchRun& message) {
  LiveRun* run = find(message.run);
  if (run != nullptr && !model::is_final(run->state.status))
    watch(*run, std::exchange(message.waiter, nullptr), message.wait_until);
}

void Shard::handle(const AttemptLog& message) {
  LiveRun* run = find(message.run);
  if (run == nullptr) return;
  const engine::TaskState& task = run->state.tasks[message.task];
  if (task.live && task.epoch == message.epoch) add_chunk(*run, message.task, message.chunk);
}

void Shard::handle(const AttemptEnded& message) {
  LiveRun* run = find(message.run);
  if (run == nullptr) return;
  const engine::AttemptReport& report = message.report;
  const engine::TaskState& task = run->state.tasks[report.task];
  if (!task.live || task.epoch != report.epoch) return;
  for (const LogChunk& chunk : message.last_chunks) add_chunk(*run, report.task, chunk);
  apply(*run, report);
}

void Shard::fire(const Timers::Due& due) {
  LiveRun* run = find(due.run);
  if (run == nullptr) return;
  touch(*run);  // waiters whose time is up are answered after the commit
  if (due.fired) apply(*run, *due.fired);
}

// ---- one step ----

void Shard::step(std::vector<Message> messages) {
  step_ = std::make_unique<Step>();
  step_->now = clock_.now();
  std::vector<Message> all = std::exchange(retained_, {});
  all.insert(all.end(), std::make_move_iterator(messages.begin()),
             std::make_move_iterator(messages.end()));
  wake_at_.reset();
  retained_ = std::move(all);  // fail() keeps its reports and waiters, refuses its commands
  if (base::Result<> reloaded = reload_runs(); !reloaded) return fail(reloaded.error());

  for (Message& message : retained_) std::visit([this](auto& each) { handle(each); }, message);
  for (const Timers::Due& due : timers_.take_due(step_->now, base::limits::batch_events_max))
    fire(due);
  grant_slots();

  store::EngineBatch batch = build_batch();
  if (batch.empty()) return succeed({});
  base::Result<store::CommitResult> committed = store_.commit(batch);
  if (!committed) return fail(committed.error());
  succeed(*committed);
}

Shard::LiveRun* Shard::find(RunId id) {
  auto found = runs_.find(id);
  return found == runs_.end() || found->second->finish ? nullptr : found->second.get();
}

void Shard::touch(LiveRun& run) {
  if (run.touched) return;
  run.touched = true;
  step_->touched.push_back(&run);
}

void Shard::apply(LiveRun& run, const engine::Event& event) {
  touch(run);
  std::size_t facts_before = run.decision.facts.size();
  engine::apply(run.state, event, step_->now, run.decision);
  follow_facts(run, facts_before);
  take_actions(run);
}

// A slot is free as soon as its attempt lives no more.
void Shard::follow_facts(LiveRun& run, std::size_t first) {
  for (std::size_t i = first; i < run.decision.facts.size(); ++i) {
    const Fact& fact = run.decision.facts[i];
    std::optional<TaskIndex> freed;
    if (auto* f = std::get_if<engine::AttemptSucceeded>(&fact)) freed = f->task;
    if (auto* f = std::get_if<engine::AttemptFailed>(&fact); f && !f->stopping) freed = f->task;
    if (auto* f = std::get_if<engine::AttemptGone>(&fact)) freed = f->task;
    if (auto* f = std::get_if<engine::AttemptLost>(&fact)) freed = f->task;
    if (freed && run.state.plan->tasks[*freed].type->needs_slot)
      admission_.release({run.row.id, *freed});
  }
}

// Actions inside this process follow at once; those with effects outside wait for the commit.
void Shard::take_actions(LiveRun& run) {
  auto& actions = run.decision.actions;
  for (; run.actions_taken < actions.size(); ++run.actions_taken) {
    const engine::Action& action = actions[run.actions_taken];
    if (auto* a = std::get_if<engine::RequestSlot>(&action))
      admission_.request({run.row.id, a->task});
    if (auto* a = std::get_if<engine::WithdrawSlot>(&action))
      admission_.release({run.row.id, a->task});
    if (auto* a = std::get_if<engine::SetTimer>(&action))
      timers_.set(a->at, {run.row.id, a->timer});
    if (std::holds_alternative<engine::FinishRun>(action)) run.finish = true;
  }
}

void Shard::grant_slots() {
  while (!holding_starts_) {
    std::optional<engine::Admission::Place> place = admission_.grant();
    if (!place) return;
    LiveRun* run = find(place->run);
    CHECK(run != nullptr);
    apply(*run, engine::SlotGranted{place->task});
  }
}

void Shard::add_chunk(LiveRun& run, TaskIndex task, const LogChunk& chunk) {
  touch(run);
  int first_line = run.chunks.empty() ? 0 : run.chunks.back().first_line + run.chunks.back().lines;
  run.chunks.push_back({run.row.id, run.seq + 1, first_line, task, run.state.tasks[task].attempt,
                        chunk.lines, chunk.compressed});
}

// ---- the commit ----

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
  for (store::LogChunkRow& chunk : run.chunks) batch.logs.push_back(std::move(chunk));
  if (run.finish) {
    batch.finished.push_back({run.row.id, run.state.status, run.state.started_at, step_->now,
                              run.state.failure, engine::encode_tasks(run.state),
                              run.journal_rows});
    return;
  }
  if (status_changed && !run.created)
    batch.statuses.push_back({run.row.id, run.row.status, run.row.started_at});
  if (run.decision.facts.empty()) return;
  store::JournalRow row{run.row.id, run.seq + 1, {}};
  engine::append_facts(row.facts, step_->now, run.decision.facts);
  batch.journal.push_back(std::move(row));
}

void Shard::succeed(const store::CommitResult& result) {
  for (const store::Duplicate& duplicate : result.duplicates)
    drop_duplicate(*runs_.at(duplicate.run), duplicate);
  std::vector<LiveRun*> touched = std::move(step_->touched);
  for (LiveRun* run : touched) {
    if (!run->decision.facts.empty()) ++run->journal_rows;
    if (!run->decision.facts.empty() || !run->chunks.empty()) ++run->seq;
    if (run->reply) run->reply(Created{run->row.id, false});
    perform(*run);
    expire_waiters(*run);
    bool finished = run->finish;
    RunId id = run->row.id;
    run->begin_step();
    if (finished) {
      executor_.finished(id);
      forget(id);
    }
  }
  for (auto& [reply, told] : step_->replies) reply(std::move(told));
  for (Message& message : std::exchange(retained_, {}))
    if (auto* watching = std::get_if<WatchRun>(&message); watching && watching->waiter)
      watching->waiter(nullptr);
}

void Shard::drop_duplicate(LiveRun& run, const store::Duplicate& duplicate) {
  std::erase(step_->touched, &run);
  if (duplicate.same_body) {
    run.reply(Created{duplicate.holder, true});
  } else {
    run.reply(store::key_reused());
  }
  forget(run.row.id);
  wake_at_ = step_->now;  // its slots may be granted to others
}

void Shard::perform(LiveRun& run) {
  for (const engine::Action& action : run.decision.actions) {
    if (auto* a = std::get_if<engine::StartAttempt>(&action)) start(run, *a);
    if (auto* a = std::get_if<engine::StopAttempt>(&action))
      executor_.stop(run.row.id, a->task, a->epoch);
    if (std::holds_alternative<engine::AnnounceRun>(action)) answer_waiters(run);
  }
}

void Shard::start(LiveRun& run, const engine::StartAttempt& action) {
  AttemptStart attempt{run.row.id,     run.row.org_id, run.state.plan,     action.task,
                       action.attempt, action.epoch,   run.row.parameters, {}};
  for (const model::PlannedInput& input : run.state.plan->tasks[action.task].inputs)
    for (TaskIndex source : input.sources)
      attempt.sources.push_back(run.state.tasks[source].output);
  executor_.start(std::move(attempt));
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
  if (state.active > 0)
    for (TaskIndex i = 0; i < state.tasks.size(); ++i) admission_.release({id, i});
  runs_.erase(found);
}

// ---- when the store refuses ----

// Memory is ahead of the store now. New runs are given up, all others are read back, and what their
// attempts reported is applied again later.
void Shard::fail(const base::Error& error) {
  base::log_error("engine commit failed", {{"error", error.message}});
  for (LiveRun* run : std::exchange(step_->touched, {})) {
    if (run->created) {
      run->reply(error);
      forget(run->row.id);
    } else {
      to_reload_.push_back(run->row.id);
    }
  }
  refuse(error);
  using namespace std::chrono_literals;
  wake_at_ = step_->now + 100ms;
}

// Keeps the reports and waiters among the step's messages; commands that have not been answered yet
// are refused.
void Shard::refuse(const base::Error& error) {
  for (auto& [reply, told] : step_->replies) reply(error);
  for (Message& message : retained_) {
    if (auto* create = std::get_if<CreateRun>(&message); create && create->reply)
      create->reply(error);
    if (auto* cancel = std::get_if<CancelRun>(&message); cancel && cancel->reply)
      cancel->reply(error);
  }
  std::erase_if(retained_, [](const Message& message) {
    auto* watching = std::get_if<WatchRun>(&message);
    return std::holds_alternative<CreateRun>(message) ||
           std::holds_alternative<CancelRun>(message) || (watching && !watching->waiter);
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
  for (TaskIndex i = 0; i < (*fresh)->state.tasks.size(); ++i) admission_.release({id, i});
  found->second = std::move(*fresh);
  resume(*found->second);
  return {};
}

// Takes up a run that was read back while its attempts go on.
void Shard::resume(LiveRun& run) {
  RunId id = run.row.id;
  for (TaskIndex i = 0; i < run.state.tasks.size(); ++i)
    if (run.state.tasks[i].live && run.state.plan->tasks[i].type->needs_slot)
      admission_.hold({id, i});
  engine::rearm(run.state, run.decision.actions);
  take_actions(run);
  run.begin_step();
  for (const auto& [until, waiter] : run.waiters) timers_.set(until, {id, std::nullopt});
}

// Lets go of a run that the store no longer has.
base::Result<> Shard::abandon(LiveRun& run) {
  for (TaskIndex i = 0; i < run.state.tasks.size(); ++i)
    if (run.state.tasks[i].live) executor_.stop(run.row.id, i, run.state.tasks[i].epoch);
  for (auto& [until, waiter] : std::exchange(run.waiters, {})) waiter(nullptr);
  forget(run.row.id);
  return {};
}

// ---- recovery ----

base::Result<std::unique_ptr<Shard::LiveRun>> Shard::load(const store::StoredRun& stored) {
  std::string spec =
      TRY(store_.load_spec(stored.run.org_id, stored.run.flow_name, stored.run.flow_version));
  auto plan = TRY(model::load_plan(std::move(spec), stored.run.flow_version, catalog_));
  return fold_run(stored, std::move(plan));
}

base::Result<std::unique_ptr<Shard::LiveRun>> Shard::fold_run(
    const store::StoredRun& stored, std::shared_ptr<const model::Plan> plan) {
  auto run = std::make_unique<LiveRun>(stored.run, std::move(plan));
  TRY(engine::fold_rows(run->state, stored.journal));
  run->seq = stored.last_seq;
  run->journal_rows = static_cast<std::int64_t>(stored.journal.size());
  return run;
}

base::Result<> Shard::recover() {
  if (std::optional<RunId> last = TRY(store_.last_run())) ids_.advance_past(*last);
  std::vector<RunId> live = TRY(store_.live_runs());
  for (RunId id : live) TRY(recover_run(id));
  if (!live.empty()) base::log_info("recovered live runs", {{"runs", live.size()}});
  return {};
}

base::Result<> Shard::recover_run(RunId id) {
  std::optional<store::StoredRun> stored = TRY(store_.load_run(id));
  if (!stored) return {};
  base::Result<std::unique_ptr<LiveRun>> loaded = load(*stored);
  if (!loaded && loaded.error().code == base::ErrorCode::unavailable) return loaded.error();
  if (!loaded) return fail_damaged(id, loaded.error());
  LiveRun& run = *runs_.emplace(id, std::move(*loaded)).first->second;
  step_ = std::make_unique<Step>();
  step_->now = clock_.now();
  apply(run, engine::Recovered{});
  grant_slots();
  store::EngineBatch batch = build_batch();
  if (!batch.empty()) TRY(store_.commit(batch));
  succeed({});
  return {};
}

base::Result<> Shard::fail_damaged(RunId id, const base::Error& error) {
  base::log_error("a live run cannot be read and fails",
                  {{"run_id", to_string(id)}, {"error", error.message}});
  store::EngineBatch batch;
  model::Failure failure{"damaged", error.message};
  batch.finished.push_back(
      {id, model::RunStatus::failed, std::nullopt, clock_.now(), failure, {"[]"}, 0});
  TRY(store_.commit(batch));
  return {};
}

// While the store refuses, timers that are due wait with everything else.
std::optional<base::Timestamp> Shard::next_wake() const {
  return wake_at_ ? wake_at_ : timers_.next();
}

const engine::RunState* Shard::state_of(RunId id) const {
  auto found = runs_.find(id);
  return found == runs_.end() ? nullptr : &found->second->state;
}

}  // namespace runtime
