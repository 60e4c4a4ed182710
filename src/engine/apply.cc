#include "engine/apply.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "engine/retry.h"

namespace engine {

using model::NodeKind;
using model::PlannedTask;
namespace limits = base::limits;

namespace {

constexpr const char* approved_by_time =
    R"({"decision":"approved","decided_by":null,"comment":null,"form":{}})";

// One call of apply().
class Step {
 public:
  Step(RunState& state, base::Timestamp now, Decision& decision)
      : state_(state), now_(now), decision_(decision) {}

  // ---- events ----

  void operator()(const Reuse& event) {
    for (const auto& [i, output] : event.outputs) record(TaskSucceeded{i, output});
  }

  void operator()(const Begin&) {
    if (state_.status != RunStatus::queued) return;
    record(RunStarted{});
    set_run_timer();
    advance();
  }

  void operator()(const SlotGranted& event) {
    if (task(event.task).status != TaskStatus::queued || state_.is_paused()) return;
    start(event.task);
  }

  void operator()(const Computed& event) {
    if (const auto* decided = std::get_if<Decided>(&event.result)) {
      take_decision(event.task, *decided);
    } else {
      take_gathered(event.task, std::get<Gathered>(event.result));
    }
    advance();
  }

  void operator()(const AttemptReport& event) {
    const TaskState& t = task(event.task);
    if (!t.live || t.epoch != event.epoch) return;
    if (t.stopping) {
      record(AttemptGone{event.task, event.epoch});
      if (t.status == TaskStatus::retrying) retry_when_due(event.task);
    } else if (event.succeeded) {
      take_success(event);
    } else {
      fail_attempt(event.task, event.failure, /*stopping=*/false);
    }
    advance();
  }

  void operator()(const ChildCreated& event) {
    const TaskState& t = task(event.task);
    CHECK(t.live && !t.stopping && t.epoch == event.epoch);
    record(ChildStarted{event.task, event.epoch, event.child});
  }

  void operator()(const TimerFired& event) {
    switch (event.kind) {
      case TimerKind::attempt_timeout:
        attempt_timed_out(event);  // a limit of what is in flight, also while the run is paused
        break;
      case TimerKind::run_timeout:
        if (!state_.is_paused()) run_timed_out();
        break;
      case TimerKind::hooks_timeout:
        hooks_timed_out();
        break;
      case TimerKind::retry:
        if (task(event.task).status == TaskStatus::retrying &&
            task(event.task).epoch == event.epoch && !task(event.task).live)
          retry_when_due(event.task);
        break;
      case TimerKind::wait:
        if (!state_.is_paused()) wait_is_over(event.task);
        break;
    }
    advance();
  }

  void operator()(const ApprovalDecided& event) {
    if (!is_waiting(event.task, NodeKind::approval)) return;
    if (event.approved) {
      succeed_task(event.task, event.output);
    } else {
      fail_task(event.task, TaskStatus::failed, {"rejected", event.message});
    }
    advance();
  }

  void operator()(const CancelRequested& event) {
    if (model::is_final(state_.status)) return;
    decide(RunStatus::cancelled, Failure{"cancelled", event.reason});
    advance();
  }

  void operator()(const PauseRequested&) {
    if (model::is_final(state_.status) || state_.is_paused()) return;
    record(RunPaused{});
    for (TaskIndex i = 0; i < state_.tasks.size(); ++i)
      if (task(i).status == TaskStatus::queued) act(WithdrawSlot{i});
  }

  void operator()(const ResumeRequested&) {
    if (!state_.is_paused()) return;
    record(RunResumed{});
    rearm(state_, decision_.actions);  // timers that came meanwhile act now
    advance();
  }

  void operator()(const Recovered&) {
    for (TaskIndex i = 0; i < state_.tasks.size(); ++i)
      if (task(i).live && !state_.live_child_of(i)) recover_attempt(i);
    rearm(state_, decision_.actions);
    advance();
  }

 private:
  const TaskState& task(TaskIndex i) const { return state_.tasks[i]; }
  const PlannedTask& planned(TaskIndex i) const { return state_.planned(i); }

  void record(Fact fact) {
    base::Result<> folded = fold(state_, fact, now_);
    CHECK(folded);
    decision_.facts.push_back(std::move(fact));
  }
  template <class A>
  void act(A action) {
    decision_.actions.push_back(std::move(action));
  }

  void set_run_timer() {
    if (state_.plan->timeout)
      act(SetTimer{now_ + *state_.plan->timeout, {TimerKind::run_timeout, 0, 0}});
  }

  void make_ready(TaskIndex i) { engine::make_ready(state_, i); }

