#include "sim/ledger.h"

namespace sim {

using namespace engine;

namespace {

// Applies the facts of one run and complains about any that breaks a rule.
class Checker {
 public:
  Checker(Ledger::Run& run, base::Timestamp at) : run_(run), plan_(*run.folded.plan), at_(at) {}

  void operator()(const RunStarted&) { run_.started_at = at_; }
  void operator()(const TaskQueued& f) {
    expect_startable(f.task);
    if (!plan_.tasks[f.task].type->needs_slot) fail(f.task, "waits for a slot it does not need");
  }
  void operator()(const AttemptStarted& f) {
    expect_startable(f.task);
    Ledger::Task& t = run_.tasks[f.task];
    if (f.epoch != t.epoch + 1) fail(f.task, "starts under an epoch out of order");
    if (f.attempt != t.failures + 1) fail(f.task, "starts under a wrong attempt number");
    if (f.attempt > plan_.tasks[f.task].attempts_max)
      fail(f.task, "has more attempts than allowed");
    if (t.retry_at && at_ < *t.retry_at) fail(f.task, "is retried before its delay is over");
    t.live = true;
    t.stopping = false;
    t.epoch = f.epoch;
    t.started_at = at_;
    t.retry_at.reset();
  }
  void operator()(const AttemptSucceeded& f) {
    expect_undecided(f.task, f.epoch);
    run_.tasks[f.task].live = false;
    run_.tasks[f.task].output = f.output;
    end(f.task, TaskStatus::succeeded);
  }
  void operator()(const AttemptFailed& f) {
    expect_undecided(f.task, f.epoch);
    Ledger::Task& t = run_.tasks[f.task];
    const auto& timeout = plan_.tasks[f.task].timeout;
    if (f.stopping && !(timeout && at_ >= t.started_at + *timeout))
      fail(f.task, "is timed out before its time");
    t.live = t.stopping = f.stopping;
    if (f.then != TaskStatus::retrying) return end(f.task, f.then);
    ++t.failures;
    t.retry_at = f.retry_at;
  }
  void operator()(const AttemptGone& f) {
    Ledger::Task& t = run_.tasks[f.task];
    if (!t.live || !t.stopping || t.epoch != f.epoch) fail(f.task, "goes without being stopped");
    t.live = t.stopping = false;
  }
  void operator()(const AttemptLost& f) {
    expect_undecided(f.task, f.epoch);
    run_.tasks[f.task].live = false;
    if (++run_.tasks[f.task].lost > 3) fail(f.task, "is recovered a fourth time");
  }
  void operator()(const TasksEnded& f) {
    for (TaskIndex i : f.tasks) {
      if (run_.tasks[i].live) run_.tasks[i].stopping = true;
      end(i, f.status);
    }
  }
  void operator()(const RunDecided& f) {
    if (run_.decided) violate("a run is decided twice");
    run_.decided = f.status;
  }
  template <class F>
  void operator()(const F&) {
    violate("a fact that no workload causes yet");
  }

 private:
  [[noreturn]] void fail(TaskIndex i, std::string_view what) {
    violate("{} task {} {}", to_string(run_.folded.id), plan_.tasks[i].id, what);
  }
  void expect_startable(TaskIndex i) {
    if (run_.decided) fail(i, "starts after the run's end");
    if (run_.tasks[i].end) fail(i, "starts after its end");
    if (run_.tasks[i].live) fail(i, "starts while an attempt lives");
    for (TaskIndex parent : plan_.tasks[i].parents)
      if (run_.tasks[parent].end != TaskStatus::succeeded)
        fail(i, "starts before its parents have succeeded");
  }
  void expect_undecided(TaskIndex i, int epoch) {
    const Ledger::Task& t = run_.tasks[i];
    if (!t.live || t.stopping || t.epoch != epoch)
      fail(i, "has an outcome without such an attempt");
  }
  void end(TaskIndex i, TaskStatus status) {
    if (run_.tasks[i].end) fail(i, "ends twice");
    run_.tasks[i].end = status;
  }

  Ledger::Run& run_;
  const model::Plan& plan_;
  base::Timestamp at_;
};

}  // namespace

Ledger::Run::Run(RunId id, std::shared_ptr<const model::Plan> plan)
    : folded(id, plan), tasks(plan->tasks.size()) {}

void Ledger::create(RunId id, std::shared_ptr<const model::Plan> plan) {
  runs_.emplace(id, Run(id, std::move(plan)));
}

void Ledger::add_row(RunId id, const std::string& facts) {
  Run& run = runs_.at(id);
  base::Result<FactRow> row = parse_facts(facts);
  if (!row) violate("a committed row cannot be read: {}", row.error().message);
  for (const Fact& fact : row->facts) {
    std::visit(Checker(run, row->at), fact);
    if (!fold(run.folded, fact, row->at)) violate("{}: {} cannot be folded", to_string(id), facts);
    if (run.folded.active > run.folded.plan->max_parallel)
      violate("{} has more tasks under way than max_parallel", to_string(id));
  }
}

const Ledger::Run* Ledger::find(RunId id) const {
  auto found = runs_.find(id);
  return found == runs_.end() ? nullptr : &found->second;
}

bool Ledger::is_live(RunId id, TaskIndex task, int epoch) const {
  const Run* run = find(id);
  return run && run->tasks[task].live && run->tasks[task].epoch == epoch;
}

void Ledger::finish(const store::FinishedRunRow& row) {
  Run& run = runs_.at(row.run);
  if (run.decided && run.decided != row.status)
    violate("{} changes its final status", to_string(row.run));
  run.decided = row.status;
  for (Task& task : run.tasks) task.live = false;
}

}  // namespace sim
