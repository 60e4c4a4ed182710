// Checks of a FlowSpec across its tasks: ids, edges, cycles, inputs, outputs, node configs.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>
#include <unordered_map>

#include "base/limits.h"
#include "model/flow_spec.h"

namespace model {

using base::FieldErrors;
using base::JsonView;
using base::Path;

namespace {

using Index = std::unordered_map<std::string_view, std::size_t>;

class FlowChecker {
 public:
  FlowChecker(FlowSpec& spec, JsonView from, NodeCatalog catalog, const Path& path,
              FieldErrors& errors)
      : spec_(spec), from_(from), catalog_(catalog), path_(path), errors_(errors) {}

  void run() {
    check_ids();
    if (!errors_.empty()) return;  // the graph is not readable
    check_configs();
    merge_edges();
    resolve_parents();
    check_cycles();
    check_parameters();
    check_inputs();
    check_outputs();
  }

 private:
  void check_ids() {
    Path tasks = path_.member("tasks");
    for (std::size_t i = 0; i < spec_.tasks.size(); ++i) {
      if (index_.emplace(spec_.tasks[i].id, i).second) continue;
      Path task = tasks.element(i);
      errors_.add(task.member("id"), fmt::format("task '{}' exists twice", spec_.tasks[i].id));
    }
  }

  void check_configs() {
    Path tasks = path_.member("tasks");
    auto element = from_.find("tasks")->elements().begin();
    for (std::size_t i = 0; i < spec_.tasks.size(); ++i, ++element) {
      Path task = tasks.element(i);
      const NodeTypeInfo* type = find_node_type(catalog_, spec_.tasks[i].type);
      if (type == nullptr) {
        errors_.add(task.member("type"), "must be one of: " + known_types());
        continue;
      }
      Path config_path = task.member("config");
      std::optional<JsonView> config = (*element).find("config");
      if (config && !config->is_null()) {
        type->check(*config, config_path, errors_);
      } else {
        type->check(empty_->root(), config_path, errors_);
      }
    }
  }

  std::string known_types() const {
    std::string names;
    for (const NodeTypeInfo& type : catalog_)
      names += (names.empty() ? "" : ", ") + std::string(type.type);
    return names;
  }

  // Edges alone become depends_on; where both are given they must say the same.
  void merge_edges() {
    if (!spec_.edges) return;
    bool has_depends = std::any_of(spec_.tasks.begin(), spec_.tasks.end(),
                                   [](const TaskSpec& task) { return !task.depends_on.empty(); });
    std::set<EdgeSpec> drawn;
    Path edges = path_.member("edges");
    for (std::size_t i = 0; i < spec_.edges->size(); ++i) {
      const EdgeSpec& edge = (*spec_.edges)[i];
      Path here = edges.element(i);
      bool known = known_task(edge.source, here.member("source")) &
                   known_task(edge.target, here.member("target"));
      if (!drawn.insert(edge).second) errors_.add(here, "this edge exists twice");
      if (known && !has_depends) spec_.tasks[index_[edge.target]].depends_on.push_back(edge.source);
    }
    if (has_depends) compare_edges(drawn);
  }

  void compare_edges(const std::set<EdgeSpec>& drawn) {
    std::set<EdgeSpec> named;
    for (const TaskSpec& task : spec_.tasks)
      for (const std::string& parent : task.depends_on) named.insert({parent, task.id});
    for (const EdgeSpec& edge : drawn)
      if (!named.contains(edge))
        errors_.add(path_.member("edges"), fmt::format("has {} -> {}, which depends_on has not",
                                                       edge.source, edge.target));
    for (const EdgeSpec& edge : named)
      if (!drawn.contains(edge))
        errors_.add(path_.member("edges"),
                    fmt::format("lacks {} -> {}, which depends_on has", edge.source, edge.target));
  }

  bool known_task(std::string_view id, const Path& path) {
    if (index_.contains(id)) return true;
    errors_.add(path, fmt::format("no task '{}'", id));
    return false;
  }

  void resolve_parents() {
    parents_.resize(spec_.tasks.size());
    Path tasks = path_.member("tasks");
    for (std::size_t i = 0; i < spec_.tasks.size(); ++i) {
      Path task = tasks.element(i);
      Path list = task.member("depends_on");
      const auto& names = spec_.tasks[i].depends_on;
      for (std::size_t j = 0; j < names.size(); ++j)
        if (known_task(names[j], list.element(j))) parents_[i].push_back(index_[names[j]]);
      std::set<std::string_view> unique(names.begin(), names.end());
      if (unique.size() != names.size()) errors_.add(list, "names a task twice");
    }
  }