  void set_retry_timer(TaskIndex i) {
    act(SetTimer{*task(i).wake_at, {TimerKind::retry, i, task(i).epoch}});
  }
  void retry_when_due(TaskIndex i) {
    if (*task(i).wake_at <= now_) {
      make_ready(i);
    } else {
      set_retry_timer(i);
    }
  }

  // ---- going on ----

  // Starts what may start, skips what cannot, and ends the run when nothing is left.
  void advance() {
    skip_unmet();
    if (state_.is_paused() || (!state_.started_at && !model::is_final(state_.status))) return;
    while (!state_.ready.empty() && state_.active < state_.plan->max_parallel) {
      TaskIndex i = state_.ready.front();
      state_.ready.pop_front();
      dispatch(i);
    }
    if (state_.open == 0 && !model::is_final(state_.status)) {
      conclude();
      return advance();  // its hooks
    }
    if (model::is_final(state_.status) && state_.live == 0 && state_.open_hooks == 0)
      act(FinishRun{});
  }

  void dispatch(TaskIndex i) {
    const TaskState& t = task(i);
    bool retries = t.status == TaskStatus::retrying;
    if (t.live || !(retries || t.status == TaskStatus::pending))
      return;  // ended or started since it became ready
    if (retries && now_ < *t.wake_at) return set_retry_timer(i);  // the clock was set back
    if (!t.decided && decides(i)) return act(Compute{i, Compute::What::decision});
    if (planned(i).type->needs_slot || is_limited(i)) {
      record(TaskQueued{i});
      act(RequestSlot{i});
    } else {
      start(i);
    }
  }

  bool decides(TaskIndex i) const {
    return state_.is_element(i) ? planned(i).decides_elements : planned(i).decides;
  }
  bool is_limited(TaskIndex i) const {
    auto keys = state_.keys.find(i);
    return keys != state_.keys.end() && !keys->second.concurrency.empty();
  }

  void start(TaskIndex i) {
    const TaskState& t = task(i);
    // A lost attempt keeps its number.
    int attempt = static_cast<int>(t.earlier.size()) + t.iteration + 1;
    AttemptStarted fact{i, attempt, t.epoch + 1};
    record(fact);
    act(StartAttempt{i, fact.attempt, fact.epoch});
    if (planned(i).timeout)
      act(SetTimer{now_ + *planned(i).timeout, {TimerKind::attempt_timeout, i, fact.epoch}});
  }

  // Skipping one task may decide the next.
  void skip_unmet() {
    while (!state_.to_skip.empty() || !state_.to_skip_by_choice.empty()) {
      skip(std::exchange(state_.to_skip, {}), /*by_choice=*/false);
      skip(std::exchange(state_.to_skip_by_choice, {}), /*by_choice=*/true);
    }
  }

  void skip(const std::deque<TaskIndex>& tasks, bool by_choice) {
    std::vector<TaskIndex> skipped(tasks.begin(), tasks.end());
    std::erase_if(skipped, [&](TaskIndex i) { return model::is_final(task(i).status); });
    if (!skipped.empty()) record(TasksEnded{TaskStatus::skipped, std::move(skipped), by_choice});
  }

  // ---- tasks that are decided without an attempt ----

  void take_decision(TaskIndex i, const Decided& result) {
    const TaskState& t = task(i);
    if (t.decided || t.live || t.status != TaskStatus::pending || t.parents_open > 0) return;
    bool goes_on = state_.is_hook(i) || !model::is_final(state_.status);
    if (!goes_on) return;
    if (state_.is_paused()) return make_ready(i);  // asked for again on resume
    if (result.failure) return fail_task(i, TaskStatus::failed, *result.failure);
    if (!result.runs) return record(TasksEnded{TaskStatus::skipped, {i}, /*by_choice=*/true});
    if (result.elements) return expand(i, *result.elements);
    if (planned(i).type->kind == NodeKind::delay || planned(i).type->kind == NodeKind::approval)
      return wait(i, result);
    if (result.output) return succeed_task(i, *result.output);
    record(TaskDecided{i, result.keys.concurrency, result.keys.cache});
  }

  void expand(TaskIndex i, std::uint32_t count) {
    if (count == 0) return record(TaskSucceeded{i, Value::inline_json("[]")});
    if (state_.tasks.size() + count > std::size_t(limits::task_runs_max))
      return fail_task(
          i, TaskStatus::failed,
          {"too_large", fmt::format("a run has at most {} task runs", limits::task_runs_max)});
    record(TaskExpanded{i, count});
  }

  void wait(TaskIndex i, const Decided& result) {
    record(TaskWaiting{i, result.until, result.then});
    if (result.until) act(SetTimer{*result.until, {TimerKind::wait, i, 0}});
  }

  bool is_waiting(TaskIndex i, NodeKind kind) const {
    return i < state_.tasks.size() && task(i).status == TaskStatus::waiting && !task(i).live &&
           planned(i).type->kind == kind;
  }

