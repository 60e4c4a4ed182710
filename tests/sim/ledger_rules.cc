// The rules that every committed fact keeps.
#include "sim/ledger.h"
#include "sim/rules.h"

namespace sim {

using namespace engine;
using namespace std::chrono_literals;
using model::NodeKind;

namespace {

// Applies the facts of one row and complains about any that breaks a rule.
class Checker {
 public:
  Checker(const Ledger& ledger, Ledger::Run& run, const FactRow& row)
      : ledger_(ledger), run_(run), plan_(run.plan()), at_(row.at), row_(row) {}

  // ---- the run ----

  void operator()(const RunStarted&) {
    if (run_.started_at || run_.paused || run_.decided) fail("starts though it must not");
    run_.started_at = at_;
  }
  void operator()(const RunPaused&) {
    if (run_.paused || run_.decided) fail("is paused though it must not");
    run_.paused = run_.was_paused = true;
  }
  void operator()(const RunResumed&) {
    if (!run_.paused) fail("goes on though it is not paused");
    run_.paused = false;
  }
  void operator()(const RunDecided& f) {
    if (run_.decided) fail("is decided twice");
    bool failed = false;
    for (TaskIndex i = 0; i < plan_.tasks.size(); ++i) {
      if (run_.is_hook(i)) continue;
      if (!run_.tasks[i].end) fail(i, "is open though the run is decided");
      failed |= model::is_failure(*run_.tasks[i].end);
    }
    bool timed_out = f.failure && f.failure->message.starts_with("the run took longer");
    if (timed_out && !(plan_.timeout && run_.started_at && !run_.paused &&
                       at_ >= *run_.started_at + *plan_.timeout))
      fail("times out before its time");
    if (!timed_out && f.status != RunStatus::cancelled &&
        f.status != (failed ? RunStatus::failed : RunStatus::succeeded))
      fail("is decided otherwise than its tasks say");
    if (run_.paused && f.status != RunStatus::cancelled) fail("is decided while it is paused");
    run_.decided = f.status;
    run_.decided_at = at_;
    run_.failure = f.failure;
    run_.paused = false;
  }

  // ---- decisions ----

