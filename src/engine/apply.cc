#include "engine/apply.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "base/random.h"

namespace engine {

using model::PlannedTask;

namespace {

// One call of apply().
class Step {
 public:
  Step(RunState& state, base::Timestamp now, Decision& decision)
      : state_(state), now_(now), decision_(decision) {}

  void operator()(const Begin&) {
    if (state_.status != RunStatus::queued) return;
    record(RunStarted{});
    set_run_timer();
    advance();
  }

  void operator()(const SlotGranted& event) {
    if (task(event.task).status != TaskStatus::queued) return;
    start(event.task);
  }

  void operator()(const AttemptReport& event) {
    const TaskState& t = task(event.task);
    if (!t.live || t.epoch != event.epoch) return;
    if (t.stopping) {
      record(AttemptGone{event.task, event.epoch});
      if (t.status == TaskStatus::retrying && t.retry_at <= now_) make_ready(event.task);
    } else if (event.succeeded) {
      record(AttemptSucceeded{event.task, event.epoch, event.output});
    } else {
      fail_attempt(event.task, event.failure, /*stopping=*/false);
    }
    advance();
  }

  void operator()(const TimerFired& event) {
    if (event.kind == TimerKind::run_timeout) {
      run_timed_out();
    } else if (event.kind == TimerKind::attempt_timeout) {
      attempt_timed_out(event);
    } else if (task(event.task).status == TaskStatus::retrying &&
               task(event.task).epoch == event.epoch && !task(event.task).live) {
      make_ready(event.task);
    }
    advance();
  }

  void operator()(const CancelRequested& event) {
    if (model::is_final(state_.status)) return;
    decide(RunStatus::cancelled, Failure{"cancelled", event.reason});
    advance();
  }

  void operator()(const Recovered&) {
    for (TaskIndex i = 0; i < state_.tasks.size(); ++i)
      if (task(i).live) recover_attempt(i);
    if (state_.status == RunStatus::queued) return (*this)(Begin{});
    rearm(state_, decision_.actions);
    advance();
  }

 private:
  const TaskState& task(TaskIndex i) const { return state_.tasks[i]; }
  const PlannedTask& planned(TaskIndex i) const { return state_.plan->tasks[i]; }

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

  void make_ready(TaskIndex i) { state_.ready.push_back(i); }

  // Starts what may start, skips what cannot, and ends the run when nothing is left.
  void advance() {
    skip_unmet();
    while (!state_.ready.empty() && state_.active < state_.plan->max_parallel) {
      TaskIndex i = state_.ready.front();
      state_.ready.pop_front();
      dispatch(i);
    }
    if (state_.open == 0 && !model::is_final(state_.status)) conclude();
    if (model::is_final(state_.status) && state_.live == 0) act(FinishRun{});
  }

  void dispatch(TaskIndex i) {
    const TaskState& t = task(i);
    bool waits =
        t.status == TaskStatus::pending || (t.status == TaskStatus::retrying && t.retry_at <= now_);
    if (!waits || t.live) return;  // ended or started since it became ready
    if (planned(i).type->needs_slot) {
      record(TaskQueued{i});
      act(RequestSlot{i});
    } else {
      start(i);
    }
  }

  void start(TaskIndex i) {
    const TaskState& t = task(i);
    int attempt = static_cast<int>(t.earlier.size()) + 1;  // a lost attempt keeps its number
    AttemptStarted fact{i, attempt, t.epoch + 1};
    record(fact);
    act(StartAttempt{i, fact.attempt, fact.epoch});
    if (planned(i).timeout)
      act(SetTimer{now_ + *planned(i).timeout, {TimerKind::attempt_timeout, i, fact.epoch}});
  }

  void skip_unmet() {
    while (!state_.to_skip.empty()) {
      std::vector<TaskIndex> skipped(state_.to_skip.begin(), state_.to_skip.end());
      std::erase_if(skipped, [&](TaskIndex i) { return model::is_final(task(i).status); });
      state_.to_skip.clear();
      if (!skipped.empty()) record(TasksEnded{TaskStatus::skipped, std::move(skipped)});
    }
  }

  void conclude() {
    if (!state_.first_failed) return decide(RunStatus::succeeded, std::nullopt);
    const TaskState& failed = task(*state_.first_failed);
    decide(RunStatus::failed,
           Failure{failed.failure->kind,
                   fmt::format("task '{}' failed: {}", planned(*state_.first_failed).id,
                               failed.failure->message)});
  }