  void wait_is_over(TaskIndex i) {
    const TaskState& t = task(i);
    if (t.status != TaskStatus::waiting || !t.wake_at || now_ < *t.wake_at) return;
    bool is_approval = planned(i).type->kind == NodeKind::approval;
    switch (t.wait_end) {
      case WaitEnd::succeed:
        return succeed_task(i, Value::inline_json(is_approval ? approved_by_time : "null"));
      case WaitEnd::reject:
        return fail_task(i, TaskStatus::failed, {"rejected", "nobody decided in time"});
      case WaitEnd::fail:
        return fail_task(i, TaskStatus::timed_out, {"timeout", "nobody decided in time"});
    }
  }

  // ---- mapped tasks ----

  void take_gathered(TaskIndex i, const Gathered& result) {
    if (task(i).status != TaskStatus::running || !all_elements_ended(i)) return;
    if (result.failure) return fail_task(i, TaskStatus::failed, *result.failure);
    record(TaskSucceeded{i, result.output});
  }

  bool all_elements_ended(TaskIndex i) const {
    auto found = state_.elements.find(i);
    return found != state_.elements.end() && found->second.open == 0;
  }

  // After an element has ended: its task may have, too.
  void follow_element(TaskIndex i) {
    TaskIndex mapped = task(i).planned;
    if (task(mapped).status != TaskStatus::running) return;
    const Elements& elements = state_.elements.at(mapped);
    if (elements.failed > planned(mapped).max_failures) {
      const TaskState& failed = task(i);
      Failure failure{failed.failure->kind,
                      fmt::format("element {}: {}", failed.map_index, failed.failure->message)};
      cancel_elements(mapped);
      fail_task(mapped, TaskStatus::failed, std::move(failure));
    } else if (elements.open == 0) {
      act(Compute{mapped, Compute::What::gathering});
    }
  }

  void cancel_elements(TaskIndex mapped) {
    const Elements& elements = state_.elements.at(mapped);
    TaskIndex first = elements.first, end = first + elements.count;
    end_open_tasks([&](TaskIndex i) { return i >= first && i < end; });
  }

  // ---- ends ----

  void take_success(const AttemptReport& event) {
    const PlannedTask& plan = planned(event.task);
    if (!event.again) {
      record(AttemptSucceeded{event.task, event.epoch, event.output});
      if (state_.is_element(event.task)) follow_element(event.task);
    } else if (task(event.task).iteration + 1 < plan.iterations_max) {
      record(IterationEnded{event.task, event.epoch, event.output});
    } else {
      Failure failure{"max_iterations", fmt::format("repeat_until is false after {} iterations",
                                                    plan.iterations_max)};
      end_attempt(event.task, failure, /*stopping=*/false);
    }
  }

  void fail_attempt(TaskIndex i, const Failure& failure, bool stopping) {
    int epoch = task(i).epoch;
    if (!may_retry(task(i), planned(i), failure)) return end_attempt(i, failure, stopping);
    base::Timestamp at = now_ + retry_delay(state_, i);
    record(AttemptFailed{i, epoch, TaskStatus::retrying, failure, at, stopping});
    if (!stopping) retry_when_due(i);  // else when nothing of it lives
  }

  // The attempt failed for good, and its task with it.
  void end_attempt(TaskIndex i, const Failure& failure, bool stopping) {
    TaskStatus end = failure.kind == "timeout" ? TaskStatus::timed_out : TaskStatus::failed;
    record(AttemptFailed{i, task(i).epoch, end, failure, std::nullopt, stopping});
    follow_failure(i);
  }

  void succeed_task(TaskIndex i, Value output) {
    record(TaskSucceeded{i, std::move(output)});
    if (state_.is_element(i)) follow_element(i);
  }

  void fail_task(TaskIndex i, TaskStatus status, Failure failure) {
    record(TaskFailed{i, status, std::move(failure)});
    follow_failure(i);
  }

  void follow_failure(TaskIndex i) {
    if (state_.is_element(i)) return follow_element(i);
    if (!state_.plan->fail_fast || model::is_final(state_.status)) return;
    end_open_tasks([&](TaskIndex open) {
      return !state_.is_hook(open) && !handles_failure(planned(open).trigger_rule);
    });
  }

  void conclude() {
    if (!state_.first_failed) return decide(RunStatus::succeeded, std::nullopt);
    decide(RunStatus::failed, failure_by(state_, *state_.first_failed));
  }

