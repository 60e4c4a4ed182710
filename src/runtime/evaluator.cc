#include "runtime/evaluator.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ids.h"
#include "base/limits.h"
#include "engine/record.h"
#include "runtime/new_run.h"
#include "runtime/run_output.h"
#include "store/runs.h"

namespace runtime {

namespace limits = base::limits;
using engine::Decided;
using model::NodeKind;

namespace {

model::Failure gathering_failure(const base::Error& error) {
  bool is_large = error.code == base::ErrorCode::too_large;
  return {is_large ? "too_large" : "internal", error.message};
}

}  // namespace

// ---- decisions ----

TaskComputed Evaluator::compute(const ComputeStart& start) {
  TaskComputed out{start.context.run, {start.context.task, Decided{}}, std::nullopt};
  if (start.what == engine::Compute::What::gathering) {
    base::Result<engine::Gathered> gathered = gather(start);
    if (!gathered) gathered = engine::Gathered{gathering_failure(gathered.error()), {}};
    out.computed.result = std::move(*gathered);
    return out;
  }
  TaskValues values(start.context, objects_, lists_);
  base::Result<Decided> decided = decide(start.context, values, out.approval);
  if (!decided) {
    Decided failed;
    failed.failure = model::Failure{std::string(values.failure_kind()), decided.error().message};
    decided = std::move(failed);
  }
  out.computed.result = std::move(*decided);
  return out;
}

base::Result<Decided> Evaluator::decide(const TaskContext& context, TaskValues& values,
                                        std::optional<store::ApprovalRow>& approval) {
  const model::PlannedTask& task = context.planned_task();
  bool is_element = context.map_index >= 0;
  if (task.expressions.when && !is_element) {
    Decided decided;
    decided.runs = TRY(values.condition(*task.expressions.when));
    if (!decided.runs) return decided;
  }
  if (task.map_over && !is_element) {
    Decided decided;
    decided.elements = static_cast<std::uint32_t>(TRY(values.map_list())->elements.size());
    return decided;
  }
  if (task.type->kind == NodeKind::branch) return choose(context, values);
  if (!task.type->has_attempts()) return wait(context, values, approval);
  return take_keys(context, values);
}

// A branch chooses the first label whose condition is true.
base::Result<Decided> Evaluator::choose(const TaskContext& context, TaskValues& values) {
  Decided decided;
  for (const model::Choice& choice : context.planned_task().expressions.choices) {
    if (!TRY(values.condition(*choice.condition))) continue;
    std::string label;
    base::append_json_string(label, choice.label);
    decided.output = model::Value::inline_json(std::move(label));
    return decided;
  }
  std::string config = TRY(values.config());
  auto document = TRY(base::JsonDocument::parse(std::move(config)));
  auto otherwise = document->root().find("otherwise");
  decided.output = model::Value::inline_json(std::string(otherwise ? otherwise->raw() : "null"));
  return decided;
}

base::Result<Decided> Evaluator::wait(const TaskContext& context, TaskValues& values,
                                      std::optional<store::ApprovalRow>& approval) {
  const model::PlannedTask& task = context.planned_task();
  std::string config = TRY(values.config());
  nodes::Wait wait = TRY(nodes::find(task.type->type)->wait(config, clock_.now()));
  Decided decided;
  decided.until = wait.until;
  decided.then = wait.then;
  if (task.type->kind != NodeKind::approval) return decided;
  TRY(check_storable("the message of an approval", wait.message));
  store::ApprovalRow& row = approval.emplace();
  row.run = context.run;
  row.task = context.task;
  row.org_id = context.org_id;
  row.flow_name = context.plan->flow_name;
  row.task_id = task.id;
  row.map_index = context.map_index;
  row.message = std::move(wait.message);
  row.assignees = std::move(wait.assignees);
  row.form = std::move(wait.form);
  row.deadline = wait.until;
  return decided;
}

// Keys are whole here: within the organization and flow, those of a cache within task and config.
base::Result<Decided> Evaluator::take_keys(const TaskContext& context, TaskValues& values) {
  const model::PlannedTask& task = context.planned_task();
  Decided decided;
  const std::string scope = context.org_id + '\n' + context.plan->flow_name + '\n';
  if (task.concurrency_limit) {
    decided.keys.concurrency = "task\n" + scope;
    decided.keys.concurrency += task.expressions.concurrency_key
                                    ? "=" + TRY(values.key(*task.expressions.concurrency_key,
                                                           limits::concurrency_key_bytes_max))
                                    : task.id;
  }
  if (!task.cache_ttl) return decided;
  std::string key = TRY(values.key(*task.expressions.cache_key, limits::cache_key_bytes_max));
  decided.keys.cache =
      base::sha256_hex(scope + task.id + '\n' + base::sha256_hex(task.config) + '\n' + key);
  decided.output = TRY(find_cached(context.org_id, decided.keys.cache));
  return decided;
}

base::Result<std::optional<model::Value>> Evaluator::find_cached(const std::string& org_id,
                                                                 const std::string& key) {
  std::optional<model::Value> value;
  TRY(store_.read([&](store::Tx& tx) -> base::Result<> {
    value = TRY(store::find_cached(tx, org_id, key, clock_.now()));
    return {};
  }));
  return value;
}

base::Result<bool> Evaluator::repeats(const TaskContext& context, const model::Value& output) {
  TaskContext after = context;
  after.previous = output;
  TaskValues values(after, objects_, lists_);
  return !TRY(values.condition(*context.planned_task().expressions.repeat_until));
}

// ---- mapped tasks ----

base::Result<engine::Gathered> Evaluator::gather(const ComputeStart& start) {
  std::string text = "[";
  for (const model::Value& element : start.elements) {
    if (text.size() > 1) text += ',';
    text += TRY(text_of(element, objects_));
    if (text.size() > limits::value_bytes_max) break;
  }
  text += ']';
  model::Value list = TRY(keep_value(std::move(text), objects_));
  return engine::Gathered{std::nullopt, std::move(list)};
}

std::shared_ptr<const MapList> Evaluator::RecentLists::find(base::RunId run,
                                                            model::TaskIndex planned) {
  base::MutexLock lock(mutex_);
  auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.run == run && entry.planned == planned;
  });
  if (found == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found);
  return found->list;
}