  void operator()(const TaskDecided& f) {
    Verdicts verdicts = expect_decidable(f.task);
    if (verdicts.fails || !verdicts.runs) fail(f.task, "may start though its expressions say no");
    if (is_mapped(f.task) || !run_.planned(f.task).type->has_attempts())
      fail(f.task, "has no attempt to start");
    if (f.concurrency_key != verdicts.concurrency_key || f.cache_key != verdicts.cache_key)
      fail(f.task, "has other keys than its expressions gave");
    run_.tasks[f.task].decided = true;
    run_.tasks[f.task].key = f.concurrency_key;
    run_.tasks[f.task].cache_key = f.cache_key;
  }
  void operator()(const TaskExpanded& f) {
    Verdicts verdicts = expect_decidable(f.task);
    if (verdicts.fails || !verdicts.runs || !is_mapped(f.task) || f.count != verdicts.elements ||
        f.count == 0)
      fail(f.task, "is expanded otherwise than its list says");
    Ledger::Task& t = run_.tasks[f.task];
    t.decided = t.is_expanded = true;
    t.first = TaskIndex(run_.tasks.size());
    t.count = f.count;
    for (std::uint32_t k = 0; k < f.count; ++k) {
      Ledger::Task element;
      element.planned = f.task;
      element.map_index = int(k);
      run_.tasks.push_back(element);
    }
  }
  void operator()(const TaskWaiting& f) {
    Verdicts verdicts = expect_decidable(f.task);
    NodeKind kind = run_.planned(f.task).type->kind;
    if (verdicts.fails || !verdicts.runs || is_mapped(f.task) ||
        (kind != NodeKind::delay && kind != NodeKind::approval))
      fail(f.task, "waits for nothing");
    if (verdicts.wait.has_value() != f.until.has_value() || f.then != verdicts.then)
      fail(f.task, "waits for another time");
    Ledger::Task& t = run_.tasks[f.task];
    t.decided = t.waiting = true;
    t.until = f.until;
    t.then = f.then;
  }
  void operator()(const TaskSucceeded& f) {
    Ledger::Task& t = run_.tasks[f.task];
    const std::string& output = f.output.json;
    if (!run_.started_at && !run_.decided) {
      check_reused(f.task, output);
    } else if (t.is_expanded) {
      check_gathered(f.task, output);
    } else if (t.waiting) {
      check_wait_succeeded(f.task, output);
    } else {
      Verdicts verdicts = expect_decidable(f.task);
      bool is_right = !verdicts.fails && verdicts.runs;
      if (is_mapped(f.task)) {
        is_right &= verdicts.elements == 0 && output == "[]";
      } else if (run_.planned(f.task).type->kind == NodeKind::branch) {
        is_right &= output == verdicts.choice;
      } else {
        is_right &= !verdicts.cache_key.empty() && ledger_.was_cached(verdicts.cache_key, output);
      }
      if (!is_right) fail(f.task, "succeeds out of nothing");
    }
    t.output = f.output;
    end(f.task, TaskStatus::succeeded);
  }
  void operator()(const TaskFailed& f) {
    Ledger::Task& t = run_.tasks[f.task];
    bool is_right = false;
    if (t.is_expanded) {
      const auto [open, failed] = elements_of(f.task);
      bool gathering = open == 0 && ledger_.script.gathering_fails(run_.row.id, f.task);
      is_right = failed > run_.planned(f.task).max_failures || gathering;
    } else if (t.waiting) {
      is_right = wait_may_fail(f.task, f);
    } else {
      is_right = expect_decidable(f.task).fails && f.failure.kind == "expression";
    }
    if (!is_right) fail(f.task, "fails out of nothing");
    end(f.task, f.status);
  }

  // ---- attempts ----

