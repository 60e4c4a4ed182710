#include "engine/run_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace engine {

RunState::RunState(base::RunId run_id, std::shared_ptr<const model::Plan> run_plan)
    : id(run_id), plan(std::move(run_plan)), tasks(plan->tasks.size()) {
  open = static_cast<std::uint32_t>(tasks.size());
  for (TaskIndex i = 0; i < tasks.size(); ++i) {
    tasks[i].parents_open = static_cast<std::uint32_t>(plan->tasks[i].parents.size());
    if (tasks[i].parents_open == 0) ready.push_back(i);
  }
}

namespace {

class Fold {
 public:
  Fold(RunState& state, base::Timestamp at) : state_(state), at_(at) {}

  void operator()(const RunStarted&) {
    state_.status = RunStatus::running;
    state_.started_at = at_;
  }

  void operator()(const TaskQueued& fact) {
    task(fact.task).status = TaskStatus::queued;
    ++state_.active;
  }

  void operator()(const AttemptStarted& fact) {
    TaskState& t = task(fact.task);
    if (t.status != TaskStatus::queued) ++state_.active;
    t.status = TaskStatus::running;
    t.live = true;
    t.stopping = false;
    t.attempt = fact.attempt;
    t.epoch = fact.epoch;
    t.attempt_started_at = at_;
    if (!t.started_at) t.started_at = at_;
    t.retry_at.reset();
    ++state_.live;
  }

  void operator()(const AttemptSucceeded& fact) {
    TaskState& t = task(fact.task);
    release(t);
    t.output = fact.output;
    t.failure.reset();
    end_task(fact.task, TaskStatus::succeeded);
  }

  void operator()(const AttemptFailed& fact) {
    TaskState& t = task(fact.task);
    if (fact.stopping) {
      t.stopping = true;
    } else if (t.live) {
      release(t);
    }
    t.failure = fact.failure;
    if (model::is_final(fact.then)) return end_task(fact.task, fact.then);
    t.earlier.push_back(
        {t.attempt, t.epoch, t.attempt_started_at.value_or(at_), at_, fact.failure});
    t.status = TaskStatus::retrying;
    t.retry_at = fact.retry_at;
  }

  void operator()(const AttemptGone& fact) { release(task(fact.task)); }

  void operator()(const AttemptLost& fact) {
    TaskState& t = task(fact.task);
    release(t);
    ++t.recoveries;
    t.status = TaskStatus::pending;
    state_.ready.push_back(fact.task);
  }

  void operator()(const TasksEnded& fact) {
    for (TaskIndex i : fact.tasks) {
      TaskState& t = task(i);
      if (t.status == TaskStatus::queued) --state_.active;
      if (t.live) t.stopping = true;
      end_task(i, fact.status);
    }
    std::erase_if(state_.to_skip, [&](TaskIndex i) { return model::is_final(task(i).status); });
  }

  void operator()(const RunDecided& fact) {
    state_.status = fact.status;
    state_.failure = fact.failure;
    state_.decided_at = at_;
  }

 private:
  TaskState& task(TaskIndex i) { return state_.tasks[i]; }

  void release(TaskState& t) {
    CHECK(t.live && state_.live > 0 && state_.active > 0);
    t.live = false;
    t.stopping = false;
    --state_.live;
    --state_.active;
  }

  void end_task(TaskIndex i, TaskStatus status) {
    TaskState& t = task(i);
    t.status = status;
    t.finished_at = at_;
    t.retry_at.reset();
    --state_.open;
    bool failed = status == TaskStatus::failed || status == TaskStatus::timed_out;
    if (failed && !state_.first_failed) state_.first_failed = i;
    for (TaskIndex child : state_.plan->tasks[i].children) tell_child(child, status);
  }

  // trigger_rule all_success: run when every parent succeeded, be skipped when one did not.
  void tell_child(TaskIndex i, TaskStatus parent) {
    TaskState& child = task(i);
    --child.parents_open;
    if (parent != TaskStatus::succeeded) ++child.parents_unmet;
    if (child.parents_open > 0 || model::is_final(child.status)) return;
    (child.parents_unmet == 0 ? state_.ready : state_.to_skip).push_back(i);
  }

  RunState& state_;
  base::Timestamp at_;
};

// What a fact must find for its fold to make sense; rows of a sound journal always fit. Whatever
// passes here leaves a state on which apply() works without further checks.
struct Fits {
  const RunState& state;

  const TaskState* task(TaskIndex i) const {
    return i < state.tasks.size() ? &state.tasks[i] : nullptr;
  }
  bool open_task(TaskIndex i) const { return task(i) && !model::is_final(task(i)->status); }
  bool live_attempt(TaskIndex i, int epoch) const {
    return task(i) && task(i)->live && task(i)->epoch == epoch;
  }
  /// An attempt whose outcome is still open.
  bool undecided_attempt(TaskIndex i, int epoch) const {
    return open_task(i) && live_attempt(i, epoch) && !task(i)->stopping;
  }
  bool may_start(TaskIndex i) const {
    return state.status == RunStatus::running && open_task(i) && !task(i)->live &&
           task(i)->parents_open == 0 && task(i)->parents_unmet == 0;
  }

  bool operator()(const RunStarted&) const { return state.status == RunStatus::queued; }
  bool operator()(const TaskQueued& f) const {
    return may_start(f.task) && task(f.task)->status != TaskStatus::queued;
  }
  bool operator()(const AttemptStarted& f) const {
    return may_start(f.task) && f.epoch == task(f.task)->epoch + 1 &&
           std::cmp_equal(f.attempt, task(f.task)->earlier.size() + 1);
  }
  bool operator()(const AttemptSucceeded& f) const { return undecided_attempt(f.task, f.epoch); }
  bool operator()(const AttemptFailed& f) const {
    bool ends = f.then == TaskStatus::failed || f.then == TaskStatus::timed_out;
    bool retries = f.then == TaskStatus::retrying;
    return undecided_attempt(f.task, f.epoch) && (f.retry_at ? retries : ends);
  }
  bool operator()(const AttemptGone& f) const {
    return live_attempt(f.task, f.epoch) && task(f.task)->stopping;
  }
  bool operator()(const AttemptLost& f) const { return undecided_attempt(f.task, f.epoch); }
  bool operator()(const TasksEnded& f) const {
    if (f.status != TaskStatus::skipped && f.status != TaskStatus::cancelled) return false;
    std::vector<TaskIndex> sorted = f.tasks;
    std::sort(sorted.begin(), sorted.end());
    return std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end() &&
           std::all_of(sorted.begin(), sorted.end(), [&](TaskIndex i) { return open_task(i); });
  }
  bool operator()(const RunDecided& f) const {
    return model::is_final(f.status) && !model::is_final(state.status) && state.open == 0;
  }
};

}  // namespace

base::Result<> fold(RunState& state, const Fact& fact, base::Timestamp at) {
  if (!std::visit(Fits{state}, fact))
    return base::internal_error(
        fmt::format("fact {} does not fit the state of {}", fact.index(), to_string(state.id)));
  std::visit(Fold(state, at), fact);
  return {};
}

base::Result<> fold_rows(RunState& state, const std::vector<std::string>& rows) {
  for (const std::string& text : rows) {
    FactRow row = TRY(parse_facts(text));
    for (const Fact& fact : row.facts) TRY(fold(state, fact, row.at));
  }
  return {};
}

}  // namespace engine
