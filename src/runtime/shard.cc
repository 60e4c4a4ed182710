#include "runtime/shard.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"

namespace runtime {

using base::RunId;
using engine::Admission;
using model::TaskIndex;

Shard::Shard(store::EngineStore& store, Executor& executor, base::Clock& clock,
             model::NodeCatalog catalog, ShardOptions options)
    : store_(store),
      executor_(executor),
      clock_(clock),
      catalog_(catalog),
      ids_(options.node),
      admission_(options.slots) {}

Shard::~Shard() = default;

namespace {

// Whether the run's state allows the command.
base::Result<> check_control(const engine::RunState& run, const engine::Event& event) {
  if (auto* decision = std::get_if<engine::ApprovalDecided>(&event)) {
    bool waits = decision->task < run.tasks.size() &&
                 run.tasks[decision->task].status == model::TaskStatus::waiting &&
                 run.planned(decision->task).type->kind == model::NodeKind::approval;
    if (!waits) return base::conflict("the task does not wait for an approval");
    return {};
  }
  if (model::is_final(run.status)) return base::conflict("the run is already final");
  if (std::holds_alternative<engine::PauseRequested>(event) && run.is_paused())
    return base::conflict("the run is already paused");
  if (std::holds_alternative<engine::ResumeRequested>(event) && !run.is_paused())
    return base::conflict("the run is not paused");
  return {};
}

}  // namespace

// ---- new runs ----

void Shard::handle(CreateRun& message) {
  if (std::optional<base::Result<Created>> answer = turn_away(message)) {
    auto reply = [kept = std::exchange(message.reply, nullptr), answer](base::Result<> committed) {
      kept(committed ? *answer : base::Result<Created>(committed.error()));
    };
    step_->replies.emplace_back(std::move(reply), base::Result<>());
    return;
  }
  LiveRun& run = create(std::move(message.run), std::move(message.plan));
  run.key = std::move(message.key);
  if (run.key) {
    run.key->run = run.row.id;
    run.key->created_at = step_->now;
  }
  run.reply = std::move(message.reply);
  if (message.waiter) watch(run, std::move(message.waiter), message.wait_until);
  if (!message.reused.empty()) apply(run, engine::Reuse{std::move(message.reused)});
  admit(run);
}

// The answer to a run that is not created. Where others may have to make room for it, its key is
// looked up first: a repeat must not end the run that it repeats.
std::optional<base::Result<Created>> Shard::turn_away(CreateRun& message) {
  const model::Plan& plan = *message.plan;
  bool has_policy =
      plan.concurrency_limit && plan.concurrency_policy != model::ConcurrencyPolicy::queue;
  if (message.key && has_policy) {
    message.key->created_at = step_->now;
    base::Result<std::optional<store::Duplicate>> holder = find_key(*message.key);
    if (!holder) return holder.error();
    if (*holder && !(*holder)->same_body) return store::key_reused();
    if (*holder) return Created{(*holder)->holder, true};
  }
  if (base::Result<> room = make_room(message.run, plan); !room) return room.error();
  return std::nullopt;
}

// In the store, or among the runs of this step.
base::Result<std::optional<store::Duplicate>> Shard::find_key(const store::IdempotencyRow& key) {
  std::optional<store::Duplicate> holder = TRY(store_.find_key(key));
  if (holder) return holder;
  auto scope = [](const store::IdempotencyRow& row) {
    return std::tie(row.org_id, row.principal, row.route, row.key);
  };
  for (const LiveRun* run : step_->touched)
    if (run->key && scope(*run->key) == scope(key))
      return std::optional(store::Duplicate{{}, run->row.id, run->key->body_hash == key.body_hash});
  return holder;
}

// The attempt of a sub-flow turns into a run: both, or nothing, are committed.
void Shard::handle(const StartChild& message) {
  LiveRun* parent = find_attempt(message.run, message.task, message.epoch);
  if (parent == nullptr || parent->state.live_child_of(message.task)) return;
  auto report = [&](bool succeeded, model::Value output, model::Failure failure) {
    apply(*parent, engine::AttemptReport{message.task, message.epoch, succeeded, std::move(output),
                                         std::move(failure)});
  };
  auto is_stopping = [&] { return parent->state.tasks[message.task].stopping; };
  if (is_stopping()) return report(false, {}, {"cancelled", ""});
  if (base::Result<> room = make_room(message.child, *message.plan); !room)
    return report(false, {}, {"concurrency_limit", room.error().message});
  if (is_stopping()) return report(false, {}, {"cancelled", ""});  // it made room for its child
  LiveRun& child = create(message.child, message.plan);
  RunId id = child.row.id;
  apply(*parent, engine::ChildCreated{message.task, message.epoch, id});
  admit(child);
  if (!message.waits)
    report(true, model::Value::inline_json(fmt::format(R"({{"run_id":"{}"}})", to_string(id))), {});
}

// The flow's concurrency_policy may refuse a run, or cancel older ones for it.
base::Result<> Shard::make_room(const store::LiveRunRow& row, const model::Plan& plan) {
  if (runs_.size() >= base::limits::live_runs_max) return base::unavailable("too many live runs");
  if (!plan.concurrency_limit || plan.concurrency_policy == model::ConcurrencyPolicy::queue)
    return {};
  std::vector<Admission::Place> places = admission_.key_places(row.concurrency_key);
  std::size_t limit = *plan.concurrency_limit;
  if (places.size() < limit) return {};
  if (plan.concurrency_policy == model::ConcurrencyPolicy::skip)
    return base::conflict(
        fmt::format("the flow allows {} runs at a time and its concurrency_policy is skip", limit));
  std::size_t excess = places.size() + 1 - limit;
  for (const Admission::Place& place : places) {
    LiveRun* older = find(place.run);
    if (excess == 0) break;
    --excess;
    if (older != nullptr) apply(*older, engine::CancelRequested{"a newer run took its place"});
  }
  return {};
}

LiveRun& Shard::create(store::LiveRunRow row, std::shared_ptr<const model::Plan> plan) {
  row.id = ids_.next(step_->now);
  row.created_at = step_->now;
  RunId id = row.id;
  auto owned = std::make_unique<LiveRun>(std::move(row), std::move(plan));
  LiveRun& run = *runs_.emplace(id, std::move(owned)).first->second;
  touch(run);
  run.created = true;
  return run;
}

// A run begins at once, or when its flow's limit lets it.
void Shard::admit(LiveRun& run) {
  if (run.row.concurrency_key.empty()) return apply(run, engine::Begin{});
  admission_.request(run.request_for_run());
}

// ---- commands and reports ----

void Shard::handle(ControlRun& message) {
  LiveRun* run = find(message.run);
  base::Result<> result = run == nullptr ? base::Result<>(base::not_found("the run does not live"))
                                         : check_control(run->state, message.event);
  if (result) {
    step_->audit.push_back(message.audit);
    bool has_begun = run->state.started_at.has_value();
    if (std::holds_alternative<engine::PauseRequested>(message.event) && !has_begun)
      admission_.release({run->row.id, Admission::whole_run});
    apply(*run, message.event);
    if (std::holds_alternative<engine::ResumeRequested>(message.event) && !has_begun) admit(*run);
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

void Shard::handle(const TaskComputed& message) {
  LiveRun* run = find(message.run);
  if (run == nullptr || message.computed.task >= run->state.tasks.size()) return;
  auto is_waiting = [&] {
    return run->state.tasks[message.computed.task].status == model::TaskStatus::waiting;
  };
  bool was_waiting = is_waiting();
  apply(*run, message.computed);
  if (!message.approval || was_waiting || !is_waiting()) return;
  store::ApprovalRow& row = run->approvals_opened.emplace_back(*message.approval);
  row.created_at = step_->now;
  run->had_approvals = true;
}

void Shard::handle(const AttemptLog& message) {
  if (LiveRun* run = find_attempt(message.run, message.task, message.epoch))
    add_chunk(*run, message.task, message.chunk);
}

void Shard::handle(const AttemptEnded& message) {
  const engine::AttemptReport& report = message.report;
  LiveRun* run = find_attempt(message.run, report.task, report.epoch);
  if (run == nullptr) return;
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
  grant_places();

  store::EngineBatch batch = build_batch();
  if (batch.empty()) return succeed({});
  base::Result<store::CommitResult> committed = store_.commit(batch);
  if (!committed) return fail(committed.error());
  succeed(*committed);
}

LiveRun* Shard::find(RunId id) {
  auto found = runs_.find(id);
  return found == runs_.end() || found->second->finish ? nullptr : found->second.get();
}

// The run, if that attempt of it exists.
LiveRun* Shard::find_attempt(RunId id, TaskIndex task, int epoch) {
  LiveRun* run = find(id);
  if (run == nullptr || task >= run->state.tasks.size()) return nullptr;
  const engine::TaskState& state = run->state.tasks[task];
  return state.live && state.epoch == epoch ? run : nullptr;
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
  for (std::size_t i = facts_before; i < run.decision.facts.size(); ++i)
    follow_fact(run, run.decision.facts[i]);
  take_actions(run);
}

void Shard::follow_fact(LiveRun& run, const engine::Fact& fact) {
  // A place is free as soon as its attempt lives no more.
  auto freed = [&](TaskIndex task) {
    if (run.needs_admission(task)) admission_.release({run.row.id, task});
  };
  if (auto* f = std::get_if<engine::AttemptSucceeded>(&fact)) {
    freed(f->task);
    cache_output(run, *f);
  } else if (auto* f = std::get_if<engine::IterationEnded>(&fact)) {
    freed(f->task);
  } else if (auto* f = std::get_if<engine::AttemptFailed>(&fact)) {
    if (!f->stopping) freed(f->task);
  } else if (auto* f = std::get_if<engine::AttemptGone>(&fact)) {
    freed(f->task);
  } else if (auto* f = std::get_if<engine::AttemptLost>(&fact)) {
    freed(f->task);
  } else if (std::holds_alternative<engine::RunDecided>(fact)) {
    // A run that is given up before it began wants its place no more; any other keeps it.
    if (!run.state.started_at) admission_.release({run.row.id, Admission::whole_run});
  } else if (auto* f = std::get_if<engine::TaskSucceeded>(&fact)) {
    close_approval(run, f->task);
  } else if (auto* f = std::get_if<engine::TaskFailed>(&fact)) {
    close_approval(run, f->task);
  } else if (auto* f = std::get_if<engine::TasksEnded>(&fact)) {
    for (TaskIndex task : f->tasks) close_approval(run, task);
  }
}

void Shard::cache_output(LiveRun& run, const engine::AttemptSucceeded& fact) {
  auto keys = run.state.keys.find(fact.task);
  if (keys == run.state.keys.end() || keys->second.cache.empty()) return;
  run.cached.push_back({run.row.org_id, keys->second.cache, fact.output,
                        step_->now + *run.state.planned(fact.task).cache_ttl});
}

void Shard::close_approval(LiveRun& run, TaskIndex task) {
  if (run.state.planned(task).type->kind == model::NodeKind::approval)
    run.approvals_closed.push_back(task);
}

// Actions inside this process follow at once; those with effects outside wait for the commit.
void Shard::take_actions(LiveRun& run) {
  for (; run.actions_taken < run.decision.actions.size(); ++run.actions_taken) {
    const engine::Action action = run.decision.actions[run.actions_taken];
    if (auto* a = std::get_if<engine::RequestSlot>(&action))
      admission_.request(run.request_for(a->task));
    if (auto* a = std::get_if<engine::WithdrawSlot>(&action))
      admission_.release({run.row.id, a->task});
    if (auto* a = std::get_if<engine::SetTimer>(&action))
      timers_.set(a->at, {run.row.id, a->timer});
    if (auto* a = std::get_if<engine::StopAttempt>(&action)) stop_child(run, *a);
    if (std::holds_alternative<engine::FinishRun>(action)) {
      run.finish = true;
      admission_.release({run.row.id, Admission::whole_run});
    }
  }
}

// A sub-flow ends with the attempt that it is.
void Shard::stop_child(LiveRun& run, const engine::StopAttempt& action) {
  std::optional<RunId> id = run.state.live_child_of(action.task);
  LiveRun* child = id ? find(*id) : nullptr;
  if (child != nullptr)
    apply(*child, engine::CancelRequested{fmt::format(
                      "task {} of {} was ended", run.name_of(action.task), to_string(run.row.id))});
}

void Shard::grant_places() {
  while (!holding_starts_) {
    std::optional<Admission::Place> place = admission_.grant();
    if (!place) return;
    LiveRun* run = find(place->run);
    CHECK(run != nullptr);
    if (place->task == Admission::whole_run) {
      apply(*run, engine::Begin{});
    } else {
      apply(*run, engine::SlotGranted{place->task});
    }
  }
}

void Shard::add_chunk(LiveRun& run, TaskIndex task, const LogChunk& chunk) {
  touch(run);
  int first_line = run.chunks.empty() ? 0 : run.chunks.back().first_line + run.chunks.back().lines;
  run.chunks.push_back({run.row.id, run.seq + 1, first_line, task, run.state.tasks[task].attempt,
                        chunk.lines, chunk.compressed});
}

// While the store refuses, timers that are due wait with everything else.
std::optional<base::Timestamp> Shard::next_wake() const {
  return wake_at_ ? wake_at_ : timers_.next();
}

const LiveRun* Shard::live_run(RunId id) const {
  auto found = runs_.find(id);
  return found == runs_.end() ? nullptr : found->second.get();
}

}  // namespace runtime
