// Checks of a FlowSpec across its tasks: ids, node configs, edges, cycles, inputs, expressions,
// outputs.
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <set>
#include <unordered_map>

#include "base/limits.h"
#include "model/flow_graph.h"
#include "model/flow_spec.h"
#include "model/parameters.h"
#include "model/task_expressions.h"

namespace model {

using base::FieldErrors;
using base::JsonView;
using base::Path;

namespace {

/// One task or hook, with its place in the document.
struct Placed {
  const TaskSpec* spec;
  Path path;
  JsonView config;
  const NodeTypeInfo* type = nullptr;
  bool is_hook = false;
  std::size_t index = 0;  // of a task
};

class FlowChecker {
 public:
  FlowChecker(FlowSpec& spec, JsonView from, NodeCatalog catalog, const Path& path,
              FieldErrors& errors)
      : spec_(spec), from_(from), catalog_(catalog), path_(path), errors_(errors) {}

  void run() {
    collect();
    check_ids();
    if (!errors_.empty()) return;  // the graph is not readable
    for (Placed& task : placed_) check_type(task);
    merge_edges();
    build_graph();
    check_parameters();
    for (const Placed& task : placed_) check_inputs(task);
    if (errors_.empty()) check_expressions();
    check_outputs();
  }

 private:
  // ---- tasks and hooks, each by itself ----

  void collect() {
    collect(spec_.tasks, "tasks", false);
    collect(spec_.on_success, "on_success", true);
    collect(spec_.on_failure, "on_failure", true);
    collect(spec_.on_cancel, "on_cancel", true);
  }

  void collect(const std::vector<TaskSpec>& tasks, std::string_view name, bool are_hooks) {
    if (tasks.empty()) return;
    const Path& list = lists_.emplace_back(path_.member(name));
    auto element = from_.find(name)->elements().begin();
    for (std::size_t i = 0; i < tasks.size(); ++i, ++element) {
      std::optional<JsonView> config = (*element).find("config");
      bool is_given = config && !config->is_null();
      placed_.push_back(
          {&tasks[i], list.element(i), is_given ? *config : empty_->root(), nullptr, are_hooks, i});
    }
  }

  void check_ids() {
    std::set<std::string_view> ids;
    for (const Placed& task : placed_)
      if (!ids.insert(task.spec->id).second)
        errors_.add(task.path.member("id"), fmt::format("task '{}' exists twice", task.spec->id));
    for (std::size_t i = 0; i < spec_.tasks.size(); ++i) index_.emplace(spec_.tasks[i].id, i);
  }

  void check_type(Placed& task) {
    task.type = find_node_type(catalog_, task.spec->type);
    if (task.type == nullptr)
      return errors_.add(task.path.member("type"), "must be one of: " + known_types());
    check_config(task);
    if (!task.type->has_attempts()) refuse_attempt_members(task);
    if (task.is_hook && !task.type->has_attempts())
      errors_.add(task.path.member("type"), "cannot be a hook");
  }

  // What a template will give is known, and checked, when the task starts.
  void check_config(const Placed& task) {
    FieldErrors found;
    Path root;
    task.type->check(task.config, root, found);
    if (found.empty()) return;
    Path config = task.path.member("config");
    for (base::FieldError& error : std::move(found).error().fields) {
      if (!is_template(task, error.path))
        errors_.add(config.pointer() + error.path, std::move(error.message));
    }
  }

  static bool is_template(const Placed& task, const std::string& pointer) {
    for (std::string_view member : task.type->verbatim)
      if (pointer == fmt::format("/{}", member)) return false;
    std::optional<JsonView> value = task.config.at_pointer(pointer);
    return value && value->is_string() && value->string().find("{{") != std::string::npos;
  }

  void refuse_attempt_members(const Placed& task) {
    const TaskSpec& spec = *task.spec;
    auto refuse = [&](bool present, std::string_view name) {
      if (present)
        errors_.add(task.path.member(name),
                    fmt::format("type {} has no attempts", task.type->type));
    };
    refuse(spec.retries > 0, "retries");
    refuse(spec.retry_delay_seconds.has_value(), "retry_delay_seconds");
    refuse(spec.retry_backoff.has_value(), "retry_backoff");
    refuse(spec.retry_on.has_value(), "retry_on");
    refuse(spec.timeout_seconds.has_value(), "timeout_seconds");
    refuse(spec.concurrency_limit.has_value(), "concurrency_limit");
    refuse(spec.repeat_until.has_value(), "repeat_until");
    refuse(spec.cache.has_value(), "cache");
    refuse(spec.map_over && task.type->kind == NodeKind::branch, "map_over");
  }

  std::string known_types() const {
    std::string names;
    for (const NodeTypeInfo& type : catalog_)
      names += (names.empty() ? "" : ", ") + std::string(type.type);
    return names;
  }

  // ---- edges ----