  void operator()(const TaskQueued& f) {
    expect_startable(f.task);
    if (!needs_admission(f.task)) fail(f.task, "waits for nothing it needs");
    if (run_.tasks[f.task].queued) fail(f.task, "is queued twice");
    run_.tasks[f.task].queued = true;
    run_.tasks[f.task].retry_at.reset();
  }
  void operator()(const AttemptStarted& f) {
    expect_startable(f.task);
    Ledger::Task& t = run_.tasks[f.task];
    if (needs_admission(f.task) != t.queued) fail(f.task, "starts past admission");
    if (f.epoch != t.epoch + 1) fail(f.task, "starts under an epoch out of order");
    if (f.attempt != t.failures + t.iteration + 1)
      fail(f.task, "starts under a wrong attempt number");
    if (t.failures_here >= run_.planned(f.task).attempts_max)
      fail(f.task, "has more attempts than allowed");
    t.live = true;
    t.stopping = t.queued = false;
    t.epoch = f.epoch;
    t.attempt = f.attempt;
    t.started_at = at_;
    t.retry_at.reset();
    t.child.reset();
  }
  void operator()(const AttemptSucceeded& f) {
    Ledger::Task& t = expect_undecided(f.task, f.epoch);
    if (scripted(f.task).again && !is_fire_and_forget(f.task))
      fail(f.task, "succeeds though its repeat_until is false");
    check_success(f.task, f.output.json);
    t.live = false;
    t.output = f.output;
    end(f.task, TaskStatus::succeeded);
  }
  void operator()(const IterationEnded& f) {
    Ledger::Task& t = expect_undecided(f.task, f.epoch);
    if (!scripted(f.task).again) fail(f.task, "is repeated though its repeat_until is true");
    check_success(f.task, f.output.json);
    if (++t.iteration >= run_.planned(f.task).iterations_max)
      fail(f.task, "is repeated beyond max_iterations");
    t.live = false;
    t.output = f.output;
    t.failures_here = 0;
  }
  void operator()(const ChildStarted& f) {
    Ledger::Task& t = expect_undecided(f.task, f.epoch);
    const Ledger::Run* child = ledger_.find(f.child);
    if (run_.planned(f.task).type->kind != NodeKind::subflow || t.child)
      fail(f.task, "has a run that it must not have");
    if (child == nullptr || child->row.parent != run_.row.id || child->row.parent_task != f.task)
      fail(f.task, "is a run that does not know it");
    t.child = f.child;
    run_.children[f.child] = {f.task, f.epoch, is_waited_for(f.task)};
  }
  void operator()(const AttemptFailed& f) {
    Ledger::Task& t = expect_undecided(f.task, f.epoch);
    const model::PlannedTask& planned = run_.planned(f.task);
    if (f.stopping && !(planned.timeout && at_ >= t.started_at + *planned.timeout))
      fail(f.task, "is timed out before its time");
    check_kind(f.task, f);
    t.live = t.stopping = f.stopping;
    bool has_retry = t.failures_here + 1 < planned.attempts_max;
    bool retries = has_retry && is_retryable(planned, f.failure.kind) && !is_quarantined(f.task, f);
    if (retries != (f.then == TaskStatus::retrying)) fail(f.task, "is retried against its rules");
    if (f.then != TaskStatus::retrying) return end(f.task, f.then);
    check_delay(f.task, *f.retry_at);
    ++t.failures;
    ++t.failures_here;
    t.retry_at = f.retry_at;
  }
  void operator()(const AttemptGone& f) {
    Ledger::Task& t = run_.tasks[f.task];
    if (!t.live || !t.stopping || t.epoch != f.epoch) fail(f.task, "goes without being stopped");
    if (t.child && !ledger_.find(*t.child)->finished && is_waited_for(f.task))
      fail(f.task, "goes while its run lives");
    t.live = t.stopping = false;
  }
  void operator()(const AttemptLost& f) {
    Ledger::Task& t = expect_undecided(f.task, f.epoch);
    if (!ledger_.recovering) fail(f.task, "is lost though its server lives");
    if (t.child) fail(f.task, "is lost though it is a run");
    t.live = false;
    if (++t.lost > 3) fail(f.task, "is recovered a fourth time");
  }
  void operator()(const TasksEnded& f) {
    for (TaskIndex i : f.tasks) {
      if (f.status == TaskStatus::cancelled) {
        expect_cancelled(i);
      } else {
        expect_skipped(i, f.by_choice);
      }
      if (run_.tasks[i].live) run_.tasks[i].stopping = true;
      run_.tasks[i].by_choice = f.by_choice;
      end(i, f.status);
    }
  }

  // ---- after the row ----

  void check_whole() {
    std::uint32_t active = 0;
    std::map<TaskIndex, std::uint32_t> begun;  // elements of each mapped task
    bool is_cut = false;
    for (TaskIndex i = 0; i < run_.tasks.size(); ++i) {
      const Ledger::Task& t = run_.tasks[i];
      active += t.live || t.queued;
      bool is_element = t.map_index >= 0;
      if (!run_.is_hook(i) && !is_element && t.end && model::is_failure(*t.end))
        is_cut |= plan_.fail_fast;
      if (is_element && !t.end && (t.queued || t.live || t.waiting || t.retry_at))
        ++begun[t.planned];
    }
    if (active > plan_.max_parallel) fail("has more tasks under way than max_parallel");
    for (const auto& [mapped, count] : begun)
      if (count > plan_.tasks[mapped].elements_parallel_max)
        fail(mapped, "has more elements under way than max_parallel");
    if (!is_cut) return;
    for (TaskIndex i = 0; i < run_.tasks.size(); ++i)
      if (!run_.tasks[i].end && !run_.is_hook(i) && !is_spared(run_.planned(i).trigger_rule))
        fail(i, "goes on though fail_fast ends it");
  }

