#include "engine/run_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace engine {

using model::PlannedTask;

RunState::RunState(base::RunId run_id, std::shared_ptr<const model::Plan> run_plan)
    : id(run_id), plan(std::move(run_plan)), tasks(plan->tasks.size()) {
  for (TaskIndex i = 0; i < tasks.size(); ++i) {
    tasks[i].planned = i;
    tasks[i].parents_open = static_cast<std::uint32_t>(plan->tasks[i].parents.size());
    if (plan->tasks[i].hook) continue;
    ++open;
    if (tasks[i].parents_open == 0) ready.push_back(i);
  }
  if (plan->has_priorities)
    std::stable_sort(ready.begin(), ready.end(), [this](TaskIndex a, TaskIndex b) {
      return plan->tasks[a].priority > plan->tasks[b].priority;
    });
}

std::optional<base::RunId> RunState::child_of(TaskIndex i) const {
  auto found = children.find(i);
  return found == children.end() ? std::nullopt : std::optional(found->second);
}

std::optional<base::RunId> RunState::live_child_of(TaskIndex i) const {
  return tasks[i].live ? child_of(i) : std::nullopt;
}

namespace {

class Fold {
 public:
  Fold(RunState& state, base::Timestamp at) : state_(state), at_(at) {}

  void operator()(const RunStarted&) {
    state_.status = RunStatus::running;
    state_.started_at = at_;
  }

  void operator()(const RunPaused&) { state_.status = RunStatus::paused; }

  void operator()(const RunResumed&) {
    state_.status = state_.started_at ? RunStatus::running : RunStatus::queued;
  }

  void operator()(const TaskDecided& fact) {
    task(fact.task).decided = true;
    if (!fact.concurrency_key.empty() || !fact.cache_key.empty())
      state_.keys[fact.task] = {fact.concurrency_key, fact.cache_key};
    make_ready(fact.task);
  }

  void operator()(const TaskExpanded& fact) {
    auto first = static_cast<TaskIndex>(state_.tasks.size());
    state_.elements[fact.task] = {first, fact.count, fact.count, 0, 0};
    for (std::uint32_t k = 0; k < fact.count; ++k) {
      TaskState& element = state_.tasks.emplace_back();
      element.planned = fact.task;
      element.map_index = static_cast<int>(k);
      element.decided = !planned(fact.task).decides_elements;
    }
    TaskState& t = task(fact.task);
    t.decided = true;
    t.status = TaskStatus::running;
    t.started_at = at_;
    feed(state_.elements[fact.task]);
  }

  void operator()(const TaskWaiting& fact) {
    TaskState& t = task(fact.task);
    t.decided = true;
    t.status = TaskStatus::waiting;
    t.started_at = t.queued_at = at_;
    t.wake_at = fact.until;
    t.wait_end = fact.then;
  }

  void operator()(const TaskSucceeded& fact) {
    TaskState& t = task(fact.task);
    t.output = fact.output;
    end_task(fact.task, TaskStatus::succeeded);
  }

  void operator()(const TaskFailed& fact) {
    task(fact.task).failure = fact.failure;
    end_task(fact.task, fact.status);
  }

  void operator()(const TaskQueued& fact) {
    TaskState& t = task(fact.task);
    t.status = TaskStatus::queued;
    t.queued_at = at_;
    t.wake_at.reset();
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
    t.wake_at.reset();
    state_.children.erase(fact.task);
    ++state_.live;
  }

  void operator()(const AttemptSucceeded& fact) {
    TaskState& t = task(fact.task);
    release(fact.task);
    t.output = fact.output;
    t.failure.reset();
    end_task(fact.task, TaskStatus::succeeded);
  }

  void operator()(const IterationEnded& fact) {
    TaskState& t = task(fact.task);
    release(fact.task);
    t.output = fact.output;
    t.failure.reset();
    t.status = TaskStatus::pending;
    t.earlier_elsewhere = static_cast<std::uint32_t>(t.earlier.size());
    ++t.iteration;
    make_ready(fact.task);
  }

  void operator()(const ChildStarted& fact) {
    state_.children[fact.task] = fact.child;
    task(fact.task).status = TaskStatus::waiting;
  }