  // Ends the run's status; whatever is still open is cancelled, whatever lives is stopped.
  void decide(RunStatus status, std::optional<Failure> failure) {
    if (state_.open > 0) end_open_tasks([&](TaskIndex i) { return !state_.is_hook(i); });
    record(RunDecided{status, std::move(failure)});
    act(AnnounceRun{});
    if (state_.plan->hooks.empty()) return;
    std::vector<TaskIndex> others;
    for (TaskIndex i : state_.plan->hooks)
      if (!model::runs_after(*planned(i).hook, status)) others.push_back(i);
    if (!others.empty()) record(TasksEnded{TaskStatus::skipped, others, /*by_choice=*/true});
    if (state_.open_hooks > 0)
      act(SetTimer{now_ + limits::hooks_timeout, {TimerKind::hooks_timeout, 0, 0}});
  }

  // Cancels the tasks that have not ended and that `which` picks.
  template <class Which>
  void end_open_tasks(Which which) {
    std::vector<TaskIndex> open;
    for (TaskIndex i = 0; i < state_.tasks.size(); ++i) {
      const TaskState& t = task(i);
      if (model::is_final(t.status) || !which(i)) continue;
      open.push_back(i);
      if (t.status == TaskStatus::queued) act(WithdrawSlot{i});
      if (t.live && !t.stopping) act(StopAttempt{i, t.epoch});
    }
    if (!open.empty()) record(TasksEnded{TaskStatus::cancelled, std::move(open)});
  }

  // ---- limits of time ----

  void run_timed_out() {
    if (model::is_final(state_.status) || !state_.started_at) return;
    if (now_ < *state_.started_at + *state_.plan->timeout) return;
    double seconds = std::chrono::duration<double>(*state_.plan->timeout).count();
    decide(
        RunStatus::failed,
        Failure{"timeout", fmt::format("the run took longer than its timeout of {} s", seconds)});
  }

  void attempt_timed_out(const TimerFired& event) {
    const TaskState& t = task(event.task);
    if (!t.live || t.stopping || t.epoch != event.epoch) return;
    double seconds = std::chrono::duration<double>(*planned(event.task).timeout).count();
    act(StopAttempt{event.task, event.epoch});
    fail_attempt(
        event.task,
        {"timeout", fmt::format("the attempt took longer than its timeout of {} s", seconds)},
        /*stopping=*/true);
  }

  void hooks_timed_out() {
    if (!state_.decided_at || now_ < *state_.decided_at + limits::hooks_timeout) return;
    end_open_tasks([&](TaskIndex i) { return state_.is_hook(i); });
  }

  // ---- recovery ----

  void recover_attempt(TaskIndex i) {
    const TaskState& t = task(i);
    if (t.stopping) {
      record(AttemptGone{i, t.epoch});
    } else if (t.recoveries >= limits::recoveries_max) {
      end_attempt(i,
                  {"node_lost", fmt::format("its server was lost {} times while it ran",
                                            limits::recoveries_max + 1)},
                  /*stopping=*/false);
    } else {
      record(AttemptLost{i, t.epoch});
    }
  }

  RunState& state_;
  base::Timestamp now_;
  Decision& decision_;
};

void rearm_task(const RunState& state, TaskIndex i, std::vector<Action>& actions) {
  const TaskState& t = state.tasks[i];
  const auto& timeout = state.planned(i).timeout;
  if (t.status == TaskStatus::queued && !state.is_paused()) actions.push_back(RequestSlot{i});
  if (t.status == TaskStatus::retrying)
    actions.push_back(SetTimer{*t.wake_at, {TimerKind::retry, i, t.epoch}});
  if (t.status == TaskStatus::waiting && t.wake_at)
    actions.push_back(SetTimer{*t.wake_at, {TimerKind::wait, i, 0}});
  if (t.live && !t.stopping && timeout)
    actions.push_back(
        SetTimer{*t.attempt_started_at + *timeout, {TimerKind::attempt_timeout, i, t.epoch}});
}

}  // namespace

void rearm(const RunState& state, std::vector<Action>& actions) {
  if (state.plan->timeout && state.started_at && !model::is_final(state.status))
    actions.push_back(
        SetTimer{*state.started_at + *state.plan->timeout, {TimerKind::run_timeout, 0, 0}});
  if (state.decided_at && state.open_hooks > 0)
    actions.push_back(
        SetTimer{*state.decided_at + limits::hooks_timeout, {TimerKind::hooks_timeout, 0, 0}});
  for (TaskIndex i = 0; i < state.tasks.size(); ++i) rearm_task(state, i, actions);
  for (const auto& [i, elements] : state.elements)
    if (elements.open == 0 && state.tasks[i].status == TaskStatus::running)
      actions.push_back(Compute{i, Compute::What::gathering});
}

void apply(RunState& state, const Event& event, base::Timestamp now, Decision& decision) {
  std::visit(Step(state, now, decision), event);
}

}  // namespace engine
