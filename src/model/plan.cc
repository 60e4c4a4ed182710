#include "model/plan.h"

#include <unordered_map>

namespace model {

namespace {

using Index = std::unordered_map<std::string_view, TaskIndex>;

base::Duration seconds(double value) {
  return std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(value));
}

PlannedInput plan_input(const std::string& name, const InputSource& source, const Index& index) {
  using Kind = PlannedInput::Kind;
  if (source.parameter) return {name, Kind::parameter, *source.parameter, {}};
  if (source.task) return {name, Kind::task, source.path.value_or(""), {index.at(*source.task)}};
  if (!source.tasks)
    return {name, Kind::literal, source.literal.value_or(base::RawJson{}).text, {}};
  PlannedInput input{name, Kind::tasks, "", {}};
  for (const std::string& id : *source.tasks) input.sources.push_back(index.at(id));
  return input;
}

PlannedTask plan_task(const TaskSpec& spec, const Index& index, NodeCatalog catalog) {
  PlannedTask task;
  task.id = spec.id;
  task.name = spec.name.empty() ? spec.id : spec.name;
  task.type = find_node_type(catalog, spec.type);
  task.config = spec.config.text;
  for (const auto& [name, source] : spec.inputs)
    task.inputs.push_back(plan_input(name, source, index));
  for (const std::string& parent : spec.depends_on) task.parents.push_back(index.at(parent));
  task.attempts_max = spec.retries + 1;
  task.retry_delay_seconds = spec.retry_delay_seconds.seconds;
  task.retry_jitter_factor = spec.retry_jitter_factor;
  task.retry_on = spec.retry_on;
  if (spec.timeout_seconds) task.timeout = seconds(*spec.timeout_seconds);
  return task;
}

}  // namespace

std::shared_ptr<const Plan> make_plan(const FlowSpec& spec, std::string version,
                                      NodeCatalog catalog) {
  auto plan = std::make_shared<Plan>();
  plan->flow_name = spec.name;
  plan->flow_version = std::move(version);
  plan->parameters = spec.parameters;
  plan->fail_fast = spec.fail_fast;
  plan->max_parallel = static_cast<std::uint32_t>(spec.max_parallel);
  if (spec.timeout_seconds) plan->timeout = seconds(*spec.timeout_seconds);
  Index index;
  for (const TaskSpec& task : spec.tasks)
    index.emplace(task.id, static_cast<TaskIndex>(index.size()));
  for (const TaskSpec& task : spec.tasks) plan->tasks.push_back(plan_task(task, index, catalog));
  for (TaskIndex i = 0; i < plan->tasks.size(); ++i)
    for (TaskIndex parent : plan->tasks[i].parents) plan->tasks[parent].children.push_back(i);
  if (spec.outputs) {
    for (const std::string& id : *spec.outputs) plan->outputs.push_back(index.at(id));
    plan->output_is_single = spec.outputs->size() == 1;
  } else {
    for (TaskIndex i = 0; i < plan->tasks.size(); ++i)
      if (plan->tasks[i].children.empty()) plan->outputs.push_back(i);
  }
  return plan;
}

base::Result<std::shared_ptr<const Plan>> load_plan(std::string spec_json, std::string version,
                                                    NodeCatalog catalog) {
  auto document = TRY(base::JsonDocument::parse(std::move(spec_json)));
  base::FieldErrors errors;
  FlowSpec spec = read_flow_spec(document->root(), catalog, base::Path{}, errors);
  if (!errors.empty()) return std::move(errors).error();
  return make_plan(spec, std::move(version), catalog);
}

}  // namespace model