 private:
  [[noreturn]] void fail(std::string_view what) { violate("{} {}", to_string(run_.row.id), what); }
  [[noreturn]] void fail(TaskIndex i, std::string_view what) {
    violate("{} task run {} ({}) {}", to_string(run_.row.id), i, run_.planned(i).id, what);
  }

  Verdicts verdicts_of(TaskIndex i) const {
    const Ledger::Task& t = run_.tasks[i];
    return ledger_.script.verdicts(run_.row.org_id, run_.row.id, plan_, t.planned, i, t.map_index);
  }
  Outcome scripted(TaskIndex i) const {
    return ledger_.script.outcome(run_.row.id, run_.planned(i), i, run_.tasks[i].attempt);
  }
  bool is_mapped(TaskIndex i) const {
    return run_.planned(i).map_over && run_.tasks[i].map_index < 0;
  }
  bool needs_admission(TaskIndex i) const {
    return run_.planned(i).type->needs_slot || !run_.tasks[i].key.empty();
  }
  bool is_waited_for(TaskIndex i) const {
    return ledger_.script.child(run_.row.id, i, run_.tasks[i].attempt).waits;
  }
  bool is_fire_and_forget(TaskIndex i) const {
    return run_.planned(i).type->kind == NodeKind::subflow && !is_waited_for(i);
  }

  // ---- what must hold before ----

  void expect_may_begin(TaskIndex i) {
    const Ledger::Task& t = run_.tasks[i];
    if (t.end) fail(i, "begins after its end");
    if (t.live || t.waiting || t.is_expanded) fail(i, "begins a second time");
    if (run_.paused) fail(i, "begins while the run is paused");
    if (run_.is_hook(i)) return expect_hook(i);
    if (!run_.started_at) fail(i, "begins before the run");
    if (run_.decided) fail(i, "begins after the run's end");
    if (!run_.parents_ended(i)) fail(i, "begins before its parents have ended");
    if (t.map_index < 0 && wanted(run_.planned(i).trigger_rule, run_.parent_ends(i)) != 'R')
      fail(i, "begins against its trigger rule");
    if (t.map_index >= 0 && run_.tasks[t.planned].end) fail(i, "begins after its task's end");
  }
  void expect_hook(TaskIndex i) {
    if (!run_.decided) fail(i, "is a hook that begins before the run is decided");
    if (!is_hook_of(run_.planned(i), *run_.decided)) fail(i, "is a hook of another end");
    for (TaskIndex other = 0; other < run_.tasks.size(); ++other)
      if (run_.tasks[other].live && !run_.is_hook(other))
        fail(i, "is a hook that begins while the flow is under way");
  }
  Verdicts expect_decidable(TaskIndex i) {
    expect_may_begin(i);
    const model::PlannedTask& planned = run_.planned(i);
    bool is_element = run_.tasks[i].map_index >= 0;
    if (!(is_element ? planned.decides_elements : planned.decides) || run_.tasks[i].decided)
      fail(i, "is decided though nothing is to be evaluated");
    return verdicts_of(i);
  }
  void expect_startable(TaskIndex i) {
    expect_may_begin(i);
    const Ledger::Task& t = run_.tasks[i];
    const model::PlannedTask& planned = run_.planned(i);
    bool is_element = t.map_index >= 0;
    if (!t.decided && (is_element ? planned.decides_elements : planned.decides))
      fail(i, "starts before its expressions are evaluated");
    if (!planned.type->has_attempts()) fail(i, "starts though its type has no attempts");
    if (t.retry_at && at_ < *t.retry_at) fail(i, "is retried before its delay is over");
  }
  Ledger::Task& expect_undecided(TaskIndex i, int epoch) {
    Ledger::Task& t = run_.tasks[i];
    if (!t.live || t.stopping || t.epoch != epoch)
      fail(i, "has an outcome without such an attempt");
    return t;
  }

  // ---- what an end rests on ----