  void operator()(const AttemptFailed& fact) {
    TaskState& t = task(fact.task);
    if (fact.stopping) {
      t.stopping = true;
    } else if (t.live) {
      release(fact.task);
    }
    t.failure = fact.failure;
    if (model::is_final(fact.then)) return end_task(fact.task, fact.then);
    t.earlier.push_back(
        {t.attempt, t.epoch, t.attempt_started_at.value_or(at_), at_, fact.failure});
    t.status = TaskStatus::retrying;
    t.wake_at = fact.retry_at;
  }

  void operator()(const AttemptGone& fact) { release(fact.task); }

  void operator()(const AttemptLost& fact) {
    TaskState& t = task(fact.task);
    release(fact.task);
    ++t.recoveries;
    t.status = TaskStatus::pending;
    make_ready(fact.task);
  }

  void operator()(const TasksEnded& fact) {
    for (TaskIndex i : fact.tasks) {
      TaskState& t = task(i);
      if (t.status == TaskStatus::queued) --state_.active;
      if (t.live) t.stopping = true;
      t.by_choice = fact.by_choice;
      end_task(i, fact.status);
    }
    auto has_ended = [&](TaskIndex i) { return model::is_final(task(i).status); };
    std::erase_if(state_.to_skip, has_ended);
    std::erase_if(state_.to_skip_by_choice, has_ended);
  }

  void operator()(const RunDecided& fact) {
    state_.status = fact.status;
    state_.failure = fact.failure;
    state_.decided_at = at_;
    for (TaskIndex i : state_.plan->hooks)
      if (model::runs_after(*state_.plan->tasks[i].hook, fact.status)) ++state_.open_hooks;
    if (state_.live == 0) make_hooks_ready();
  }

 private:
  TaskState& task(TaskIndex i) { return state_.tasks[i]; }
  const PlannedTask& planned(TaskIndex i) const { return state_.planned(i); }

  // Hooks begin when nothing of the flow itself lives any more.
  void make_hooks_ready() {
    for (TaskIndex i : state_.plan->hooks)
      if (model::runs_after(*state_.plan->tasks[i].hook, state_.status)) make_ready(i);
  }

  void make_ready(TaskIndex i) { engine::make_ready(state_, i); }

  // Makes elements ready, as many as the task's own max_parallel allows.
  void feed(Elements& elements) {
    std::uint32_t max = planned(elements.first).elements_parallel_max;
    while (elements.fed < elements.count && elements.fed - (elements.count - elements.open) < max)
      make_ready(elements.first + elements.fed++);
  }

  void release(TaskIndex i) {
    TaskState& t = task(i);
    CHECK(t.live && state_.live > 0 && state_.active > 0);
    t.live = false;
    t.stopping = false;
    --state_.live;
    --state_.active;
    if (model::is_final(state_.status) && state_.live == 0 && state_.open == 0 &&
        !state_.is_hook(i))
      make_hooks_ready();
  }

  void end_task(TaskIndex i, TaskStatus status) {
    TaskState& t = task(i);
    t.status = status;
    t.finished_at = at_;
    t.wake_at.reset();
    if (t.map_index >= 0) return end_element(t.planned, status);
    if (planned(i).hook) {
      if (model::is_final(state_.status) && model::runs_after(*planned(i).hook, state_.status))
        --state_.open_hooks;
      return;
    }
    --state_.open;
    if (model::is_failure(status) && !state_.first_failed) state_.first_failed = i;
    for (const model::PlannedChild& child : state_.plan->tasks[i].children) tell_child(child, t);
  }

  void end_element(TaskIndex mapped, TaskStatus status) {
    Elements& elements = state_.elements.at(mapped);
    --elements.open;
    if (model::is_failure(status)) ++elements.failed;
    feed(elements);
  }

  void tell_child(const model::PlannedChild& edge, const TaskState& parent) {
    TaskState& child = task(edge.task);
    --child.parents_open;
    ++end_seen_by(edge, parent, child.parents);
    if (child.parents_open > 0 || model::is_final(child.status)) return;
    switch (verdict(planned(edge.task).trigger_rule, child.parents)) {
      case Verdict::run:
        return make_ready(edge.task);
      case Verdict::skip:
        return state_.to_skip.push_back(edge.task);
      case Verdict::skip_by_choice:
        return state_.to_skip_by_choice.push_back(edge.task);
    }
  }

