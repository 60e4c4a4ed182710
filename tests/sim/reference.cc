#include "sim/reference.h"

#include <algorithm>

#include "sim/rules.h"

namespace sim {

using namespace std::chrono_literals;
using engine::TaskRecord;
using model::NodeKind;

namespace {

class Reference {
 public:
  Reference(const store::FinishedRunRow& row, const Ledger::Run& run, const Ledger& ledger)
      : row_(row), run_(run), plan_(run.plan()), ledger_(ledger), records_(run.records) {
    if (records_.size() < plan_.tasks.size()) fail("has too few task records");
    by_choice_.resize(plan_.tasks.size());
  }

  void check(bool cancel_was_asked) {
    check_cancel(cancel_was_asked);
    for (TaskIndex i = 0; i < plan_.tasks.size(); ++i)
      if (!plan_.tasks[i].hook) failed_ |= is_failure(i);
    bool is_cancelled = row_.status == RunStatus::cancelled;
    timed_out_ = row_.failure && row_.failure->message.starts_with("the run took longer");
    if (timed_out_ && !(plan_.timeout && run_.decided_at >= *row_.started_at + *plan_.timeout))
      fail("timed out before its time");
    is_cut_ = is_cancelled || timed_out_;
    find_elements();
    for (TaskIndex i : in_order()) check_task(i);
    for (TaskIndex i = TaskIndex(plan_.tasks.size()); i < records_.size(); ++i) check_element(i);
    for (TaskIndex i : plan_.hooks) check_hook(i);
    check_fingerprint();
    if (is_cut_) return;
    if (row_.status != (failed_ ? RunStatus::failed : RunStatus::succeeded))
      fail("has a status that its tasks do not give");
    if (failed_ != row_.failure.has_value()) fail("tells no failure, or one too many");
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    violate("{} {}", to_string(row_.run), what);
  }
  [[noreturn]] void fail(TaskIndex i, std::string_view what) const {
    violate("{} task run {} ({}, {}) {}", to_string(row_.run), i, records_[i].id,
            base::name_of(records_[i].status), what);
  }

  TaskIndex planned_index(TaskIndex i) const {
    if (i < plan_.tasks.size()) return i;
    for (TaskIndex p = 0; p < plan_.tasks.size(); ++p)
      if (plan_.tasks[p].id == records_[i].id) return p;
    fail(i, "is an element of no task");
  }
  const model::PlannedTask& planned(TaskIndex i) const { return plan_.tasks[planned_index(i)]; }
  bool is_failure(TaskIndex i) const { return model::is_failure(records_[i].status); }
  bool succeeded(TaskIndex i) const { return records_[i].status == TaskStatus::succeeded; }
  Verdicts verdicts_of(TaskIndex i) const {
    return ledger_.script.verdicts(run_.row.org_id, row_.run, plan_, planned_index(i), i,
                                   records_[i].map_index);
  }

  void check_cancel(bool was_asked) {
    if (row_.status != RunStatus::cancelled) return;
    const std::string& why = row_.failure->message;
    bool is_right = why == "enough" && was_asked;
    if (why == "a newer run took its place")
      is_right = plan_.concurrency_limit &&
                 plan_.concurrency_policy == model::ConcurrencyPolicy::cancel_running;
    if (why.ends_with("was ended")) is_right = run_.row.parent.has_value();
    if (!is_right) fail("is CANCELLED though nobody asked");
  }

  // Parents before their children.
  std::vector<TaskIndex> in_order() const {
    std::vector<TaskIndex> order;
    std::vector<bool> taken(plan_.tasks.size());
    while (true) {
      std::size_t before = order.size();
      for (TaskIndex i = 0; i < plan_.tasks.size(); ++i) {
        const auto& parents = plan_.tasks[i].parents;
        if (taken[i] || plan_.tasks[i].hook ||
            !std::all_of(parents.begin(), parents.end(), [&](TaskIndex p) { return taken[p]; }))
          continue;
        taken[i] = true;
        order.push_back(i);
      }
      if (order.size() == before) return order;
    }
  }

  void find_elements() {
    for (TaskIndex i = TaskIndex(plan_.tasks.size()); i < records_.size(); ++i) {
      std::vector<TaskIndex>& of = elements_[planned_index(i)];
      if (records_[i].map_index != int(of.size())) fail(i, "is out of its place");
      of.push_back(i);
    }
  }

  // ---- tasks of the flow ----

