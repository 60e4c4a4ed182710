#include "api/run_view.h"

#include <fmt/format.h>

#include "base/limits.h"

namespace api {

using base::field;
using base::Fields;
namespace limits = base::limits;

const Fields& FailureView::fields() {
  static const Fields fields(
      "Failure",
      {field<&FailureView::kind>("kind", "what retry_on matches; cancelled for a cancelled run")
           .required(),
       field<&FailureView::message>("message", "").required()});
  return fields;
}

const Fields& OutputRef::fields() {
  static const Fields fields(
      "OutputRef",
      {field<&OutputRef::bytes>("bytes", "size of the value").required(),
       field<&OutputRef::sha256>("sha256", "of a value in object storage").required()});
  return fields;
}

const Fields& AttemptView::fields() {
  using S = AttemptView;
  static const Fields fields("Attempt", {field<&S::attempt>("attempt", "from 1").required(),
                                         field<&S::started_at>("started_at", "").required(),
                                         field<&S::finished_at>("finished_at", "").required(),
                                         field<&S::error>("error", "").required()});
  return fields;
}

const Fields& TaskRunView::fields() {
  using S = TaskRunView;
  static const Fields fields(
      "TaskRun",
      {field<&S::task_run_id>("task_run_id", "<run_id>:<task_id>[:<map_index>]").required(),
       field<&S::task_id>("task_id", "").required(),
       field<&S::map_index>("map_index", "null: the task is not mapped").required(),
       field<&S::name>("name", "").required(), field<&S::status>("status", "").required(),
       field<&S::attempt>("attempt", "the present or last one; 0 before the first").required(),
       field<&S::output>("output", "null also where output_ref stands instead").required(),
       field<&S::output_ref>("output_ref", "of an output too large to be shown").required(),
       field<&S::started_at>("started_at", "of the first attempt").required(),
       field<&S::finished_at>("finished_at", "").required(),
       field<&S::error>("error", "of the last attempt").required(),
       field<&S::earlier_attempts>("earlier_attempts", "attempts that were retried").required(),
       field<&S::child_run_id>("child_run_id", "the run that a sub-flow is").required()});
  return fields;
}

const Fields& RunSummary::fields() {
  using S = RunSummary;
  static const Fields fields(
      "RunSummary",
      {field<&S::run_id>("run_id", "").required(),
       field<&S::run_slug>("run_slug", "a label for people").required(),
       field<&S::flow_name>("flow_name", "").required(),
       field<&S::flow_version>("flow_version", "").required(),
       field<&S::deployment_name>("deployment_name", "null: started by the flow's name").required(),
       field<&S::environment_id>("environment_id", "").required(),
       field<&S::status>("status", "").required(),
       field<&S::trigger_type>("trigger_type", "what started it").required(),
       field<&S::created_by>("created_by", "e-mail").required(),
       field<&S::created_at>("created_at", "").required(),
       field<&S::started_at>("started_at", "").required(),
       field<&S::finished_at>("finished_at", "").required()});
  return fields;
}

const Fields& RunView::fields() {
  using S = RunView;
  static const Fields fields(
      "Run",
      {field<&S::run_id>("run_id", "").required(),
       field<&S::run_slug>("run_slug", "a label for people").required(),
       field<&S::flow_name>("flow_name", "").required(),
       field<&S::flow_version>("flow_version", "").required(),
       field<&S::org_id>("org_id", "").required(),
       field<&S::status>("status", "").required(),
       field<&S::deployment_name>("deployment_name", "null: started by the flow's name").required(),
       field<&S::environment_id>("environment_id", "null: none was named").required(),
       field<&S::execution_mode>("execution_mode", "size of tasks that name none").required(),
       field<&S::executor>("executor", "where its tasks run").required(),
       field<&S::trigger_type>("trigger_type", "what started it").required(),
       field<&S::schedule_id>("schedule_id", "null: no schedule started it").required(),
       field<&S::sensor_id>("sensor_id", "null: no sensor started it").required(),
       field<&S::priority>("priority", "higher ones start first").required(),
       field<&S::parent_run_id>("parent_run_id", "of a sub-flow: who started it").required(),
       field<&S::rerun_of>("rerun_of", "the run that this one repeats").required(),
       field<&S::parameters>("parameters", "with defaults filled in").required(),
       field<&S::parameters_ref>("parameters_ref", "of parameters too large to be shown")
           .required(),
       field<&S::created_by>("created_by", "e-mail").required(),
       field<&S::created_at>("created_at", "").required(),
       field<&S::started_at>("started_at", "").required(),
       field<&S::finished_at>("finished_at", "null while anything of it lives").required(),
       field<&S::output>("output", "of a run that succeeded").required(),
       field<&S::output_ref>("output_ref", "of an output too large to be shown").required(),
       field<&S::error>("error", "").required(),
       field<&S::task_runs>("task_runs", "at most 1000; all: /runs/{run_id}/tasks").required(),
       field<&S::task_count>("task_count", "tasks in all").required()});
  return fields;
}

namespace {

std::optional<FailureView> view_of(const std::optional<model::Failure>& failure) {
  if (!failure) return std::nullopt;
  return FailureView{failure->kind, failure->message};
}

// Null for a column that is empty.
std::optional<std::string> named(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

// Shows a value where it fits, else what stands for it.
void show(const model::Value& value, std::size_t bytes_max, base::RawJson& text,
          std::optional<OutputRef>& reference) {
  if (value.is_reference()) {
    reference = OutputRef{value.bytes, value.object};
  } else if (value.json.size() > bytes_max) {
    reference = OutputRef{static_cast<std::int64_t>(value.json.size()), std::nullopt};
  } else {
    text.text = value.json;
  }
}

// The run's output is that of one task, or an object of several.
model::Value run_output(const model::Plan& plan, const std::vector<engine::TaskRecord>& tasks) {
  model::Value none;
  if (plan.output_is_single) return tasks[plan.outputs[0]].output.value_or(none);
  std::string text;
  std::int64_t bytes = 0;
  bool large = false;
  base::JsonWriter out(text);
  out.begin_object();
  for (model::TaskIndex i : plan.outputs) {
    const model::Value& value = tasks[i].output ? *tasks[i].output : none;
    large = large || value.is_reference();
    bytes += value.bytes;
    out.key(plan.tasks[i].id).raw(value.is_reference() ? "null" : value.json);
  }
  out.end_object();
  if (!large) return model::Value::inline_json(std::move(text));
  return model::Value::reference("", bytes);
}

RunView common_view(const store::LiveRunRow& run, model::RunStatus status,
                    const std::vector<engine::TaskRecord>& tasks, const model::Plan* plan) {
  RunView view;
  view.run_id = to_string(run.id);
  view.run_slug = base::run_slug(run.id);
  view.flow_name = run.flow_name;
  view.flow_version = run.flow_version;
  view.org_id = run.org_id;
  view.status = status;
  view.deployment_name = named(run.deployment_name);
  view.environment_id = named(run.environment_id);
  view.execution_mode = model::execution_mode_of(run.execution_mode);
  view.trigger_type = run.trigger_type;
  view.priority = run.priority;
  if (run.parent) view.parent_run_id = to_string(*run.parent);
  if (run.rerun_of) view.rerun_of = to_string(*run.rerun_of);
  show(run.parameters, limits::answer_value_bytes_max, view.parameters, view.parameters_ref);
  view.created_by = run.created_by;
  view.created_at = run.created_at;
  view.started_at = run.started_at;
  view.task_count = static_cast<int>(tasks.size());
  for (const engine::TaskRecord& task : tasks) {
    if (view.task_runs.size() == limits::answer_task_runs_max) break;
    view.task_runs.push_back(task_view(run.id, task, limits::answer_value_bytes_max));
  }
  bool has_output = status == model::RunStatus::succeeded && plan != nullptr &&
                    plan->tasks.size() <= tasks.size();
  if (!has_output) return view;
  model::Value output = run_output(*plan, tasks);
  if (output.bytes > static_cast<std::int64_t>(limits::answer_value_bytes_max)) {
    view.output_ref = OutputRef{output.bytes, std::nullopt};
    if (!output.object.empty()) view.output_ref->sha256 = output.object;
  } else {
    view.output.text = output.json;
  }
  return view;
}

}  // namespace

TaskRunView task_view(base::RunId run, const engine::TaskRecord& task, std::size_t bytes_max) {
  TaskRunView view;
  view.task_run_id = to_string(run) + ":" + task_run_name(task);
  if (task.map_index >= 0) view.map_index = task.map_index;
  view.task_id = task.id;
  view.name = task.name;
  view.status = task.status;
  view.attempt = task.attempt;
  if (task.output) show(*task.output, bytes_max, view.output, view.output_ref);
  view.started_at = task.started_at;
  view.finished_at = task.finished_at;
  view.error = view_of(task.failure);
  if (task.child) view.child_run_id = to_string(*task.child);
  for (const engine::EarlierAttempt& attempt : task.earlier)
    view.earlier_attempts.push_back({attempt.attempt,
                                     attempt.started_at,
                                     attempt.ended_at,
                                     {attempt.failure.kind, attempt.failure.message}});
  return view;
}

RunSummary summary_of(const store::RunRow& row) {
  const store::LiveRunRow& run = row.run;
  return {to_string(run.id),
          base::run_slug(run.id),
          run.flow_name,
          run.flow_version,
          named(run.deployment_name),
          named(run.environment_id),
          run.status,
          run.trigger_type,
          run.created_by,
          run.created_at,
          run.started_at,
          row.finished_at};
}

RunView view_of(const runtime::RunSnapshot& snapshot) {
  const engine::RunState& state = snapshot.state;
  std::vector<engine::TaskRecord> tasks;
  for (model::TaskIndex i = 0; i < state.tasks.size(); ++i)
    tasks.push_back(engine::record_of(state, i));
  RunView view = common_view(snapshot.run, state.status, tasks, state.plan.get());
  view.started_at = state.started_at;
  if (state.live == 0) view.finished_at = state.decided_at;
  view.error = view_of(state.failure);
  return view;
}

std::string task_run_name(const engine::TaskRecord& task) {
  return model::task_run_name(task.id, task.map_index);
}

base::Result<std::vector<engine::TaskRecord>> task_records(const Call& call,
                                                           const store::RunDetail& detail) {
  std::vector<engine::TaskRecord> tasks;
  if (detail.row.finished_at) {
    for (const std::string& chunk : detail.task_chunks) TRY(engine::decode_tasks(chunk, tasks));
    return tasks;
  }
  const store::LiveRunRow& run = detail.row.run;
  auto plan = TRY(call.services.plans.get(run.org_id, run.flow_name, run.flow_version));
  engine::RunState state(run.id, plan);
  TRY(engine::fold_rows(state, detail.journal));
  for (model::TaskIndex i = 0; i < state.tasks.size(); ++i)
    tasks.push_back(engine::record_of(state, i));
  return tasks;
}

base::Result<std::vector<engine::TaskRecord>> tasks_of_run(const Call& call, base::RunId id) {
  store::RunDetail detail;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    detail = TRY(store::find_run(tx, call.identity->org_id, id));
    return {};
  }));
  return task_records(call, detail);
}

base::Result<RunView> view_of(const Call& call, const store::RunDetail& detail) {
  const store::LiveRunRow& run = detail.row.run;
  auto plan = call.services.plans.get(run.org_id, run.flow_name, run.flow_version);
  if (!plan && !detail.row.finished_at) return plan.error();
  if (!detail.row.finished_at) {
    engine::RunState state(run.id, *plan);
    TRY(engine::fold_rows(state, detail.journal));
    RunView view = view_of(runtime::RunSnapshot{run, state});
    view.finished_at.reset();
    return view;
  }
  std::vector<engine::TaskRecord> tasks = TRY(task_records(call, detail));
  RunView view = common_view(run, run.status, tasks, plan ? plan->get() : nullptr);
  view.finished_at = detail.row.finished_at;
  view.error = view_of(detail.row.failure);
  return view;
}

base::Result<base::RunId> run_id_of(const Call& call) {
  std::optional<base::RunId> id = base::parse_run_id(call.path[0]);
  if (!id) return base::not_found(fmt::format("no run {}", call.path[0]));
  return *id;
}

}  // namespace api
