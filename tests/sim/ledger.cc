#include "sim/ledger.h"

#include "sim/rules.h"

namespace sim {

Ledger::Run::Run(const store::LiveRunRow& created, std::shared_ptr<const model::Plan> plan)
    : row(created), folded(created.id, plan), tasks(plan->tasks.size()) {
  for (TaskIndex i = 0; i < tasks.size(); ++i) tasks[i].planned = i;
}

std::string Ledger::Run::parent_ends(TaskIndex i) const {
  std::string ends;
  if (tasks[i].map_index >= 0) return ends;
  for (TaskIndex parent : planned(i).parents) {
    const Task& p = tasks[parent];
    if (!p.end) continue;
    bool taken = *p.end != TaskStatus::succeeded || is_taken(plan(), parent, i, p.output.json);
    ends += taken ? end_letter(*p.end, p.by_choice) : 'C';
  }
  return ends;
}

bool Ledger::Run::parents_ended(TaskIndex i) const {
  return tasks[i].map_index >= 0 || parent_ends(i).size() == planned(i).parents.size();
}

void Ledger::create(const store::LiveRunRow& row, std::shared_ptr<const model::Plan> plan) {
  runs_.emplace(row.id, Run(row, std::move(plan)));
}

void Ledger::add_row(RunId id, const std::string& facts) {
  Run& run = runs_.at(id);
  base::Result<engine::FactRow> row = engine::parse_facts(facts);
  if (!row) violate("a committed row cannot be read: {}", row.error().message);
  if (checks_rules) check_row(*this, run, *row);
  for (const engine::Fact& fact : row->facts) {
    if (!engine::fold(run.folded, fact, row->at))
      violate("{}: {} cannot be folded", to_string(id), facts);
    if (run.folded.active > run.plan().max_parallel)
      violate("{} has more tasks under way than max_parallel", to_string(id));
  }
}

const Ledger::Run* Ledger::find(RunId id) const {
  auto found = runs_.find(id);
  return found == runs_.end() ? nullptr : &found->second;
}

bool Ledger::is_live(RunId id, TaskIndex task, int epoch) const {
  const Run* run = find(id);
  return run && task < run->tasks.size() && run->tasks[task].live &&
         run->tasks[task].epoch == epoch;
}

bool Ledger::was_answered(RunId run, TaskIndex task, bool approved, const std::string& text) const {
  auto [from, to] = answers_.equal_range({run, task});
  return std::any_of(from, to, [&](const auto& each) {
    return each.second.approved == approved && each.second.text == text;
  });
}

void Ledger::finish(const store::FinishedRunRow& row) {
  Run& run = runs_.at(row.run);
  if (run.decided && run.decided != row.status)
    violate("{} changes its final status", to_string(row.run));
  if (!run.decided) run.decided_at = row.finished_at;
  run.decided = row.status;
  run.failure = row.failure;
  run.finished = true;
  for (Task& task : run.tasks) task.live = task.queued = task.waiting = false;
  for (const std::string& chunk : row.task_chunks)
    if (!engine::decode_tasks(chunk, run.records))
      violate("{} has damaged task records", to_string(row.run));
}

}  // namespace sim
