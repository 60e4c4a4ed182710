#include "model/plan.h"

#include <algorithm>
#include <unordered_map>

namespace model {

namespace {

using Index = std::unordered_map<std::string_view, TaskIndex>;

base::Duration seconds(double value) {
  return std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(value));
}

PlannedInput plan_input(const std::string& name, const InputSource& source, cel::ProgramPtr program,
                        const Index& index) {
  using Kind = PlannedInput::Kind;
  if (program) return {name, Kind::expression, "", {}, std::move(program)};
  if (source.parameter) return {name, Kind::parameter, *source.parameter, {}, nullptr};
  if (source.task)
    return {name, Kind::task, source.path.value_or(""), {index.at(*source.task)}, nullptr};
  if (!source.tasks)
    return {name, Kind::literal, source.literal.value_or(base::RawJson{}).text, {}, nullptr};
  PlannedInput input{name, Kind::tasks, "", {}, nullptr};
  for (const std::string& id : *source.tasks) input.sources.push_back(index.at(id));
  return input;
}

class Planner {
 public:
  Planner(const FlowSpec& spec, NodeCatalog catalog, Plan& plan)
      : spec_(spec), catalog_(catalog), plan_(plan) {}

  void run() {
    for (const TaskSpec& task : spec_.tasks)
      index_.emplace(task.id, static_cast<TaskIndex>(index_.size()));
    for (const TaskSpec& task : spec_.tasks) add_task(task, std::nullopt);
    for (const TaskSpec& task : spec_.on_success) add_task(task, Hook::on_success);
    for (const TaskSpec& task : spec_.on_failure) add_task(task, Hook::on_failure);
    for (const TaskSpec& task : spec_.on_cancel) add_task(task, Hook::on_cancel);
    for (TaskIndex i = 0; i < plan_.tasks.size(); ++i)
      for (TaskIndex parent : plan_.tasks[i].parents)
        plan_.tasks[parent].children.push_back({i, ""});
    label_edges();
    for (TaskIndex i = 0; i < plan_.tasks.size(); ++i) plan_reads(i);
    plan_outputs();
  }

 private:
  void add_task(const TaskSpec& spec, std::optional<Hook> hook) {
    auto i = static_cast<TaskIndex>(plan_.tasks.size());
    if (hook) plan_.hooks.push_back(i);
    PlannedTask& task = plan_.tasks.emplace_back();
    task.id = spec.id;
    task.name = spec.name.empty() ? spec.id : spec.name;
    task.type = find_node_type(catalog_, spec.type);
    task.hook = hook;
    task.config = spec.config.text;
    auto config = base::JsonDocument::parse(spec.config.text);
    base::FieldErrors none;  // it has passed its check
    task.expressions = compile_expressions(spec, *task.type, (*config)->root(), base::Path{}, none);
    for (const auto& [name, source] : spec.inputs)
      task.inputs.push_back(plan_input(
          name, source, source.expression ? task.expressions.inputs.at(name) : nullptr, index_));
    for (const std::string& parent : spec.depends_on) task.parents.push_back(index_.at(parent));
    task.trigger_rule = spec.trigger_rule;
    plan_attempts(spec, task);
    plan_flow_control(spec, task);
  }

  static void plan_attempts(const TaskSpec& spec, PlannedTask& task) {
    task.attempts_max = spec.retries + 1;
    task.retry_delay_seconds = spec.retry_delay_seconds.value_or(RetryDelays{}).seconds;
    task.retry_backoff = spec.retry_backoff;
    task.retry_jitter_factor = spec.retry_jitter_factor;
    task.retry_on = spec.retry_on;
    task.execution_mode = spec.execution_mode;
    if (spec.timeout_seconds) task.timeout = seconds(*spec.timeout_seconds);
  }

  void plan_flow_control(const TaskSpec& spec, PlannedTask& task) {
    task.priority = spec.priority;
    if (spec.priority != 0) plan_.has_priorities = true;
    if (spec.concurrency_limit)
      task.concurrency_limit = static_cast<std::uint32_t>(*spec.concurrency_limit);
    if (spec.map_over)
      task.map_over = plan_input("map_over", *spec.map_over, task.expressions.map_over, index_);
    if (spec.max_parallel)
      task.elements_parallel_max = static_cast<std::uint32_t>(*spec.max_parallel);
    task.max_failures = static_cast<std::uint32_t>(spec.max_failures.value_or(0));
    if (spec.repeat_until)
      task.iterations_max = spec.max_iterations.value_or(base::limits::iterations_default);
    if (spec.cache) task.cache_ttl = seconds(spec.cache->ttl_seconds);
    bool decides_work = !task.type->has_attempts() || task.concurrency_limit || task.cache_ttl;
    task.decides_elements = task.map_over && decides_work;
    task.decides = task.map_over || task.expressions.when || decides_work;
  }