  // Edges alone become depends_on; where both are given they must say the same.
  void merge_edges() {
    if (!spec_.edges) return;
    bool has_depends = std::any_of(spec_.tasks.begin(), spec_.tasks.end(),
                                   [](const TaskSpec& task) { return !task.depends_on.empty(); });
    std::set<Edge> drawn;
    Path edges = path_.member("edges");
    for (std::size_t i = 0; i < spec_.edges->size(); ++i) {
      const EdgeSpec& edge = (*spec_.edges)[i];
      Path here = edges.element(i);
      bool source_known = known_task(edge.source, here.member("source"));
      bool target_known = known_task(edge.target, here.member("target"));
      if (!drawn.emplace(edge.source, edge.target).second)
        errors_.add(here, "this edge exists twice");
      if (!source_known || !target_known) continue;
      if (edge.label) check_label(edge, here.member("label"));
      if (!has_depends) spec_.tasks[index_[edge.target]].depends_on.push_back(edge.source);
    }
    if (has_depends) compare_edges(drawn);
  }

  void check_label(const EdgeSpec& edge, const Path& path) {
    const Placed& source = placed_[index_[edge.source]];
    if (source.type == nullptr) return;
    if (source.type->kind != NodeKind::branch)
      return errors_.add(path, "belongs to edges that leave a branch");
    std::vector<std::string> labels = branch_labels(source);
    if (std::find(labels.begin(), labels.end(), *edge.label) == labels.end())
      errors_.add(path, fmt::format("task '{}' has no choice '{}'", edge.source, *edge.label));
  }

  static std::vector<std::string> branch_labels(const Placed& branch) {
    std::vector<std::string> labels;
    for (ConfigExpression& each : branch.type->expressions(branch.config))
      labels.push_back(std::move(each.label));
    std::optional<JsonView> otherwise = branch.config.find("otherwise");
    if (otherwise && otherwise->is_string()) labels.push_back(otherwise->string());
    return labels;
  }

  using Edge = std::pair<std::string_view, std::string_view>;

  void compare_edges(const std::set<Edge>& drawn) {
    std::set<Edge> named;
    for (const TaskSpec& task : spec_.tasks)
      for (const std::string& parent : task.depends_on) named.emplace(parent, task.id);
    for (const auto& [source, target] : drawn)
      if (!named.contains({source, target}))
        errors_.add(path_.member("edges"),
                    fmt::format("has {} -> {}, which depends_on has not", source, target));
    for (const auto& [source, target] : named)
      if (!drawn.contains({source, target}))
        errors_.add(path_.member("edges"),
                    fmt::format("lacks {} -> {}, which depends_on has", source, target));
  }

  bool known_task(std::string_view id, const Path& path) {
    if (index_.contains(id)) return true;
    errors_.add(path, fmt::format("no task '{}'", id));
    return false;
  }

  void build_graph() {
    std::vector<std::vector<std::size_t>> parents(spec_.tasks.size());
    for (std::size_t i = 0; i < spec_.tasks.size(); ++i) {
      Path list = placed_[i].path.member("depends_on");
      const auto& names = spec_.tasks[i].depends_on;
      for (std::size_t j = 0; j < names.size(); ++j)
        if (known_task(names[j], list.element(j))) parents[i].push_back(index_[names[j]]);
      std::set<std::string_view> unique(names.begin(), names.end());
      if (unique.size() != names.size()) errors_.add(list, "names a task twice");
    }
    graph_.emplace(std::move(parents));
    if (graph_->has_cycle()) errors_.add(path_.member("tasks"), name_cycle());
  }

  std::string name_cycle() const {
    std::vector<std::size_t> cycle = graph_->cycle();
    constexpr std::size_t shown_max = 20;
    std::string text = "form a cycle: ";
    for (std::size_t i = 0; i < std::min(cycle.size(), shown_max + 1); ++i)
      text += spec_.tasks[cycle[i]].id + " -> ";
    return text + (cycle.size() > shown_max + 1 ? "…" : spec_.tasks[cycle[0]].id);
  }

  // ---- parameters, inputs, outputs ----

  void check_parameters() {
    Path list = path_.member("parameters");
    for (std::size_t i = 0; i < spec_.parameters.size(); ++i) {
      const ParameterSpec& parameter = spec_.parameters[i];
      Path here = list.element(i);
      if (!parameters_.insert(parameter.name).second)
        errors_.add(here.member("name"),
                    fmt::format("parameter '{}' exists twice", parameter.name));
      if (!parameter.default_value) continue;
      auto document = base::JsonDocument::parse(parameter.default_value->text);
      check_parameter(parameter, (*document)->root(), here.member("default"), errors_);
    }
  }

  void check_inputs(const Placed& task) {
    Path inputs = task.path.member("inputs");
    for (const auto& [name, source] : task.spec->inputs) {
      Path here = inputs.member(name);
      if (!base::name_rule.holds(name)) errors_.add(here, std::string(base::name_rule.message));
      std::vector<std::string_view> own = own_inputs(task);
      if (std::find(own.begin(), own.end(), name) != own.end())
        errors_.add(here, "is given by map_over or repeat_until");
      check_source(task, source, here);
    }
    if (task.spec->map_over) check_source(task, *task.spec->map_over, task.path.member("map_over"));
  }