  // Which of the child's counters the parent's end belongs to.
  static std::uint32_t& end_seen_by(const model::PlannedChild& edge, const TaskState& parent,
                                    ParentEnds& ends) {
    if (model::is_failure(parent.status)) return ends.failed;
    if (parent.status == TaskStatus::skipped && parent.by_choice) return ends.chosen;
    if (parent.status != TaskStatus::succeeded) return ends.unmet;
    bool is_taken = edge.label_json.empty() || parent.output.json == edge.label_json;
    return is_taken ? ends.succeeded : ends.chosen;
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
  bool idle_task(TaskIndex i) const { return open_task(i) && !task(i)->live; }
  bool live_attempt(TaskIndex i, int epoch) const {
    return task(i) && task(i)->live && task(i)->epoch == epoch;
  }
  /// An attempt whose outcome is still open.
  bool undecided_attempt(TaskIndex i, int epoch) const {
    return open_task(i) && live_attempt(i, epoch) && !task(i)->stopping;
  }
  /// The run allows it, and so do the task's parents.
  bool may_begin(TaskIndex i) const {
    if (!idle_task(i) || task(i)->parents_open > 0) return false;
    bool flow_goes_on = state.status == RunStatus::running || state.status == RunStatus::paused;
    return state.is_hook(i) ? model::is_final(state.status) : flow_goes_on;
  }
  bool may_start(TaskIndex i) const {
    return may_begin(i) && !state.is_paused() && !state.elements.contains(i);
  }
  bool may_be_decided(TaskIndex i) const { return may_begin(i) && !task(i)->decided; }
  bool ends_badly(TaskStatus status) const { return model::is_failure(status); }

  bool operator()(const RunStarted&) const { return state.status == RunStatus::queued; }
  bool operator()(const RunPaused&) const {
    return state.status == RunStatus::queued || state.status == RunStatus::running;
  }
  bool operator()(const RunResumed&) const { return state.is_paused(); }
  bool operator()(const TaskDecided& f) const { return may_be_decided(f.task); }
  bool operator()(const TaskExpanded& f) const {
    return may_be_decided(f.task) && !state.is_element(f.task) && f.count > 0 &&
           state.tasks.size() + f.count <= std::size_t(base::limits::task_runs_max);
  }
  bool operator()(const TaskWaiting& f) const { return may_be_decided(f.task); }
  bool operator()(const TaskSucceeded& f) const { return idle_task(f.task) && !has_open(f.task); }
  bool operator()(const TaskFailed& f) const { return idle_task(f.task) && ends_badly(f.status); }
  bool operator()(const TaskQueued& f) const {
    return may_start(f.task) && task(f.task)->status != TaskStatus::queued;
  }
  bool operator()(const AttemptStarted& f) const {
    return may_start(f.task) && f.epoch == task(f.task)->epoch + 1 &&
           std::cmp_equal(f.attempt,
                          task(f.task)->earlier.size() + std::size_t(task(f.task)->iteration) + 1);
  }
  bool operator()(const AttemptSucceeded& f) const { return undecided_attempt(f.task, f.epoch); }
  bool operator()(const IterationEnded& f) const { return undecided_attempt(f.task, f.epoch); }
  bool operator()(const ChildStarted& f) const {
    return undecided_attempt(f.task, f.epoch) && !state.children.contains(f.task);
  }
  bool operator()(const AttemptFailed& f) const {
    bool retries = f.then == TaskStatus::retrying;
    return undecided_attempt(f.task, f.epoch) && (f.retry_at ? retries : ends_badly(f.then));
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

  // A mapped task ends after its elements.
  bool has_open(TaskIndex i) const {
    auto found = state.elements.find(i);
    return found != state.elements.end() && found->second.open > 0;
  }
};

}  // namespace

Failure failure_by(const RunState& state, TaskIndex i) {
  const Failure& failure = *state.tasks[i].failure;
  return {failure.kind, fmt::format("task '{}' failed: {}", state.planned(i).id, failure.message)};
}

void make_ready(RunState& state, TaskIndex i) {
  auto& ready = state.ready;
  if (!state.plan->has_priorities) return ready.push_back(i);
  auto place = std::upper_bound(ready.begin(), ready.end(), i, [&](TaskIndex a, TaskIndex b) {
    return state.planned(a).priority > state.planned(b).priority;
  });
  ready.insert(place, i);
}

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