  void check_task(TaskIndex i) {
    const TaskRecord& record = records_[i];
    if (!model::is_final(record.status)) fail(i, "has not ended");
    std::string ends;
    for (TaskIndex parent : plan_.tasks[i].parents) {
      bool taken = !succeeded(parent) || is_taken(plan_, parent, i, records_[parent].output->json);
      ends += taken ? end_letter(records_[parent].status, by_choice_[parent]) : 'C';
    }
    char want = wanted(plan_.tasks[i].trigger_rule, ends);
    if (record.status == TaskStatus::cancelled) {
      bool by_failure = plan_.fail_fast && failed_ && !is_spared(plan_.tasks[i].trigger_rule);
      if (!is_cut_ && !by_failure) fail(i, "though nothing cut the run short");
    } else if (record.status == TaskStatus::skipped) {
      if (want == 'R' && verdicts_of(i).runs) fail(i, "though it could run");
      by_choice_[i] = want != 'U';
    } else if (is_reused(i)) {
      return;
    } else {
      if (want != 'R') fail(i, "though its trigger rule does not hold");
      check_end(i);
    }
  }

  bool is_reused(TaskIndex i) const {
    if (!run_.row.rerun_of || !succeeded(i) || records_[i].attempt > 0) return false;
    const Ledger::Run& earlier = *ledger_.find(*run_.row.rerun_of);
    return earlier.records[i].status == TaskStatus::succeeded &&
           earlier.records[i].output == records_[i].output;
  }

  // Of a task or an element that succeeded or failed by itself.
  void check_end(TaskIndex i) const {
    Verdicts verdicts = verdicts_of(i);
    bool is_element = records_[i].map_index >= 0;
    const model::PlannedTask& task = planned(i);
    if (is_element ? task.decides_elements : task.decides) {
      if (verdicts.fails)
        return expect(i, is_failure(i) && records_[i].failure->kind == "expression",
                      "though its expressions fail");
      if (!verdicts.runs) fail(i, "though `when` is false");
    }
    if (task.map_over && !is_element) return check_mapped(i, verdicts);
    if (task.type->kind == NodeKind::branch)
      return expect(i, succeeded(i) && records_[i].output->json == verdicts.choice,
                    "chose otherwise");
    if (!task.type->has_attempts()) return check_wait(i, verdicts);
    bool from_cache = succeeded(i) && records_[i].attempt == 0;
    if (from_cache)
      return expect(i, ledger_.was_cached(verdicts.cache_key, records_[i].output->json),
                    "has an output that no cache had");
    check_attempts(i);
  }

  void expect(TaskIndex i, bool holds, std::string_view what) const {
    if (!holds) fail(i, what);
  }

  void check_wait(TaskIndex i, const Verdicts& verdicts) const {
    if (planned(i).type->kind == NodeKind::delay)
      return expect(i, succeeded(i) && records_[i].output->json == "null", "is only a delay");
    bool by_time = verdicts.wait.has_value();
    if (succeeded(i))
      return expect(i,
                    ledger_.was_answered(row_.run, i, true, records_[i].output->json) ||
                        (by_time && verdicts.then == model::WaitEnd::succeed),
                    "though nobody approved");
    const model::Failure& failure = *records_[i].failure;
    bool rejected =
        failure.kind == "rejected" && (ledger_.was_answered(row_.run, i, false, failure.message) ||
                                       (by_time && verdicts.then == model::WaitEnd::reject));
    bool late = failure.kind == "timeout" && by_time && verdicts.then == model::WaitEnd::fail;
    expect(i, rejected || late, "though nobody rejected");
  }

  void check_mapped(TaskIndex i, const Verdicts& verdicts) const {
    auto found = elements_.find(i);
    std::size_t count = found == elements_.end() ? 0 : found->second.size();
    expect(i, count == verdicts.elements, "has another number of elements than its list");
    std::string list;
    std::uint32_t failed = 0;
    for (std::size_t k = 0; k < count; ++k) {
      TaskIndex e = found->second[k];
      failed += is_failure(e);
      list += (k ? "," : "") + (succeeded(e) ? records_[e].output->json : "null");
    }
    if (failed > plan_.tasks[i].max_failures)
      return expect(i, is_failure(i), "though too many elements failed");
    bool gathering_fails = count > 0 && ledger_.script.gathering_fails(row_.run, i);
    expect(i, gathering_fails ? is_failure(i) : succeeded(i), "though its elements say otherwise");
    if (succeeded(i))
      expect(i, records_[i].output->json == "[" + list + "]", "has another list than its elements");
  }

  void check_element(TaskIndex i) const {
    TaskIndex mapped = planned_index(i);
    if (records_[i].status != TaskStatus::cancelled) return check_end(i);
    expect(i, records_[mapped].status == TaskStatus::cancelled || is_failure(mapped),
           "though its task went on");
  }

  // ---- attempts ----

