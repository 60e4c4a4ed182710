#include "sim/world.h"

#include "model/test_catalog.h"
#include "sim/reference.h"

namespace sim {

using runtime::Message;

void Totals::add(const Totals& other) {
  steps += other.steps;
  commits += other.commits;
  failed_commits += other.failed_commits;
  crashes += other.crashes;
  runs += other.runs;
  attempts += other.attempts;
}

World::World(WorldOptions options, Workload workload)
    : options_(std::move(options)),
      work_(std::move(workload)),
      random_(options_.seed ^ 0x51ed),
      trace_(options_.verbose),
      store_(ledger_, trace_),
      executor_(ledger_, options_.script, clock_, random_, trace_),
      client_(store_, ledger_, clock_, trace_) {
  store_.flows = work_.flows;
  store_.fault = [this](int commit) {
    CommitFault fault = options_.fault(commit);
    bool crash = fault == CommitFault::crash_before || fault == CommitFault::crash_after;
    return crash && crashes_ >= options_.crashes_max ? CommitFault::none : fault;
  };
}

Totals World::totals() const {
  return {steps_,
          store_.commits(),
          store_.failures(),
          crashes_,
          std::ssize(store_.finished()),
          executor_.started()};
}

void World::run() {
  boot();
  while (advance())
    if (steps_ > 200'000) violate("does not come to rest");
  check_end();
}

// A start of the server; power may go and the store may fail during it too.
void World::boot() {
  while (true) {
    shard_ = std::make_unique<runtime::Shard>(store_, executor_, clock_, model::test_catalog(),
                                              runtime::ShardOptions{options_.slots, 1});
    try {
      trace_("{} recover", base::to_iso8601(clock_.time));
      if (base::Result<> recovered = shard_->recover()) break;
    } catch (const Crash&) {
      ++crashes_;
    }
    executor_.die();
    clock_.time += std::chrono::milliseconds(100);
  }
  check_after(true);
}

void World::crash() {
  ++crashes_;
  trace_("{} crash", base::to_iso8601(clock_.time));
  executor_.die();
  client_.forget_unanswered();
  clock_.time += std::chrono::milliseconds(random_.below(2000));
  boot();
}

// Moves to the next instant at which something happens; false when nothing is left to come.
bool World::advance() {
  std::optional<base::Timestamp> next = executor_.next();
  auto consider = [&](std::optional<base::Timestamp> at) {
    if (at && (!next || *at < *next)) next = at;
  };
  if (!work_.actions.empty()) consider(begin_ + work_.actions.begin()->first);
  consider(shard_->next_wake());
  if (!next) {
    if (!store_.live().empty())
      violate("stuck: {} runs live and nothing is to come", store_.live().size());
    return false;
  }
  if (*next > clock_.time) {
    clock_.time = *next;
    idle_steps_ = 0;
  }
  if (random_.below(8) == 0) clock_.time += std::chrono::milliseconds(random_.below(300));
  std::vector<Message> messages = executor_.take_due();
  take_commands(messages);
  idle_steps_ = messages.empty() ? idle_steps_ + 1 : 0;
  if (idle_steps_ > 1000) violate("busy: the shard wants to be woken all the time");
  if (random_.unit() < options_.crash_rate && crashes_ < options_.crashes_max) {
    crash();
  } else {
    step(std::move(messages));
  }
  return true;
}

void World::take_commands(std::vector<Message>& messages) {
  while (!work_.actions.empty() && begin_ + work_.actions.begin()->first <= clock_.time) {
    PlannedAction action = work_.actions.begin()->second;
    work_.actions.erase(work_.actions.begin());
    if (std::optional<Message> message = client_.command(action)) {
      std::size_t at = random_.below(messages.size() + 1);
      messages.insert(messages.begin() + std::ptrdiff_t(at), std::move(*message));
    }
  }
}

void World::step(std::vector<Message> messages) {
  ++steps_;
  trace_("{} step {} with {} messages", base::to_iso8601(clock_.time), steps_, messages.size());
  int failures = store_.failures();
  client_.begin_step();
  try {
    shard_->step(std::move(messages));
  } catch (const Crash&) {
    return crash();
  }
  check_after(store_.failures() == failures);
}

// ---- invariants ----

void World::check_after(bool succeeded) {
  client_.check_answered();
  if (!succeeded) return;
  check_memory();
  check_slots();
  check_work();
  check_reports();
  client_.check_waiters();
}

// What a restart would read is what the shard has in memory.
void World::check_memory() {
  if (shard_->live_runs() != store_.live().size())
    violate("the shard has {} runs, the store {}", shard_->live_runs(), store_.live().size());
  for (const auto& [id, live] : store_.live()) {
    const engine::RunState* memory = shard_->state_of(id);
    const engine::RunState& folded = ledger_.find(id)->folded;
    if (memory == nullptr) violate("{} lives in the store only", to_string(id));
    bool same = memory->tasks == folded.tasks && memory->status == folded.status &&
                memory->failure == folded.failure && memory->started_at == folded.started_at &&
                memory->decided_at == folded.decided_at &&
                memory->first_failed == folded.first_failed && memory->open == folded.open &&
                memory->live == folded.live && memory->active == folded.active;
    if (!same) violate("{} differs in memory and store", to_string(id));
    if (live.row.status != memory->status || live.row.started_at != memory->started_at)
      violate("{} has another status in its row", to_string(id));
    if (model::is_final(memory->status) && memory->live == 0)
      violate("{} is over but not finished", to_string(id));
  }
}

// Slots are held by live attempts that need one, by nothing else, and none is idle while a task
// waits.
void World::check_slots() {
  std::size_t live = 0, queued = 0;
  for (const auto& [id, row] : store_.live()) {
    const engine::RunState& state = *shard_->state_of(id);
    for (TaskIndex i = 0; i < state.tasks.size(); ++i) {
      queued += state.tasks[i].status == TaskStatus::queued;
      if (!state.tasks[i].live || !state.plan->tasks[i].type->needs_slot) continue;
      ++live;
      if (!shard_->admission().holds({id, i}))
        violate("{} task {} lives without a slot", to_string(id), state.plan->tasks[i].id);
    }
  }
  const engine::Admission& admission = shard_->admission();
  if (admission.holders() != live)
    violate("{} slots are held by {} attempts", admission.holders(), live);
  if (live > options_.slots) violate("{} attempts hold {} slots", live, options_.slots);
  if (admission.waiting() != queued)
    violate("{} places wait for {} queued tasks", admission.waiting(), queued);
  if (queued > 0 && live < options_.slots && !shard_->next_wake())
    violate("a slot is idle while a task waits, and nothing will wake the shard");
}

// Whatever may happen by now has happened, and whatever must end has been told to.
void World::check_work() {
  std::optional<base::Timestamp> wake = shard_->next_wake();
  if (wake && *wake <= clock_.time) return;  // after a start the timers are still to fire
  for (const auto& [id, row] : store_.live()) check_run(*shard_->state_of(id));
}

void World::check_run(const engine::RunState& run) {
  const model::Plan& plan = *run.plan;
  auto is_over = [&](const auto& timeout, const auto& since) {
    return timeout && since && *since + *timeout <= clock_.time;
  };
  if (!model::is_final(run.status) && is_over(plan.timeout, run.started_at))
    violate("{} runs beyond its timeout", to_string(run.id));
  for (TaskIndex i = 0; i < run.tasks.size(); ++i) {
    const engine::TaskState& task = run.tasks[i];
    bool waits = task.status == TaskStatus::pending && task.parents_open == 0;
    bool retries =
        task.status == TaskStatus::retrying && !task.live && task.wake_at <= clock_.time;
    if ((waits || retries) && run.active < plan.max_parallel)
      violate("{} task {} could start and does not", to_string(run.id), plan.tasks[i].id);
    if (task.live && !task.stopping && is_over(plan.tasks[i].timeout, task.attempt_started_at))
      violate("{} task {} runs beyond its timeout", to_string(run.id), plan.tasks[i].id);
    if (task.stopping && executor_.goes_on({run.id, i, task.epoch}))
      violate("{} task {} is to end, but nobody told it", to_string(run.id), plan.tasks[i].id);
  }
}

// A report that was handed over ends its attempt in that step, with all its log.
void World::check_reports() {
  for (const Key& key : std::exchange(executor_.ends_delivered, {})) {
    const auto& [run, task, epoch] = key;
    if (ledger_.is_live(run, task, epoch))
      violate("the report of {} task {} epoch {} was lost", to_string(run), task, epoch);
    check_logs(key);
  }
}

void World::check_logs(const Key& key) {
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
  if (int sent = executor_.chunks_sent().at(key); sent != expected)
    violate("the log of {} task {} epoch {} has {} of {} chunks", to_string(run), task, epoch,
            expected, sent);
}

void World::check_end() {
  for (const auto& [id, row] : store_.finished())
    check_finished(row, *ledger_.find(id)->folded.plan, options_.script,
                   client_.cancel_was_asked(id));
  client_.check_end();
  if (shard_->slots_held() != 0) violate("slots are held at the end");
}

}  // namespace sim
