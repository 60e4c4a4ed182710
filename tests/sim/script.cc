#include "sim/script.h"

#include <fmt/format.h>

#include <cmath>

namespace sim {

using base::RunId;
using model::NodeKind;
using model::TaskIndex;

base::Duration any_duration(base::SeededRandom& random) {
  double seconds = std::pow(10.0, -2 + 8.0 * random.unit());
  return std::chrono::milliseconds(std::int64_t(seconds * 1000));
}

base::SeededRandom Script::random(RunId run, TaskIndex task, int attempt, int what) const {
  base::SeededRandom mixed(seed * 0x9e3779b9 ^ static_cast<std::uint64_t>(run) * 31 ^
                           std::uint64_t{task} << 32 ^ std::uint64_t(attempt) << 52 ^
                           std::uint64_t(what) << 60);
  mixed.next();
  return mixed;
}

Outcome Script::outcome(RunId run, const model::PlannedTask& planned, TaskIndex task,
                        int attempt) const {
  base::SeededRandom drawn = random(run, task, attempt, 0);
  Outcome out;
  out.succeeds = drawn.unit() >= failure_rate;
  if (!out.succeeds) out.kind = drawn.below(2) ? "exit_code" : "exception:ValueError";
  std::uint64_t milliseconds = std::uint64_t(duration_max / std::chrono::milliseconds(1)) + 1;
  if (drawn.below(4)) milliseconds = milliseconds / 16 + 1;  // most are short
  out.duration = std::chrono::milliseconds(drawn.below(milliseconds));
  out.log_chunks = int(drawn.below(4));
  out.again = out.succeeds && planned.iterations_max > 0 && drawn.below(2);
  return out;
}

Verdicts Script::verdicts(const std::string& org, RunId run, const model::Plan& plan,
                          TaskIndex planned_index, TaskIndex task, int map_index) const {
  const model::PlannedTask& planned = plan.tasks[planned_index];
  base::SeededRandom drawn = random(run, task, 0, 1);
  Verdicts out;
  out.fails = drawn.unit() < failure_rate / 8;
  bool is_element = map_index >= 0;
  if (planned.expressions.when && !is_element) out.runs = drawn.below(4) > 0;
  if (planned.map_over && !is_element)
    out.elements = drawn.below(8) ? std::uint32_t(drawn.below(std::uint64_t(elements_max)) + 1) : 0;
  if (planned.type->kind == NodeKind::branch) {
    std::size_t chosen = drawn.below(planned.expressions.choices.size() + 1);
    out.choice = chosen < planned.expressions.choices.size()
                     ? '"' + planned.expressions.choices[chosen].label + '"'
                     : "null";
  }
  bool has_time = planned.type->kind == NodeKind::delay || drawn.below(3) > 0;
  if (has_time) out.wait = any_duration(drawn);
  if (planned.type->kind == NodeKind::approval) out.then = model::WaitEnd(drawn.below(3));
  if (planned.concurrency_limit)
    out.concurrency_key = fmt::format("task\n{}\n=k{}", org, planned_index % 2);
  if (planned.cache_ttl)
    out.cache_key = fmt::format("{}\n{}\n{}\n{}", org, plan.flow_name, planned.id, drawn.below(2));
  return out;
}

bool Script::gathering_fails(RunId run, TaskIndex task) const {
  return random(run, task, 0, 2).unit() < failure_rate / 8;
}

ChildPlan Script::child(RunId run, TaskIndex task, int attempt) const {
  base::SeededRandom drawn = random(run, task, attempt, 3);
  ChildPlan out;
  out.starts = drawn.below(12) > 0;
  out.waits = drawn.below(4) > 0;
  out.flow = flows.at(drawn.below(flows.size()));
  return out;
}

std::string Script::output(RunId run, TaskIndex task, int attempt) {
  return fmt::format("\"{}.{}.{}\"", to_string(run), task, attempt);
}

std::string Script::run_key(const std::string& org, const model::Plan& plan, int variant) {
  if (!plan.concurrency_limit) return "";
  if (!plan.concurrency_key) variant = 0;
  return fmt::format("run\n{}\n{}\n{}", org, plan.flow_name, variant);
}

}  // namespace sim
