#include "sim/fake_executor.h"

#include <algorithm>

namespace sim {

using model::NodeKind;

namespace {
std::string name_of(const runtime::TaskContext& context) {
  return fmt::format("{} task run {} ({})", to_string(context.run), context.task,
                     context.planned_task().id);
}
}  // namespace

// ---- what it is given ----

void FakeExecutor::check_context(const runtime::TaskContext& context) const {
  const std::string name = name_of(context);
  const Ledger::Run* run = ledger_.find(context.run);
  if (run == nullptr) violate("{}: of a run that was never committed", name);
  const Ledger::Task& task = run->tasks.at(context.task);
  if (context.planned != task.planned || context.map_index != task.map_index)
    violate("{}: is given another place", name);
  const store::LiveRunRow& row = run->row;
  if (context.org_id != row.org_id || context.depth != row.depth ||
      context.run_priority != row.priority || context.created_at != row.created_at ||
      context.parameters != row.parameters || context.plan->flow_name != row.flow_name)
    violate("{}: is given another run", name);
  const std::vector<TaskIndex>& reads = context.planned_task().reads;
  if (context.outputs.size() != reads.size()) violate("{}: outputs are missing", name);
  for (std::size_t i = 0; i < reads.size(); ++i) {
    const Ledger::Task& source = run->tasks[reads[i]];
    bool has_output = source.end == TaskStatus::succeeded;
    if (context.outputs[i] != (has_output ? source.output : model::Value{}))
      violate("{}: output {} is not that of its source", name, i);
  }
  if (context.previous != (task.iteration > 0 ? task.output : model::Value{}))
    violate("{}: previous is not the output of the last iteration", name);
  if (run->is_hook(context.task) && context.run_status != run->decided)
    violate("{}: is told another end of the run", name);
}

void FakeExecutor::check_start(const runtime::AttemptStart& start) const {
  const runtime::TaskContext& context = start.context;
  if (!ledger_.is_live(context.run, context.task, start.epoch))
    violate("{}: attempt {} starts without a commit", name_of(context), start.epoch);
  for (auto it = attempts_.lower_bound({context.run, context.task, 0});
       it != attempts_.end() && std::get<0>(it->first) == context.run &&
       std::get<1>(it->first) == context.task;
       ++it)
    if (it->second.ends_at > clock_.time)
      violate("{}: attempt {} starts while {} is alive", name_of(context), start.epoch,
              std::get<2>(it->first));
  check_context(context);
  const Ledger::Task& task = ledger_.find(context.run)->tasks[context.task];
  if (start.iteration != task.iteration || start.attempt != task.attempt)
    violate("{}: is another attempt or iteration than committed", name_of(context));
}

void FakeExecutor::check_compute(const runtime::ComputeStart& start) const {
  const runtime::TaskContext& context = start.context;
  check_context(context);
  if (start.what != engine::Compute::What::gathering) return;
  const Ledger::Run& run = *ledger_.find(context.run);
  const Ledger::Task& task = run.tasks[context.task];
  if (start.elements.size() != task.count) violate("{}: lacks elements", name_of(context));
  for (std::uint32_t k = 0; k < task.count; ++k) {
    const Ledger::Task& element = run.tasks[task.first + k];
    if (!element.end) violate("{}: gathers before its elements have ended", name_of(context));
    bool has_output = element.end == TaskStatus::succeeded;
    if (start.elements[k] != (has_output ? element.output : model::Value{}))
      violate("{}: element {} is not in its place", name_of(context), k);
  }
}

// ---- attempts ----

void FakeExecutor::start(runtime::AttemptStart start) {
  check_start(start);
  ++started_;
  const runtime::TaskContext& context = start.context;
  Key key{context.run, context.task, start.epoch};
  Outcome outcome =
      ledger_.script.outcome(context.run, context.planned_task(), context.task, start.attempt);
  trace_("  start {} {}.{} for {} ms: {}", name_of(context), start.attempt, start.epoch,
         outcome.duration / std::chrono::milliseconds(1),
         outcome.succeeds ? "success" : outcome.kind);
  Attempt& attempt = attempts_[key];
  attempt.start = std::move(start);
  attempt.ends_at = clock_.time + outcome.duration;
  if (attempt.start.context.planned_task().type->kind == NodeKind::subflow) {
    plan_child(attempt);
  } else {
    plan_messages(attempt, outcome);
  }
}

runtime::LogChunk FakeExecutor::next_chunk(Attempt& attempt) {
  return {1 + int(random_.below(3)), fmt::format("{}:{}", attempt.start.epoch, attempt.chunks++)};
}

void FakeExecutor::plan_messages(Attempt& attempt, const Outcome& outcome) {
  const runtime::AttemptStart& start = attempt.start;
  base::Timestamp at = clock_.time;
  for (int i = 0; i < outcome.log_chunks; ++i) {
    at = std::min(at + delay(200), attempt.ends_at);
    attempt.messages.emplace_back(at, runtime::AttemptLog{start.context.run, start.context.task,
                                                          start.epoch, next_chunk(attempt)});
  }
  add_end(attempt, outcome);
}

void FakeExecutor::add_end(Attempt& attempt, const Outcome& outcome) {
  const runtime::AttemptStart& start = attempt.start;
  runtime::AttemptEnded ended;
  ended.run = start.context.run;
  ended.report = {start.context.task, start.epoch, outcome.succeeds, {}, {}, outcome.again};
  if (outcome.succeeds) {
    ended.report.output = model::Value::inline_json(
        Script::output(start.context.run, start.context.task, start.attempt));
  } else {
    ended.report.failure = {outcome.kind, "scripted"};
  }
  if (random_.below(2)) ended.last_chunks.push_back(next_chunk(attempt));
  base::Timestamp at = attempt.ends_at;
  if (!random_.below(4)) at += delay(1000);  // the word comes late
  attempt.messages.emplace_back(at, ended);
  if (!random_.below(4)) attempt.messages.emplace_back(at + delay(3000), std::move(ended));
}

void FakeExecutor::stop(RunId run, TaskIndex task, int epoch) {
  auto found = attempts_.find({run, task, epoch});
  if (found == attempts_.end() || found->second.ends_at <= clock_.time) return;
  Attempt& attempt = found->second;
  if (attempt.start.context.planned_task().type->kind == NodeKind::subflow) return;
  if (std::exchange(attempt.stopped, true)) violate("an attempt is stopped twice");
  base::Timestamp end = clock_.time + (random_.below(2) ? delay(100) : delay(5000));
  if (end >= attempt.ends_at) return;
  trace_("  stop {} {} {}", to_string(run), task, epoch);
  attempt.ends_at = end;
  auto& messages = attempt.messages;
  while (!messages.empty() &&
         (messages.back().first > end ||
          std::holds_alternative<runtime::AttemptEnded>(messages.back().second)))
    messages.pop_back();
  attempt.chunks = chunks_sent_[found->first] + int(std::ssize(messages));
  Outcome outcome;
  outcome.succeeds = random_.below(3) == 0;  // it may have been just done
  outcome.kind = "exit_code";
  add_end(attempt, outcome);
}

bool FakeExecutor::goes_on(const Key& key) const {
  auto found = attempts_.find(key);
  return found != attempts_.end() && !found->second.stopped &&
         found->second.ends_at > clock_.time &&
         found->second.start.context.planned_task().type->kind != NodeKind::subflow;
}

void FakeExecutor::finished(RunId run) {
  for (auto it = attempts_.lower_bound({run, 0, 0});
       it != attempts_.end() && std::get<0>(it->first) == run; ++it)
    if (it->second.ends_at > clock_.time)
      violate("{} is finished while an attempt is alive", to_string(run));
}

// ---- sub-flows ----

// Its attempt is over for the executor as soon as the shard is asked for the run.
void FakeExecutor::plan_child(Attempt& attempt) {
  attempt.ends_at = clock_.time + delay(50);
  std::optional<runtime::StartChild> child = child_of(attempt.start);
  if (child) {
    attempt.messages.emplace_back(attempt.ends_at, *child);
    if (!random_.below(8)) attempt.messages.emplace_back(attempt.ends_at + delay(500), *child);
  } else {
    add_end(attempt, {.succeeds = false, .kind = "invalid_config"});
  }
}

std::optional<runtime::StartChild> FakeExecutor::child_of(
    const runtime::AttemptStart& start) const {
  constexpr std::size_t runs_max = 150;  // flows that call each other must come to an end
  const runtime::TaskContext& context = start.context;
  const Script& script = ledger_.script;
  ChildPlan plan = script.child(context.run, context.task, start.attempt);
  if (!plan.starts || context.depth >= script.depth_max || ledger_.runs().size() > runs_max)
    return std::nullopt;
  runtime::StartChild out;
  out.run = context.run;
  out.task = context.task;
  out.epoch = start.epoch;
  out.plan = store_.flows.at(plan.flow).plan;
  out.waits = plan.waits;
  out.child.org_id = context.org_id;
  out.child.flow_name = plan.flow;
  out.child.flow_version = "1";
  out.child.trigger_type = "subflow";
  out.child.priority = context.run_priority;
  out.child.parent = context.run;
  out.child.parent_task = context.task;
  out.child.depth = context.depth + 1;
  out.child.concurrency_key = Script::run_key(context.org_id, *out.plan, 0);
  return out;
}

void FakeExecutor::collect(runtime::ChildEnd end) {
  ++collected_;
  const Ledger::Run* child = ledger_.find(end.child);
  if (child == nullptr || !child->finished)
    violate("{} is collected before its end", to_string(end.child));
  const Ledger::Run& parent = *ledger_.find(end.run);
  const Ledger::Task& task = parent.tasks.at(end.task);
  if (task.child != end.child || end.org_id != parent.row.org_id || child->row.parent != end.run)
    violate("{} is collected for another parent", to_string(end.child));
  runtime::AttemptEnded ended;
  ended.run = end.run;
  ended.report = {end.task, end.epoch, child->decided == RunStatus::succeeded, {}, {}};
  if (ended.report.succeeded) {
    ended.report.again =
        ledger_.script.outcome(end.run, parent.planned(end.task), end.task, task.attempt).again;
    ended.report.output =
        model::Value::inline_json(fmt::format("\"output of {}\"", to_string(end.child)));
  } else {
    ended.report.failure = {"subflow", "it ended otherwise"};
  }
  trace_("  collect {} for {} task run {}", to_string(end.child), to_string(end.run), end.task);
  if (!random_.below(6)) send_loose(delay(3000), {ended, std::nullopt});
  send_loose(random_.below(3) ? delay(20) : delay(2000), {std::move(ended), std::nullopt});
}

// ---- messages ----

std::optional<base::Timestamp> FakeExecutor::next() const {
  std::optional<base::Timestamp> next;
  for (const auto& [key, attempt] : attempts_)
    if (!attempt.messages.empty() && (!next || attempt.messages.front().first < *next))
      next = attempt.messages.front().first;
  if (!loose_.empty() && (!next || loose_.begin()->first < *next)) next = loose_.begin()->first;
  return next;
}

void FakeExecutor::take_due_of(const Key& key, Attempt& attempt,
                               std::deque<runtime::Message>& queue) {
  while (!attempt.messages.empty() && attempt.messages.front().first <= clock_.time) {
    runtime::Message& message = attempt.messages.front().second;
    if (auto* ended = std::get_if<runtime::AttemptEnded>(&message)) {
      if (!attempt.reported) chunks_sent_[key] += int(std::ssize(ended->last_chunks));
      if (!std::exchange(attempt.reported, true)) ends_delivered.push_back(key);
    } else if (std::holds_alternative<runtime::StartChild>(message)) {
      children_delivered.push_back(key);
    } else if (!attempt.reported) {
      ++chunks_sent_[key];
    }
    queue.push_back(std::move(message));
    attempt.messages.pop_front();
  }
}

std::vector<runtime::Message> FakeExecutor::take_due() {
  std::vector<std::deque<runtime::Message>> queues;
  for (auto it = attempts_.begin(); it != attempts_.end();) {
    take_due_of(it->first, it->second, queues.emplace_back());
    it = it->second.messages.empty() ? attempts_.erase(it) : std::next(it);
  }
  while (!loose_.empty() && loose_.begin()->first <= clock_.time) {
    Loose& loose = loose_.begin()->second;
    if (loose.computes && --computing_.at(*loose.computes) == 0) computing_.erase(*loose.computes);
    queues.emplace_back().push_back(std::move(loose.message));
    loose_.erase(loose_.begin());
  }
  std::erase_if(queues, [](const auto& queue) { return queue.empty(); });
  return shuffled(std::move(queues));
}

std::vector<runtime::Message> FakeExecutor::shuffled(
    std::vector<std::deque<runtime::Message>> queues) {
  std::vector<runtime::Message> messages;
  while (!queues.empty()) {
    std::size_t i = random_.below(queues.size());
    messages.push_back(std::move(queues[i].front()));
    queues[i].pop_front();
    if (queues[i].empty()) queues.erase(queues.begin() + std::ptrdiff_t(i));
  }
  return messages;
}

void FakeExecutor::die(bool with_last_words) {
  std::multimap<base::Timestamp, Loose> words;
  auto speak = [&](runtime::Message message) {
    if (with_last_words && random_.below(2))
      words.emplace(clock_.time + delay(3000), Loose{std::move(message), std::nullopt});
  };
  for (auto& [key, attempt] : attempts_)
    for (auto& [at, message] : attempt.messages) speak(std::move(message));
  for (auto& [at, loose] : loose_) speak(std::move(loose.message));
  attempts_.clear();
  computing_.clear();
  loose_ = std::move(words);
  ends_delivered.clear();
  children_delivered.clear();
}

}  // namespace sim
