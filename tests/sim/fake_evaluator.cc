// The part of the fake executor that stands for the evaluation of expressions.
#include "sim/fake_executor.h"

namespace sim {

using model::NodeKind;

void FakeExecutor::compute(runtime::ComputeStart start) {
  RunId run = start.context.run;
  if (store_.finished().contains(run)) return;  // it was asked for in the commit that ended the run
  check_compute(start);
  ++computed_;
  bool is_decision = start.what == engine::Compute::What::decision;
  trace_("  compute {} {} of task run {} ({})", is_decision ? "decision" : "list", to_string(run),
         start.context.task, start.context.planned_task().id);
  auto send = [&](base::Duration delay) {
    std::pair<RunId, TaskIndex> key{run, start.context.task};
    ++computing_[key];
    send_loose(delay, {evaluate(start), key});
  };
  send(random_.below(4) ? delay(20) : delay(5000));
  if (!random_.below(6)) send(delay(8000));
}

runtime::TaskComputed FakeExecutor::evaluate(const runtime::ComputeStart& start) const {
  runtime::TaskComputed out{start.context.run, {start.context.task, engine::Decided{}}, {}};
  if (start.what == engine::Compute::What::gathering) {
    out.computed.result = gather(start);
  } else {
    out.computed.result = decide(start.context, out.approval);
  }
  return out;
}

engine::Decided FakeExecutor::decide(const runtime::TaskContext& context,
                                     std::optional<store::ApprovalRow>& approval) const {
  const model::PlannedTask& planned = context.planned_task();
  bool is_element = context.map_index >= 0;
  Verdicts verdicts = ledger_.script.verdicts(context.org_id, context.run, *context.plan,
                                              context.planned, context.task, context.map_index);
  engine::Decided out;
  if (verdicts.fails) {
    out.failure = model::Failure{"expression", "scripted"};
    return out;
  }
  out.runs = verdicts.runs;
  if (!out.runs) return out;
  NodeKind kind = planned.type->kind;
  if (planned.map_over && !is_element) {
    out.elements = verdicts.elements;
  } else if (kind == NodeKind::branch) {
    out.output = model::Value::inline_json(verdicts.choice);
  } else if (kind == NodeKind::delay || kind == NodeKind::approval) {
    if (verdicts.wait) out.until = clock_.now() + *verdicts.wait;
    out.then = verdicts.then;
    if (kind == NodeKind::approval) {
      approval.emplace();
      approval->run = context.run;
      approval->task = context.task;
      approval->org_id = context.org_id;
      approval->task_id = planned.id;
      approval->map_index = context.map_index;
      approval->deadline = out.until;
    }
  } else {
    out.keys = {verdicts.concurrency_key, verdicts.cache_key};
    out.output = store_.find_cached(context.org_id, verdicts.cache_key, clock_.now());
  }
  return out;
}

engine::Gathered FakeExecutor::gather(const runtime::ComputeStart& start) const {
  if (ledger_.script.gathering_fails(start.context.run, start.context.task))
    return {model::Failure{"too_large", "scripted"}, {}};
  std::string list;
  for (const model::Value& element : start.elements)
    list += (list.empty() ? "" : ",") + element.json;
  return {std::nullopt, model::Value::inline_json("[" + list + "]")};
}

}  // namespace sim