void Evaluator::RecentLists::keep(base::RunId run, model::TaskIndex planned,
                                  std::shared_ptr<const MapList> list) {
  constexpr std::size_t lists_max = 8;
  base::MutexLock lock(mutex_);
  entries_.push_front({run, planned, std::move(list)});
  if (entries_.size() > lists_max) entries_.pop_back();
}

// ---- sub-flows ----

std::variant<StartChild, model::Failure> Evaluator::start_child(const AttemptStart& start) {
  TaskValues values(start.context, objects_, lists_);
  base::Result<StartChild> child = prepare_child(start, values);
  if (child) return std::move(*child);
  return model::Failure{std::string(values.failure_kind()), child.error().message};
}

base::Result<StartChild> Evaluator::prepare_child(const AttemptStart& start, TaskValues& values) {
  const TaskContext& context = start.context;
  if (context.depth >= limits::subflow_depth_max)
    return base::invalid(fmt::format("sub-flows may be nested {} deep", limits::subflow_depth_max));
  std::string config = TRY(values.config());
  nodes::SubflowConfig subflow = TRY(nodes::read_subflow(std::move(config)));
  StartChild child;
  child.run = context.run;
  child.task = context.task;
  child.epoch = start.epoch;
  child.waits = subflow.wait;
  child.plan = TRY(plans_.runnable(context.org_id, subflow.flow, subflow.flow_version));
  child.child.org_id = context.org_id;
  child.child.trigger_type = "subflow";
  child.child.created_by = context.created_by;
  child.child.priority = context.run_priority;
  child.child.parent = context.run;
  child.child.parent_task = context.task;
  child.child.depth = context.depth + 1;
  child.child.environment_id = context.environment_id;
  child.child.execution_mode = context.execution_mode;
  auto parameters = TRY(base::JsonDocument::parse(subflow.parameters.text));
  TRY(prepare_run(child.child, *child.plan, parameters->root(), objects_));
  return child;
}

engine::AttemptReport Evaluator::collect(const ChildEnd& end) {
  auto failed = [&](std::string kind, std::string message) {
    return engine::AttemptReport{
        end.task, end.epoch, false, {}, {std::move(kind), std::move(message)}};
  };
  base::Result<engine::AttemptReport> report = read_child(end);
  if (!report) return failed("subflow", report.error().message);
  if (end.context.planned_task().iterations_max == 0) return std::move(*report);
  base::Result<bool> again = repeats(end.context, report->output);
  if (!again) return failed("expression", "repeat_until: " + again.error().message);
  report->again = *again;
  return std::move(*report);
}

base::Result<engine::AttemptReport> Evaluator::read_child(const ChildEnd& end) {
  store::RunDetail detail;
  TRY(store_.read([&](store::Tx& tx) -> base::Result<> {
    detail = TRY(store::find_run(tx, end.org_id, end.child));
    return {};
  }));
  const store::LiveRunRow& run = detail.row.run;
  if (run.status != model::RunStatus::succeeded) {
    std::string why = detail.row.failure ? ": " + detail.row.failure->message : "";
    return base::conflict(
        fmt::format("{} is {}{}", to_string(end.child), base::name_of(run.status), why));
  }
  auto plan = TRY(plans_.get(run.org_id, run.flow_name, run.flow_version));
  std::vector<engine::TaskRecord> records;
  for (const std::string& chunk : detail.task_chunks) TRY(engine::decode_tasks(chunk, records));
  std::string output = TRY(run_output(*plan, records, objects_));
  model::Value value = TRY(keep_value(std::move(output), objects_));
  return engine::AttemptReport{end.task, end.epoch, true, std::move(value), {}};
}

}  // namespace runtime