  // Kahn's algorithm; `order_` stays short when there is a cycle, which is then named.
  void check_cycles() {
    std::vector<std::size_t> left(parents_.size());
    std::vector<std::vector<std::size_t>> children(parents_.size());
    for (std::size_t i = 0; i < parents_.size(); ++i) {
      left[i] = parents_[i].size();
      for (std::size_t parent : parents_[i]) children[parent].push_back(i);
      if (left[i] == 0) order_.push_back(i);
    }
    for (std::size_t at = 0; at < order_.size(); ++at)
      for (std::size_t child : children[order_[at]])
        if (--left[child] == 0) order_.push_back(child);
    if (order_.size() < parents_.size()) errors_.add(path_.member("tasks"), name_cycle(left));
  }

  std::string name_cycle(const std::vector<std::size_t>& left) {
    std::size_t at = 0;
    while (left[at] == 0) ++at;
    std::vector<std::size_t> walk;  // towards parents that are left: it must come around
    std::vector<bool> seen(parents_.size());
    while (!seen[at]) {
      seen[at] = true;
      walk.push_back(at);
      at = *std::find_if(parents_[at].begin(), parents_[at].end(),
                         [&](std::size_t parent) { return left[parent] > 0; });
    }
    walk.erase(walk.begin(), std::find(walk.begin(), walk.end(), at));
    std::reverse(walk.begin(), walk.end());
    std::string text = "form a cycle: " + spec_.tasks[at].id;
    std::size_t shown = std::min<std::size_t>(walk.size(), 20);
    for (std::size_t i = 0; i < shown; ++i) text += " -> " + spec_.tasks[walk[i]].id;
    return shown < walk.size() ? text + " -> …" : text;
  }

  void check_parameters();
  void check_inputs();
  void check_input(std::size_t task, const InputSource& input, const Path& path);
  void check_upstream(std::size_t task, std::string_view source, const Path& path);
  bool is_ancestor(std::size_t task, std::size_t source);
  void build_ancestors(std::size_t words);
  void check_outputs();

