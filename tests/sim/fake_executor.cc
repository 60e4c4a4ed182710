#include "sim/fake_executor.h"

#include <algorithm>

namespace sim {

void FakeExecutor::start(runtime::AttemptStart start) {
  check_start(start);
  ++started_;
  const runtime::TaskContext& context = start.context;
  Key key{context.run, context.task, start.epoch};
  Outcome outcome = script_.outcome(context.run, context.task, start.attempt);
  trace_("  start {} {} {}.{} for {} ms: {}", to_string(context.run), context.planned_task().id,
         start.attempt, start.epoch, outcome.duration / std::chrono::milliseconds(1),
         outcome.succeeds ? "success" : outcome.kind);
  Attempt& attempt = attempts_[key];
  attempt.start = std::move(start);
  attempt.ends_at = clock_.now() + outcome.duration;
  plan_messages(attempt, outcome);
}

void FakeExecutor::check_start(const runtime::AttemptStart& start) const {
  const runtime::TaskContext& context = start.context;
  const std::string name = to_string(context.run) + " " + context.planned_task().id;
  if (!ledger_.is_live(context.run, context.task, start.epoch))
    violate("{}: attempt {} starts without a commit", name, start.epoch);
  for (const auto& [key, other] : attempts_)
    if (std::get<0>(key) == context.run && std::get<1>(key) == context.task &&
        other.ends_at > clock_.now())
      violate("{}: attempt {} starts while {} is alive", name, start.epoch, std::get<2>(key));
  const std::vector<TaskIndex>& reads = context.planned_task().reads;
  if (context.outputs.size() != reads.size()) violate("{}: outputs are missing", name);
  for (std::size_t i = 0; i < reads.size(); ++i)
    if (context.outputs[i] != ledger_.find(context.run)->tasks[reads[i]].output)
      violate("{}: output {} is not that of its source", name, i);
}

runtime::LogChunk FakeExecutor::next_chunk(Attempt& attempt) {
  return {1 + int(random_.below(3)), fmt::format("{}:{}", attempt.start.epoch, attempt.chunks++)};
}

void FakeExecutor::plan_messages(Attempt& attempt, const Outcome& outcome) {
  const runtime::AttemptStart& start = attempt.start;
  base::Timestamp at = clock_.now();
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
  ended.report = {start.context.task, start.epoch, outcome.succeeds, {}, {}};
  if (outcome.succeeds) {
    ended.report.output =
        model::Value::inline_json(fmt::format("\"{}.{}\"", start.context.task, start.attempt));
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
  if (found == attempts_.end() || found->second.ends_at <= clock_.now()) return;
  Attempt& attempt = found->second;
  if (std::exchange(attempt.stopped, true)) violate("an attempt is stopped twice");
  base::Timestamp end = clock_.now() + (random_.below(2) ? delay(100) : delay(5000));
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
  return found != attempts_.end() && !found->second.stopped && found->second.ends_at > clock_.now();
}

void FakeExecutor::compute(runtime::ComputeStart) {
  violate("nothing is to be evaluated yet");
}

void FakeExecutor::collect(runtime::ChildEnd) {
  violate("no run has a child yet");
}

void FakeExecutor::finished(RunId run) {
  for (const auto& [key, attempt] : attempts_)
    if (std::get<0>(key) == run && attempt.ends_at > clock_.now())
      violate("{} is finished while an attempt is alive", to_string(run));
}

std::optional<base::Timestamp> FakeExecutor::next() const {
  std::optional<base::Timestamp> next;
  for (const auto& [key, attempt] : attempts_)
    if (!attempt.messages.empty() && (!next || attempt.messages.front().first < *next))
      next = attempt.messages.front().first;
  if (!stray_.empty() && (!next || stray_.begin()->first < *next)) next = stray_.begin()->first;
  return next;
}

std::vector<runtime::Message> FakeExecutor::take_due() {
  std::vector<std::deque<runtime::Message>> queues;
  for (auto it = attempts_.begin(); it != attempts_.end();) {
    auto& [key, attempt] = *it;
    auto& queue = queues.emplace_back();
    while (!attempt.messages.empty() && attempt.messages.front().first <= clock_.now()) {
      runtime::Message& message = attempt.messages.front().second;
      auto* ended = std::get_if<runtime::AttemptEnded>(&message);
      if (!attempt.reported) chunks_sent_[key] += ended ? int(std::ssize(ended->last_chunks)) : 1;
      if (ended && !std::exchange(attempt.reported, true)) ends_delivered.push_back(key);
      queue.push_back(std::move(message));
      attempt.messages.pop_front();
    }
    it = attempt.messages.empty() ? attempts_.erase(it) : std::next(it);
  }
  while (!stray_.empty() && stray_.begin()->first <= clock_.now()) {
    queues.emplace_back().push_back(std::move(stray_.begin()->second));
    stray_.erase(stray_.begin());
  }
  std::erase_if(queues, [](const auto& queue) { return queue.empty(); });
  std::vector<runtime::Message> messages;
  while (!queues.empty()) {
    std::size_t i = random_.below(queues.size());
    messages.push_back(std::move(queues[i].front()));
    queues[i].pop_front();
    if (queues[i].empty()) queues.erase(queues.begin() + std::ptrdiff_t(i));
  }
  return messages;
}

void FakeExecutor::die() {
  for (auto& [key, attempt] : attempts_)
    for (auto& [at, message] : attempt.messages)
      if (random_.below(2)) stray_.emplace(clock_.now() + delay(3000), std::move(message));
  attempts_.clear();
  ends_delivered.clear();
}

}  // namespace sim