  /// Inputs that a task gets without naming them.
  static std::vector<std::string_view> own_inputs(const Placed& task) {
    std::vector<std::string_view> names;
    if (task.spec->map_over) names = {"item", "index"};
    if (task.spec->repeat_until) names.push_back("previous");
    return names;
  }

  void check_source(const Placed& task, const InputSource& input, const Path& path) {
    if (input.parameter && !parameters_.contains(*input.parameter))
      errors_.add(path.member("parameter"), fmt::format("no parameter '{}'", *input.parameter));
    if (input.task) check_upstream(task, *input.task, path.member("task"));
    if (!input.tasks) return;
    Path list = path.member("tasks");
    for (std::size_t i = 0; i < input.tasks->size(); ++i)
      check_upstream(task, (*input.tasks)[i], list.element(i));
  }

  void check_upstream(const Placed& task, std::string_view source, const Path& path) {
    if (!known_task(source, path)) return;
    if (task.is_hook || graph_->has_cycle()) return;  // everything, or nothing, is upstream
    if (!graph_->precedes(index_[source], task.index))
      errors_.add(path, fmt::format("task '{}' is not upstream of '{}': add it to depends_on",
                                    source, task.spec->id));
  }

  void check_outputs() {
    if (!spec_.outputs) return;
    Path list = path_.member("outputs");
    std::set<std::string_view> unique;
    for (std::size_t i = 0; i < spec_.outputs->size(); ++i) {
      known_task((*spec_.outputs)[i], list.element(i));
      if (!unique.insert((*spec_.outputs)[i]).second)
        errors_.add(list.element(i), "is named twice");
    }
  }

  // ---- expressions ----

  void check_expressions() {
    if (cel::ProgramPtr key = compile_flow_key(spec_, path_, errors_))
      check_reads(key->reads(), "parameters", parameters_, path_.member("concurrency_key"));
    for (const Placed& task : placed_) {
      TaskExpressions expressions =
          compile_expressions(*task.spec, *task.type, task.config, task.path, errors_);
      check_reads(expressions.reads, "parameters", parameters_, task.path);
      std::set<std::string_view> inputs;
      for (const auto& [name, source] : task.spec->inputs) inputs.insert(name);
      for (std::string_view name : own_inputs(task)) inputs.insert(name);
      check_reads(expressions.reads, "inputs", inputs, task.path);
      auto tasks = expressions.reads.find("tasks");
      if (tasks == expressions.reads.end()) continue;
      for (const std::string& id : tasks->second.names) check_upstream(task, id, task.path);
    }
  }

  void check_reads(const cel::Reads& reads, const std::string& variable,
                   const std::set<std::string_view>& known, const Path& path) {
    auto members = reads.find(variable);
    if (members == reads.end()) return;
    for (const std::string& name : members->second.names)
      if (!known.contains(name))
        errors_.add(path,
                    fmt::format("an expression reads {}.{}, which there is not", variable, name));
  }

  FlowSpec& spec_;
  JsonView from_;
  NodeCatalog catalog_;
  const Path& path_;
  FieldErrors& errors_;
  std::unique_ptr<const base::JsonDocument> empty_ = *base::JsonDocument::parse("{}");
  std::deque<Path> lists_;      // to which the paths of `placed_` point
  std::vector<Placed> placed_;  // tasks, then hooks
  std::unordered_map<std::string_view, std::size_t> index_;  // of tasks
  std::optional<FlowGraph> graph_;
  std::set<std::string_view> parameters_;
};

}  // namespace

FlowSpec read_flow_spec(JsonView from, NodeCatalog catalog, const Path& path, FieldErrors& errors) {
  FlowSpec spec;
  if (from.raw().size() > base::limits::spec_bytes_max) {
    errors.add(path, fmt::format("must have at most {} bytes", base::limits::spec_bytes_max));
    return spec;
  }
  FlowSpec::fields().read(from, &spec, path, errors);
  if (errors.empty()) FlowChecker(spec, from, catalog, path, errors).run();
  return spec;
}

std::string canonical_spec(JsonView spec) {
  std::string whole = "{";
  std::vector<std::pair<std::string, JsonView>> members;
  for (JsonView::Member member : spec.members())
    if (!member.value.is_null() && !member.name.string_equals("version"))
      members.emplace_back(member.name.string(), member.value);
  std::sort(members.begin(), members.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [name, value] : members) {
    if (whole.size() > 1) whole += ',';
    base::append_json_string(whole, name);
    whole += ':';
    base::append_canonical_json(whole, value, 1);  // of a task or parameter; below is data
  }
  return whole + '}';
}

}  // namespace model