  FlowSpec& spec_;
  JsonView from_;
  NodeCatalog catalog_;
  const Path& path_;
  FieldErrors& errors_;
  std::unique_ptr<const base::JsonDocument> empty_ = *base::JsonDocument::parse("{}");
  Index index_;
  std::vector<std::vector<std::size_t>> parents_;
  std::vector<std::size_t> order_;  // topological
  std::vector<std::uint64_t>
      ancestors_;  // a bit row a task, built at the first input that needs it
  std::set<std::string_view> parameters_;
};

bool matches_type(JsonView value, ParameterType type) {
  switch (type) {
    case ParameterType::string:
      return value.is_string();
    case ParameterType::integer:
      return value.type() == base::JsonType::number &&
             (value.integer() || value.raw().find_first_of(".eE") == std::string_view::npos);
    case ParameterType::number:
      return value.type() == base::JsonType::number;
    case ParameterType::boolean:
      return value.type() == base::JsonType::boolean;
    case ParameterType::object:
      return value.is_object();
    case ParameterType::array:
      return value.is_array();
  }
  return false;
}

std::string canonical(JsonView value) {
  std::string text;
  base::append_canonical_json(text, value);
  return text;
}

void check_value(const ParameterSpec& parameter, JsonView value, const Path& path,
                 FieldErrors& errors) {
  if (!matches_type(value, parameter.type)) {
    errors.add(path, fmt::format("must be of type {}, not {}", base::name_of(parameter.type),
                                 with_article(value.type())));
    return;
  }
  if (!parameter.enumeration) return;
  std::string text = canonical(value);
  for (const base::RawJson& allowed : *parameter.enumeration)
    if (canonical((*base::JsonDocument::parse(allowed.text))->root()) == text) return;
  errors.add(path, "must be one of the values of its enum");
}

void FlowChecker::check_parameters() {
  Path list = path_.member("parameters");
  for (std::size_t i = 0; i < spec_.parameters.size(); ++i) {
    const ParameterSpec& parameter = spec_.parameters[i];
    Path here = list.element(i);
    if (!parameters_.insert(parameter.name).second)
      errors_.add(here.member("name"), fmt::format("parameter '{}' exists twice", parameter.name));
    if (!parameter.default_value) continue;
    auto document = base::JsonDocument::parse(parameter.default_value->text);
    check_value(parameter, (*document)->root(), here.member("default"), errors_);
  }
}

void FlowChecker::check_inputs() {
  Path tasks = path_.member("tasks");
  for (std::size_t i = 0; i < spec_.tasks.size(); ++i) {
    Path task = tasks.element(i);
    Path inputs = task.member("inputs");
    for (const auto& [name, source] : spec_.tasks[i].inputs) {
      Path here = inputs.member(name);
      if (!base::name_rule.holds(name)) errors_.add(here, std::string(base::name_rule.message));
      check_input(i, source, here);
    }
  }
}

void FlowChecker::check_input(std::size_t task, const InputSource& input, const Path& path) {
  if (input.parameter && !parameters_.contains(*input.parameter))
    errors_.add(path.member("parameter"), fmt::format("no parameter '{}'", *input.parameter));
  if (input.task) check_upstream(task, *input.task, path.member("task"));
  if (!input.tasks) return;
  Path list = path.member("tasks");
  for (std::size_t i = 0; i < input.tasks->size(); ++i)
    check_upstream(task, (*input.tasks)[i], list.element(i));
}

void FlowChecker::check_upstream(std::size_t task, std::string_view source, const Path& path) {
  if (!known_task(source, path)) return;
  if (order_.size() < parents_.size()) return;  // a cycle: reported, and nothing is upstream
  if (!is_ancestor(task, index_[source]))
    errors_.add(path, fmt::format("task '{}' is not upstream of '{}': add it to depends_on", source,
                                  spec_.tasks[task].id));
}

bool FlowChecker::is_ancestor(std::size_t task, std::size_t source) {
  const auto& direct = parents_[task];
  if (std::find(direct.begin(), direct.end(), source) != direct.end()) return true;
  const std::size_t words = (parents_.size() + 63) / 64;
  if (ancestors_.empty()) build_ancestors(words);
  return ancestors_[task * words + source / 64] >> (source % 64) & 1;
}

void FlowChecker::build_ancestors(std::size_t words) {
  ancestors_.resize(parents_.size() * words);
  for (std::size_t task : order_)
    for (std::size_t parent : parents_[task]) {
      std::uint64_t* row = &ancestors_[task * words];
      const std::uint64_t* of_parent = &ancestors_[parent * words];
      for (std::size_t i = 0; i < words; ++i) row[i] |= of_parent[i];
      row[parent / 64] |= std::uint64_t{1} << (parent % 64);
    }
}

void FlowChecker::check_outputs() {
  if (!spec_.outputs) return;
  Path list = path_.member("outputs");
  std::set<std::string_view> unique;
  for (std::size_t i = 0; i < spec_.outputs->size(); ++i) {
    known_task((*spec_.outputs)[i], list.element(i));
    if (!unique.insert((*spec_.outputs)[i]).second) errors_.add(list.element(i), "is named twice");
  }
}

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

base::Result<std::string> resolve_parameters(const std::vector<ParameterSpec>& declared,
                                             JsonView given) {
  FieldErrors errors;
  Path root;
  Path path = root.member("parameters");
  if (!base::detail::expect_type(given, base::JsonType::object, path, errors))
    return std::move(errors).error();
  for (JsonView::Member member : given.members())
    if (std::none_of(declared.begin(), declared.end(), [&](const ParameterSpec& parameter) {
          return member.name.string_equals(parameter.name);
        }))
      errors.add(path.member(member.name.string()), "the flow has no such parameter");
  std::string resolved;
  base::JsonWriter writer(resolved);
  writer.begin_object();
  for (const ParameterSpec& parameter : declared) {
    std::optional<JsonView> value = given.find(parameter.name);
    if (value && !value->is_null()) {
      check_value(parameter, *value, path.member(parameter.name), errors);
      writer.key(parameter.name).raw(value->raw());
    } else if (parameter.default_value) {
      writer.key(parameter.name).raw(parameter.default_value->text);
    } else if (parameter.required) {
      errors.add(path.member(parameter.name), "is required");
    } else {
      writer.key(parameter.name).null();
    }
  }
  writer.end_object();
  if (resolved.size() > base::limits::parameters_bytes_max)
    errors.add(path, fmt::format("must have at most {} bytes", base::limits::parameters_bytes_max));
  if (!errors.empty()) return std::move(errors).error();
  return resolved;
}

}  // namespace model