  void check_attempts(TaskIndex i) const {
    const TaskRecord& record = records_[i];
    const model::PlannedTask& task = planned(i);
    std::size_t next = 0;
    int failures = 0, iterations = 0;
    for (int attempt = 1; attempt < record.attempt; ++attempt) {
      bool failed = next < record.earlier.size() && record.earlier[next].attempt == attempt;
      if (!failed) {
        expect(i, outcome(i, attempt).again, "was repeated though its repeat_until was true");
        ++iterations;
        failures = 0;
        continue;
      }
      const std::string& kind = record.earlier[next++].failure.kind;
      check_kind(i, attempt, kind);
      expect(i, is_retryable(task, kind), "retried what it must not");
      expect(i, ++failures < task.attempts_max, "retried too often");
    }
    expect(i, next == record.earlier.size(), "numbers its attempts wrongly");
    if (succeeded(i)) return check_success(i, iterations);
    const std::string& kind = record.failure->kind;
    check_kind(i, record.attempt, kind);
    if (kind == "max_iterations")
      return expect(i, iterations + 1 == task.iterations_max, "had iterations left");
    bool gave_up = failures + 1 >= task.attempts_max || !is_retryable(task, kind);
    expect(i, gave_up || kind == "node_lost", "though it had attempts left");
    expect(i, (record.status == TaskStatus::timed_out) == (kind == "timeout"),
           "and its failure disagree");
  }

  Outcome outcome(TaskIndex i, int attempt) const {
    return ledger_.script.outcome(row_.run, planned(i), i, attempt);
  }

  void check_success(TaskIndex i, int iterations) const {
    const TaskRecord& record = records_[i];
    const model::PlannedTask& task = planned(i);
    if (task.iterations_max > 0)
      expect(i, iterations < task.iterations_max, "ran more often than max_iterations");
    if (task.type->kind == NodeKind::subflow) {
      const Ledger::Run* child = record.child ? ledger_.find(*record.child) : nullptr;
      expect(i, child != nullptr && child->row.parent == row_.run, "has no run of its own");
      ChildPlan plan = ledger_.script.child(row_.run, i, record.attempt);
      expect(i, !plan.waits || child->decided == RunStatus::succeeded, "though its run did not");
      return;
    }
    Outcome last = outcome(i, record.attempt);
    expect(i, last.succeeds && !last.again, "though its attempt did not");
    expect(i, record.output->json == Script::output(row_.run, i, record.attempt),
           "has a wrong output");
  }

  void check_kind(TaskIndex i, int attempt, const std::string& kind) const {
    const model::PlannedTask& task = planned(i);
    if (kind == "node_lost" && attempt == records_[i].attempt) return;  // the ledger has counted
    if (kind == "timeout") return expect(i, task.timeout.has_value(), "has no timeout");
    if (kind == "max_iterations") return expect(i, task.iterations_max > 0, "does not repeat");
    if (task.type->kind == NodeKind::subflow)
      return expect(i, kind == "subflow" || kind == "invalid_config" || kind == "concurrency_limit",
                    "failed as no sub-flow does");
    Outcome scripted = outcome(i, attempt);
    expect(i, !scripted.succeeds && scripted.kind == kind,
           "failed in a way its script does not tell");
  }

  // ---- hooks ----

  void check_hook(TaskIndex i) const {
    const TaskRecord& record = records_[i];
    expect(i, model::is_final(record.status), "has not ended");
    bool is_wanted = is_hook_of(plan_.tasks[i], row_.status);
    if (!is_wanted)
      return expect(i, record.status == TaskStatus::skipped, "is a hook of another end");
    if (record.status == TaskStatus::skipped)
      return expect(i, !verdicts_of(i).runs, "is a hook that was left out");
    if (record.status == TaskStatus::cancelled && run_.tasks[i].end) return;  // the ledger has seen
    if (record.status == TaskStatus::cancelled)
      return expect(i, row_.finished_at >= run_.decided_at + 10min, "is a hook cut short");
    check_end(i);
  }

  // Failures are grouped by the task that decided them.
  void check_fingerprint() const {
    bool is_failed = row_.status == RunStatus::failed;
    if (is_failed == row_.fingerprint.empty()) fail("has no fingerprint, or one too many");
    if (is_failed && timed_out_ != row_.failed_task.empty())
      fail("does not name the task that failed it");
  }

  const store::FinishedRunRow& row_;
  const Ledger::Run& run_;
  const model::Plan& plan_;
  const Ledger& ledger_;
  const std::vector<TaskRecord>& records_;
  std::vector<bool> by_choice_;
  std::map<TaskIndex, std::vector<TaskIndex>> elements_;
  bool failed_ = false;
  bool timed_out_ = false;
  bool is_cut_ = false;
};

}  // namespace

void check_finished(const store::FinishedRunRow& row, const Ledger::Run& run, const Ledger& ledger,
                    bool cancel_was_asked) {
  Reference(row, run, ledger).check(cancel_was_asked);
}

}  // namespace sim