  // Ends the run's status; whatever is still open is cancelled, whatever lives is stopped.
  void decide(RunStatus status, std::optional<Failure> failure) {
    cancel_open_tasks();
    record(RunDecided{status, std::move(failure)});
    act(AnnounceRun{});
  }

  void cancel_open_tasks() {
    if (state_.open == 0) return;
    std::vector<TaskIndex> open;
    for (TaskIndex i = 0; i < state_.tasks.size(); ++i) {
      const TaskState& t = task(i);
      if (model::is_final(t.status)) continue;
      open.push_back(i);
      if (t.status == TaskStatus::queued) act(WithdrawSlot{i});
      if (t.live && !t.stopping) act(StopAttempt{i, t.epoch});
    }
    record(TasksEnded{TaskStatus::cancelled, std::move(open)});
  }

  void run_timed_out() {
    if (model::is_final(state_.status)) return;
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

  bool may_retry(TaskIndex i, const Failure& failure) const {
    const PlannedTask& plan = planned(i);
    if (task(i).attempt >= plan.attempts_max) return false;
    if (!plan.retry_on) return true;
    return std::find(plan.retry_on->begin(), plan.retry_on->end(), failure.kind) !=
           plan.retry_on->end();
  }

  // Jitter is drawn from (run, task, attempt), so that a replay of the events gives the same facts.
  base::Duration retry_delay(TaskIndex i) const {
    const PlannedTask& plan = planned(i);
    auto attempt = static_cast<std::size_t>(task(i).attempt);
    double base = plan.retry_delay_seconds[std::min(attempt, plan.retry_delay_seconds.size()) - 1];
    base::SeededRandom random(static_cast<std::uint64_t>(state_.id) ^ (std::uint64_t{i} << 40) ^
                              (std::uint64_t{attempt} << 32));
    double seconds = base * (1 + plan.retry_jitter_factor * random.unit());
    return std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(seconds));
  }

  void fail_attempt(TaskIndex i, const Failure& failure, bool stopping) {
    int epoch = task(i).epoch;
    if (may_retry(i, failure)) {
      base::Timestamp at = now_ + retry_delay(i);
      record(AttemptFailed{i, epoch, TaskStatus::retrying, failure, at, stopping});
      if (at > now_) {
        act(SetTimer{at, {TimerKind::retry, i, epoch}});
      } else if (!stopping) {
        make_ready(i);
      }
      return;
    }
    TaskStatus end = failure.kind == "timeout" ? TaskStatus::timed_out : TaskStatus::failed;
    record(AttemptFailed{i, epoch, end, failure, std::nullopt, stopping});
    if (state_.plan->fail_fast && !model::is_final(state_.status)) cancel_open_tasks();
  }

  void recover_attempt(TaskIndex i) {
    const TaskState& t = task(i);
    if (t.stopping) {
      record(AttemptGone{i, t.epoch});
    } else if (t.recoveries >= base::limits::recoveries_max) {
      fail_attempt_for_good(i);
    } else {
      record(AttemptLost{i, t.epoch});
    }
  }

  void fail_attempt_for_good(TaskIndex i) {
    Failure failure{"node_lost", fmt::format("its server was lost {} times while it ran",
                                             base::limits::recoveries_max + 1)};
    record(AttemptFailed{i, task(i).epoch, TaskStatus::failed, failure, std::nullopt, false});
    if (state_.plan->fail_fast && !model::is_final(state_.status)) cancel_open_tasks();
  }

  RunState& state_;
  base::Timestamp now_;
  Decision& decision_;
};

}  // namespace

void rearm(const RunState& state, std::vector<Action>& actions) {
  if (state.plan->timeout && state.started_at && !model::is_final(state.status))
    actions.push_back(
        SetTimer{*state.started_at + *state.plan->timeout, {TimerKind::run_timeout, 0, 0}});
  for (TaskIndex i = 0; i < state.tasks.size(); ++i) {
    const TaskState& t = state.tasks[i];
    const auto& timeout = state.plan->tasks[i].timeout;
    if (t.status == TaskStatus::queued) actions.push_back(RequestSlot{i});
    if (t.status == TaskStatus::retrying)
      actions.push_back(SetTimer{*t.retry_at, {TimerKind::retry, i, t.epoch}});
    if (t.live && !t.stopping && timeout)
      actions.push_back(
          SetTimer{*t.attempt_started_at + *timeout, {TimerKind::attempt_timeout, i, t.epoch}});
  }
}

void apply(RunState& state, const Event& event, base::Timestamp now, Decision& decision) {
  std::visit(Step(state, now, decision), event);
}

}  // namespace engine
