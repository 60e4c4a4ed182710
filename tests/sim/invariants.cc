// What holds after every step.
#include <set>

#include "sim/reference.h"
#include "sim/world.h"

namespace sim {

using namespace std::chrono_literals;
using engine::Admission;
using model::NodeKind;

void World::check_after(bool succeeded) {
  client_.check_answered();
  if (!succeeded) return;
  client_.look_at_approvals();
  check_memory();
  check_slots();
  check_keys();
  check_work();
  check_approvals();
  check_children();
  check_policies();
  check_reports();
  if (is_settled()) client_.check_waiters();
}

// No timer is due that has not fired.
bool World::is_settled() const {
  std::optional<base::Timestamp> wake = shard_->next_wake();
  return !wake || *wake > clock_.now();
}

// What a restart would read is what the shard has in memory.
void World::check_memory() const {
  if (shard_->live_runs() != store_.live().size())
    violate("the shard has {} runs, the store {}", shard_->live_runs(), store_.live().size());
  for (const auto& [id, live] : store_.live()) {
    const runtime::LiveRun* run = shard_->live_run(id);
    if (run == nullptr) violate("{} lives in the store only", to_string(id));
    const engine::RunState& memory = run->state;
    const engine::RunState& folded = ledger_.find(id)->folded;
    bool same = memory.tasks == folded.tasks && memory.status == folded.status &&
                memory.failure == folded.failure && memory.started_at == folded.started_at &&
                memory.decided_at == folded.decided_at &&
                memory.first_failed == folded.first_failed && memory.elements == folded.elements &&
                memory.keys == folded.keys && memory.children == folded.children &&
                memory.open == folded.open && memory.open_hooks == folded.open_hooks &&
                memory.live == folded.live && memory.active == folded.active;
    if (!same) violate("{} differs in memory and store", to_string(id));
    if (live.row.status != memory.status || live.row.started_at != memory.started_at)
      violate("{} has another status in its row", to_string(id));
    if (model::is_final(memory.status) && memory.live == 0 && memory.open_hooks == 0)
      violate("{} is over but not finished", to_string(id));
  }
}

// ---- places ----

// Places are held by what lives and needs one, by nothing else.
void World::check_slots() const {
  std::size_t holders = 0, waiting = 0, slots = 0;
  for (const auto& [id, row] : store_.live()) {
    const runtime::LiveRun& run = *shard_->live_run(id);
    check_places(run, holders, waiting);
    for (TaskIndex i = 0; i < run.state.tasks.size(); ++i)
      slots += run.state.tasks[i].live && run.state.planned(i).type->needs_slot;
  }
  const Admission& admission = shard_->admission();
  if (admission.holders() != holders)
    violate("{} places are held by {} holders", admission.holders(), holders);
  if (admission.waiting() != waiting)
    violate("{} places wait for {} that wait", admission.waiting(), waiting);
  if (admission.slots_held() != slots || slots > options_.slots)
    violate("{} attempts hold {} of {} slots", slots, admission.slots_held(), options_.slots);
}

void World::check_places(const runtime::LiveRun& run, std::size_t& holders,
                         std::size_t& waiting) const {
  const Admission& admission = shard_->admission();
  auto expect = [&](TaskIndex task, bool holds, bool waits) {
    holders += holds;
    waiting += waits;
    Admission::Place place{run.row.id, task};
    if (admission.holds(place) != holds || admission.waits(place) != waits)
      violate("{} task run {} has another place than it should", to_string(run.row.id), task);
    const Admission::Request* request = admission.waiting_request(place);
    if (request == nullptr || !is_settled()) return;
    bool has_slot = !request->needs_slot || admission.slots_held() < options_.slots;
    bool has_room =
        request->key.empty() || admission.key_holders(request->key).size() < request->limit;
    if (has_slot && has_room)
      violate("{} task run {} could have its place and waits", to_string(run.row.id), task);
  };
  for (TaskIndex i = 0; i < run.state.tasks.size(); ++i) {
    const engine::TaskState& task = run.state.tasks[i];
    auto keys = run.state.keys.find(i);
    bool is_limited = keys != run.state.keys.end() && !keys->second.concurrency.empty();
    bool needs = run.state.planned(i).type->needs_slot || is_limited;
    expect(i, task.live && needs, task.status == TaskStatus::queued && !run.state.is_paused());
  }
  bool is_limited = !run.row.concurrency_key.empty();
  expect(Admission::whole_run, is_limited && run.state.started_at,
         is_limited && run.state.status == RunStatus::queued);
}

// Limits are never exceeded, counted from the committed facts alone.
void World::check_keys() const {
  struct Key {
    std::size_t holders = 0;
    std::uint32_t limit = 0;
  };
  std::map<std::string, Key> keys;
  auto hold = [&](const std::string& key, std::uint32_t limit) {
    if (key.empty()) return;
    ++keys[key].holders;
    keys[key].limit = std::max(keys[key].limit, limit);
  };
  for (const auto& [id, row] : store_.live()) {
    const Ledger::Run& run = *ledger_.find(id);
    if (run.started_at) hold(run.row.concurrency_key, run.plan().concurrency_limit.value_or(0));
    for (TaskIndex i = 0; i < run.tasks.size(); ++i)
      if (run.tasks[i].live) hold(run.tasks[i].key, run.planned(i).concurrency_limit.value_or(0));
  }
  for (const auto& [name, key] : keys)
    if (key.holders > key.limit)
      violate("{} holders have the key {}, which is for {}", key.holders, name, key.limit);
}

// ---- work ----

// Whatever may happen by now has happened, and whatever must end has been told to.
void World::check_work() const {
  if (!is_settled()) return;  // after a start the timers are still to fire
  for (const auto& [id, row] : store_.live()) check_run(shard_->live_run(id)->state);
}

void World::check_run(const engine::RunState& run) const {
  const model::Plan& plan = *run.plan;
  bool is_final = model::is_final(run.status);
  if (run.status == RunStatus::running && plan.timeout &&
      *run.started_at + *plan.timeout <= clock_.now())
    violate("{} runs beyond its timeout", to_string(run.id));
  if (is_final && run.open_hooks > 0 && *run.decided_at + 10min <= clock_.now())
    violate("{} has hooks that take longer than 10 minutes", to_string(run.id));
  for (TaskIndex i = 0; i < run.tasks.size(); ++i) check_task(run, i);
}

void World::check_task(const engine::RunState& run, TaskIndex i) const {
  const engine::TaskState& task = run.tasks[i];
  const model::PlannedTask& planned = run.planned(i);
  auto fail = [&](std::string_view what) {
    violate("{} task run {} ({}) {}", to_string(run.id), i, planned.id, what);
  };
  if (task.stopping && executor_.goes_on({run.id, i, task.epoch}))
    fail("is to end, but nobody told it");
  bool is_over = planned.timeout && task.attempt_started_at &&
                 *task.attempt_started_at + *planned.timeout <= clock_.now();
  if (task.live && !task.stopping && is_over) fail("runs beyond its timeout");
  bool flow_runs = run.status == RunStatus::running;
  bool hooks_run = model::is_final(run.status) && run.live == 0;
  if (run.is_hook(i) ? !hooks_run : !flow_runs) return;
  if (task.status == TaskStatus::waiting && !task.live && task.wake_at <= clock_.now() &&
      task.wake_at)
    fail("waits beyond its time");
  auto elements = run.elements.find(i);
  if (elements != run.elements.end()) {
    bool is_open = task.status == TaskStatus::running;
    if (is_open && elements->second.open == 0 && !executor_.is_computing(run.id, i))
      fail("has all its elements and is not gathered");
    return;
  }
  if (run.is_element(i) &&
      i >= run.elements.at(task.planned).first + run.elements.at(task.planned).fed)
    return;
  bool waits = task.status == TaskStatus::pending && task.parents_open == 0;
  bool retries = task.status == TaskStatus::retrying && !task.live && task.wake_at <= clock_.now();
  if ((waits || retries) && run.active < run.plan->max_parallel &&
      !executor_.is_computing(run.id, i))
    fail("could start and does not");
}

// An approval stands open exactly while its task waits.
void World::check_approvals() const {
  std::set<std::pair<RunId, TaskIndex>> waiting;
  for (const auto& [id, row] : store_.live()) {
    const Ledger::Run& run = *ledger_.find(id);
    for (TaskIndex i = 0; i < run.tasks.size(); ++i)
      if (run.tasks[i].waiting && run.planned(i).type->kind == NodeKind::approval)
        waiting.emplace(id, i);
  }
  for (const auto& [key, row] : store_.approvals()) {
    if (waiting.erase(key) == 0)
      violate("an approval of {} is open and nothing waits for it", to_string(key.first));
    if (row.org_id != ledger_.find(key.first)->row.org_id)
      violate("an approval of {} belongs to another organization", to_string(key.first));
  }
  if (!waiting.empty())
    violate("{} task run {} waits for an approval that nobody sees",
            to_string(waiting.begin()->first), waiting.begin()->second);
}

// A run that its parent's attempt waits for ends with that attempt.
void World::check_children() const {
  for (const auto& [id, row] : store_.live()) {
    const Ledger::Run& child = *ledger_.find(id);
    if (!child.row.parent) continue;
    const Ledger::Run& parent = *ledger_.find(*child.row.parent);
    auto entry = parent.children.find(id);
    if (entry == parent.children.end() || !entry->second.waits) continue;
    const Ledger::Task& task = parent.tasks[entry->second.task];
    if (!task.live || task.epoch != entry->second.epoch)
      violate("{} goes on without the attempt that it is", to_string(id));
    if (task.stopping && !child.decided)
      violate("{} is not told that its parent's attempt ends", to_string(id));
  }
}

// cancel_running gives up the oldest runs of a key first. Paused runs may have left the queue.
void World::check_policies() const {
  std::map<std::string, RunId> gave_way;  // the youngest of each key that did
  for (const auto& [id, run] : ledger_.runs())
    if (run.failure && run.failure->message == "a newer run took its place")
      gave_way[run.row.concurrency_key] = id;
  for (const auto& [id, row] : store_.live()) {
    const Ledger::Run& run = *ledger_.find(id);
    auto younger = gave_way.find(run.row.concurrency_key);
    if (younger != gave_way.end() && id < younger->second && !run.decided && !run.was_paused)
      violate("{} goes on while {}, which is younger, gave way", to_string(id),
              to_string(younger->second));
  }
}

// ---- reports ----

// A report that was handed over ends its attempt in that step, with all its log.
void World::check_reports() {
  for (const Key& key : std::exchange(executor_.ends_delivered, {})) {
    const auto& [run, task, epoch] = key;
    if (ledger_.is_live(run, task, epoch))
      violate("the report of {} task {} epoch {} was lost", to_string(run), task, epoch);
    check_logs(key);
  }
  for (const auto& [run, task, epoch] : std::exchange(executor_.children_delivered, {}))
    if (ledger_.is_live(run, task, epoch) && !ledger_.find(run)->tasks[task].child)
      violate("the run that {} task {} epoch {} asked for was lost", to_string(run), task, epoch);
}

void World::check_logs(const Key& key) const {
  const auto& [run, task, epoch] = key;
  const std::string prefix = fmt::format("{}:", epoch);
  int expected = 0;
  for (auto it = store_.logs().lower_bound({run, 0, 0});
       it != store_.logs().end() && it->second.run == run; ++it) {
    const store::LogChunkRow& row = it->second;
    if (row.task != task || !row.compressed.starts_with(prefix)) continue;
    if (row.compressed != fmt::format("{}{}", prefix, expected++))
      violate("the log of {} task {} has chunk {} out of order", to_string(run), task,
              row.compressed);
  }
  auto sent = executor_.chunks_sent().find(key);
  int chunks = sent == executor_.chunks_sent().end() ? 0 : sent->second;
  if (chunks != expected)
    violate("the log of {} task {} epoch {} has {} of {} chunks", to_string(run), task, epoch,
            expected, chunks);
}

// ---- the end ----

void World::check_end() const {
  for (const auto& [id, row] : store_.finished()) {
    const Ledger::Run& run = *ledger_.find(id);
    check_finished(row, run, ledger_, client_.cancel_was_asked(id));
  }
  client_.check_end();
  if (!store_.approvals().empty()) violate("approvals are open at the end");
  if (shard_->admission().holders() != 0 || shard_->admission().waiting() != 0)
    violate("places are held or waited for at the end");
}

}  // namespace sim