  void check_reused(TaskIndex i, const std::string& output) {
    const Ledger::Run* earlier = run_.row.rerun_of ? ledger_.find(*run_.row.rerun_of) : nullptr;
    if (earlier == nullptr || !earlier->finished) fail(i, "reuses nothing that has ended");
    const TaskRecord& record = earlier->records.at(i);
    if (record.status != TaskStatus::succeeded || record.output->json != output)
      fail(i, "reuses an output that was not");
  }
  std::pair<std::uint32_t, std::uint32_t> elements_of(TaskIndex mapped) const {
    const Ledger::Task& t = run_.tasks[mapped];
    std::uint32_t open = 0, failed = 0;
    for (TaskIndex i = t.first; i < t.first + t.count; ++i) {
      open += !run_.tasks[i].end;
      failed += run_.tasks[i].end && model::is_failure(*run_.tasks[i].end);
    }
    return {open, failed};
  }
  void check_gathered(TaskIndex i, const std::string& output) {
    const auto [open, failed] = elements_of(i);
    if (open > 0) fail(i, "succeeds before its elements have ended");
    if (failed > run_.planned(i).max_failures) fail(i, "succeeds with too many failed elements");
    const Ledger::Task& t = run_.tasks[i];
    std::string list;
    for (TaskIndex e = t.first; e < t.first + t.count; ++e) {
      bool succeeded = run_.tasks[e].end == TaskStatus::succeeded;
      list += (list.empty() ? "" : ",") + (succeeded ? run_.tasks[e].output.json : "null");
    }
    if (output != "[" + list + "]") fail(i, "has another list than its elements gave");
  }
  void check_wait_succeeded(TaskIndex i, const std::string& output) {
    const Ledger::Task& t = run_.tasks[i];
    bool is_over = t.until && at_ >= *t.until && t.then == model::WaitEnd::succeed && !run_.paused;
    bool is_approval = run_.planned(i).type->kind == NodeKind::approval;
    if (is_approval && ledger_.was_answered(run_.row.id, i, true, output)) return;
    if (!is_over || (!is_approval && output != "null")) fail(i, "does not wait to the end");
  }
  bool wait_may_fail(TaskIndex i, const TaskFailed& f) const {
    const Ledger::Task& t = run_.tasks[i];
    if (run_.planned(i).type->kind != NodeKind::approval) return false;
    if (f.failure.kind == "rejected" &&
        ledger_.was_answered(run_.row.id, i, false, f.failure.message))
      return true;
    if (!t.until || at_ < *t.until || run_.paused) return false;
    if (t.then == model::WaitEnd::reject) return f.failure.kind == "rejected";
    return t.then == model::WaitEnd::fail && f.status == TaskStatus::timed_out;
  }
  void check_success(TaskIndex i, const std::string& output) {
    const Ledger::Task& t = run_.tasks[i];
    if (run_.planned(i).type->kind == NodeKind::subflow) {
      const Ledger::Run* child = t.child ? ledger_.find(*t.child) : nullptr;
      if (child == nullptr) fail(i, "succeeds without the run that it is");
      if (is_waited_for(i) && !(child->finished && child->decided == RunStatus::succeeded))
        fail(i, "succeeds though its run has not");
      if (output.find(to_string(child->row.id)) == output.npos) fail(i, "has a wrong output");
      return;
    }
    if (!scripted(i).succeeds) fail(i, "succeeds though its attempt failed");
    if (output != Script::output(run_.row.id, i, t.attempt)) fail(i, "has a wrong output");
  }
  void check_kind(TaskIndex i, const AttemptFailed& f) {
    const std::string& kind = f.failure.kind;
    if (f.stopping || kind == "node_lost") return;
    if (kind == "max_iterations") {
      if (!scripted(i).again || run_.tasks[i].iteration + 1 != run_.planned(i).iterations_max)
        fail(i, "fails for its iterations, which are not used up");
    } else if (run_.planned(i).type->kind != NodeKind::subflow) {
      if (scripted(i).succeeds || scripted(i).kind != kind)
        fail(i, "fails in a way its script does not tell");
    } else if (kind == "subflow") {
      const auto& child = run_.tasks[i].child;
      if (!child || !ledger_.find(*child)->finished ||
          ledger_.find(*child)->decided == RunStatus::succeeded)
        fail(i, "fails for its run, which did not");
    } else if (kind != "invalid_config" && kind != "concurrency_limit") {
      fail(i, "fails in a way no sub-flow does");
    }
  }
  bool is_quarantined(TaskIndex i, const AttemptFailed& f) {
    if (f.failure.kind != "node_lost") return false;
    if (!ledger_.recovering || run_.tasks[i].lost != 3) fail(i, "is quarantined too early");
    return true;
  }
  void check_delay(TaskIndex i, base::Timestamp retry_at) {
    const model::PlannedTask& planned = run_.planned(i);
    int retry = run_.tasks[i].failures_here;
    double base_delay = 0;
    if (planned.retry_backoff) {
      base_delay = planned.retry_backoff->initial;
      for (int n = 0; n < retry; ++n) base_delay *= planned.retry_backoff->factor;
      base_delay = std::min(base_delay, planned.retry_backoff->max);
    } else {
      const auto& delays = planned.retry_delay_seconds;
      base_delay = delays[std::min(std::size_t(retry), delays.size() - 1)];
    }
    double delay = std::chrono::duration<double>(retry_at - at_).count();
    if (delay < base_delay - 1e-5 || delay > base_delay * (1 + planned.retry_jitter_factor) + 1e-5)
      fail(i, "is retried after another delay than its own");
  }

