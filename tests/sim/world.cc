#include "sim/world.h"

#include "model/test_catalog.h"

namespace sim {

using namespace std::chrono_literals;
using runtime::Message;

void Totals::add(const Totals& other) {
  steps += other.steps;
  commits += other.commits;
  failed_commits += other.failed_commits;
  crashes += other.crashes;
  runs += other.runs;
  children += other.children;
  attempts += other.attempts;
  computes += other.computes;
  approvals += other.approvals;
}

World::World(WorldOptions options, Workload workload)
    : options_(std::move(options)),
      work_(std::move(workload)),
      random_(options_.seed ^ 0x51ed),
      trace_(options_.verbose),
      ledger_(options_.script),
      store_(ledger_, trace_),
      executor_(store_, ledger_, clock_, random_, trace_),
      client_(store_, ledger_, executor_, clock_, trace_, options_.seed ^ 0xc11e, options_.slots) {
  store_.flows = work_.flows;
  store_.fault = [this](int commit) {
    CommitFault fault = options_.fault(commit);
    bool crash = fault == CommitFault::crash_before || fault == CommitFault::crash_after;
    return crash && crashes_ >= options_.crashes_max ? CommitFault::none : fault;
  };
  store_.work = [this] {
    if (random_.unit() < options_.slow_rate)
      clock_.time += std::chrono::milliseconds(random_.below(random_.below(4) ? 100 : 4000));
  };
}

Totals World::totals() const {
  Totals totals;
  totals.steps = steps_;
  totals.commits = store_.commits();
  totals.failed_commits = store_.failures();
  totals.crashes = crashes_;
  totals.runs = std::ssize(store_.finished());
  for (const auto& [id, run] : ledger_.runs()) totals.children += run.row.parent.has_value();
  totals.attempts = executor_.started();
  totals.computes = executor_.computed();
  totals.approvals = client_.answered_approvals();
  return totals;
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
      trace_("{} recover", base::to_iso8601(clock_.now()));
      ledger_.recovering = true;
      base::Result<> recovered = shard_->recover();
      ledger_.recovering = false;
      if (recovered) break;
    } catch (const Crash&) {
      ++crashes_;
    }
    executor_.die(/*with_last_words=*/true);
    clock_.time += 100ms;
  }
  check_after(true);
}

void World::crash(bool with_last_words) {
  ++crashes_;
  trace_("{} crash", base::to_iso8601(clock_.now()));
  executor_.die(with_last_words);
  client_.forget_unanswered();
  clock_.time += std::chrono::milliseconds(random_.below(2000));
  boot();
}

std::optional<base::Timestamp> World::next_instant() const {
  std::optional<base::Timestamp> next = executor_.next();
  auto consider = [&](std::optional<base::Timestamp> at) {
    if (at && (!next || *at < *next)) next = at;
  };
  if (!work_.actions.empty()) consider(begin_ + work_.actions.begin()->first);
  consider(client_.next_answer());
  if (auto wake = shard_->next_wake()) consider(clock_.true_time(*wake));
  return next;
}

void World::pass_time(base::Timestamp next) {
  if (next > clock_.time) {
    clock_.time = next;
    idle_steps_ = 0;
  }
  if (random_.below(8) == 0) clock_.time += std::chrono::milliseconds(random_.below(300));
  if (random_.unit() >= options_.jump_rate) return;
  auto jump = random_.below(2) ? std::chrono::seconds(random_.below(4 * 3600))
                               : -std::chrono::seconds(random_.below(300));
  clock_.offset += jump;
  trace_("{} the clock was set by {} s", base::to_iso8601(clock_.now()), jump.count());
}

// Moves to the next instant at which something happens; false when nothing is left to come.
bool World::advance() {
  std::optional<base::Timestamp> next = next_instant();
  if (!next) return go_on_at_last();
  pass_time(*next);
  std::vector<Message> messages = executor_.take_due();
  client_.take_answers(messages);
  take_commands(messages);
  idle_steps_ = messages.empty() ? idle_steps_ + 1 : 0;
  if (idle_steps_ > 1000) violate("busy: the shard wants to be woken all the time");
  if (random_.unit() < options_.crash_rate && crashes_ < options_.crashes_max) {
    crash(/*with_last_words=*/random_.below(2) == 0);
    return true;
  }
  step(std::move(messages));
  return true;
}

// Nothing is to come by itself: what waits for people goes on, and the rest must be over.
bool World::go_on_at_last() {
  if (store_.live().empty()) return false;
  std::vector<Message> messages = client_.rescue();
  if (messages.empty()) violate("stuck: {} runs live and nothing is to come", store_.live().size());
  step(std::move(messages));
  return true;
}

// Commands come in between the reports of the same instant.
void World::take_commands(std::vector<Message>& messages) {
  while (!work_.actions.empty() && begin_ + work_.actions.begin()->first <= clock_.time) {
    std::optional<Message> message = client_.command(work_.actions.begin()->second);
    work_.actions.erase(work_.actions.begin());
    if (!message) continue;
    auto place = messages.begin() + std::ptrdiff_t(random_.below(messages.size() + 1));
    messages.insert(place, std::move(*message));
  }
}

void World::step(std::vector<Message> messages) {
  ++steps_;
  trace_("{} step, {} messages", base::to_iso8601(clock_.now()), messages.size());
  int failures = store_.failures();
  client_.begin_step();
  try {
    shard_->step(std::move(messages));
  } catch (const Crash&) {
    return crash(/*with_last_words=*/true);
  }
  check_after(store_.failures() == failures);
}

}  // namespace sim