  void label_edges() {
    if (!spec_.edges) return;
    for (const EdgeSpec& edge : *spec_.edges) {
      if (!edge.label) continue;
      TaskIndex target = index_.at(edge.target);
      for (PlannedChild& child : plan_.tasks[index_.at(edge.source)].children)
        if (child.task == target) base::append_json_string(child.label_json, *edge.label);
    }
  }

  void plan_reads(TaskIndex i) {
    PlannedTask& task = plan_.tasks[i];
    auto add = [&](const PlannedInput& input) {
      task.reads.insert(task.reads.end(), input.sources.begin(), input.sources.end());
    };
    for (const PlannedInput& input : task.inputs) add(input);
    if (task.map_over) add(*task.map_over);
    auto tasks = task.expressions.reads.find("tasks");
    if (tasks != task.expressions.reads.end()) {
      for (const std::string& id : tasks->second.names) task.reads.push_back(index_.at(id));
      if (tasks->second.all) add_upstream(i);
    }
    std::sort(task.reads.begin(), task.reads.end());
    task.reads.erase(std::unique(task.reads.begin(), task.reads.end()), task.reads.end());
  }

  // Everything that has ended when the task begins for sure.
  void add_upstream(TaskIndex i) {
    std::vector<TaskIndex>& reads = plan_.tasks[i].reads;
    if (plan_.tasks[i].hook) {
      for (TaskIndex each = 0; each < spec_.tasks.size(); ++each) reads.push_back(each);
      return;
    }
    std::vector<bool> seen(plan_.tasks.size());
    std::vector<TaskIndex> open = plan_.tasks[i].parents;
    while (!open.empty()) {
      TaskIndex each = open.back();
      open.pop_back();
      if (seen[each]) continue;
      seen[each] = true;
      reads.push_back(each);
      const auto& parents = plan_.tasks[each].parents;
      open.insert(open.end(), parents.begin(), parents.end());
    }
  }

  void plan_outputs() {
    if (spec_.outputs) {
      for (const std::string& id : *spec_.outputs) plan_.outputs.push_back(index_.at(id));
      plan_.output_is_single = spec_.outputs->size() == 1;
      return;
    }
    for (TaskIndex i = 0; i < spec_.tasks.size(); ++i)
      if (plan_.tasks[i].children.empty()) plan_.outputs.push_back(i);
  }

  const FlowSpec& spec_;
  NodeCatalog catalog_;
  Plan& plan_;
  Index index_;
};

}  // namespace

std::shared_ptr<const Plan> make_plan(const FlowSpec& spec, std::string version,
                                      NodeCatalog catalog, std::string artifact) {
  auto plan = std::make_shared<Plan>();
  plan->flow_name = spec.name;
  plan->flow_version = std::move(version);
  plan->artifact = std::move(artifact);
  plan->parameters = spec.parameters;
  plan->fail_fast = spec.fail_fast;
  plan->max_parallel = static_cast<std::uint32_t>(spec.max_parallel);
  if (spec.timeout_seconds) plan->timeout = seconds(*spec.timeout_seconds);
  if (spec.concurrency_limit)
    plan->concurrency_limit = static_cast<std::uint32_t>(*spec.concurrency_limit);
  base::FieldErrors none;  // it has passed its check
  plan->concurrency_key = compile_flow_key(spec, base::Path{}, none);
  plan->concurrency_policy = spec.concurrency_policy;
  Planner(spec, catalog, *plan).run();
  return plan;
}

base::Result<std::shared_ptr<const Plan>> load_plan(std::string spec_json, std::string version,
                                                    NodeCatalog catalog, std::string artifact) {
  auto document = TRY(base::JsonDocument::parse(std::move(spec_json)));
  base::FieldErrors errors;
  FlowSpec spec = read_flow_spec(document->root(), catalog, base::Path{}, errors);
  if (!errors.empty()) return std::move(errors).error();
  return make_plan(spec, std::move(version), catalog, std::move(artifact));
}

}  // namespace model