  // ---- ends without an attempt deciding them ----

  void expect_cancelled(TaskIndex i) {
    const Ledger::Task& t = run_.tasks[i];
    if (run_.is_hook(i)) {
      if (!run_.decided || at_ < run_.decided_at + 10min) fail(i, "is a hook cut short");
      return;
    }
    for (const Fact& fact : row_.facts)
      if (std::holds_alternative<RunDecided>(fact)) return;
    bool spared = is_spared(run_.planned(i).trigger_rule);
    for (TaskIndex other = 0; other < plan_.tasks.size(); ++other)
      if (plan_.fail_fast && !spared && !run_.is_hook(other) && run_.tasks[other].end &&
          model::is_failure(*run_.tasks[other].end))
        return;
    if (t.map_index >= 0 && elements_of(t.planned).second > run_.planned(i).max_failures) return;
    fail(i, "is cancelled for no reason");
  }
  void expect_skipped(TaskIndex i, bool by_choice) {
    if (run_.is_hook(i) && run_.decided && !is_hook_of(run_.planned(i), *run_.decided)) {
      if (!by_choice) fail(i, "is a hook of another end, and skipped for a failure");
      return;
    }
    bool parents_ended = run_.parents_ended(i);
    char want = parents_ended ? wanted(run_.planned(i).trigger_rule, run_.parent_ends(i)) : '?';
    if (want == '?') fail(i, "is skipped before its parents have ended");
    if (want == 'R') {
      Verdicts verdicts = expect_decidable(i);
      if (verdicts.fails || verdicts.runs || !by_choice) fail(i, "is skipped though it could run");
    } else if (by_choice != (want == 'C')) {
      fail(i, "is skipped for the wrong reason");
    }
  }

  void end(TaskIndex i, TaskStatus status) {
    Ledger::Task& t = run_.tasks[i];
    if (t.end) fail(i, "ends twice");
    t.end = status;
    t.queued = t.waiting = false;
    t.retry_at.reset();
  }

  const Ledger& ledger_;
  Ledger::Run& run_;
  const model::Plan& plan_;
  base::Timestamp at_;
  const FactRow& row_;
};

}  // namespace

void check_row(const Ledger& ledger, Ledger::Run& run, const FactRow& row) {
  Checker checker(ledger, run, row);
  for (const Fact& fact : row.facts) std::visit(checker, fact);
  checker.check_whole();
}

}  // namespace sim
