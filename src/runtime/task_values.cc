#include "runtime/task_values.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json_writer.h"
#include "base/limits.h"
#include "model/cel/json_text.h"
#include "runtime/new_run.h"

namespace runtime {

namespace cel = model::cel;
namespace limits = base::limits;
using base::JsonDocument;
using model::PlannedInput;
using model::TaskIndex;

namespace {

cel::Entry entry(std::string name, cel::Value value) {
  return {cel::Value::string(std::move(name)), std::move(value)};
}

cel::Value describe_run(const TaskContext& context) {
  std::vector<cel::Entry> entries = {
      entry("id", cel::Value::string(to_string(context.run))),
      entry("flow_name", cel::Value::string(context.plan->flow_name)),
      entry("flow_version", cel::Value::string(context.plan->flow_version)),
      entry("trigger_type", cel::Value::string(context.trigger_type)),
      entry("created_at", cel::Value::string(base::to_iso8601(context.created_at)))};
  if (!context.planned_task().hook) return cel::Value::map(std::move(entries));
  entries.push_back(
      entry("status", cel::Value::string(std::string(base::name_of(context.run_status)))));
  cel::Value error;
  if (context.run_failure)
    error = cel::Value::map({entry("kind", cel::Value::string(context.run_failure->kind)),
                             entry("message", cel::Value::string(context.run_failure->message))});
  entries.push_back(entry("error", std::move(error)));
  return cel::Value::map(std::move(entries));
}

}  // namespace

base::Result<std::string> key_text(const cel::Value& value, cel::Budget& budget,
                                   std::size_t bytes_max) {
  std::string text;
  TRY(cel::append_text(text, value, budget));
  if (text.empty() || text.size() > bytes_max)
    return base::invalid(fmt::format("a key must have 1 to {} bytes", bytes_max));
  return text;
}

TaskValues::TaskValues(const TaskContext& context, const store::Objects& objects, MapLists& lists)
    : context_(context), objects_(objects), lists_(lists) {}

// ---- documents ----

base::Result<TaskValues::Document> TaskValues::document_of(const model::Value& value) {
  std::string text = TRY(text_of(value, objects_));
  return Document(TRY(JsonDocument::parse(std::move(text))));
}

base::Result<TaskValues::Document> TaskValues::parameters_document() {
  if (!parameters_) parameters_ = TRY(document_of(context_.parameters));
  return parameters_;
}

base::Result<TaskValues::Document> TaskValues::output_of(TaskIndex task) {
  Document& document = outputs_[task];
  if (document) return document;
  const auto& reads = context_.planned_task().reads;
  auto at = std::lower_bound(reads.begin(), reads.end(), task);
  document = TRY(document_of(context_.outputs[std::size_t(at - reads.begin())]));
  return document;
}

base::Result<std::string> TaskValues::parameters() {
  return TRY(parameters_document())->text();
}

// ---- inputs ----

base::Result<std::string> TaskValues::inputs() {
  if (inputs_) return *inputs_;
  const model::PlannedTask& task = context_.planned_task();
  std::string text;
  base::JsonWriter out(text);
  out.begin_object();
  for (const PlannedInput& input : task.inputs) {
    out.key(input.name).raw(TRY(resolve(input)));
    if (text.size() > limits::value_bytes_max) break;
  }
  if (context_.map_index >= 0) {
    std::shared_ptr<const MapList> list = TRY(map_list());
    out.key("item").raw(list->elements.at(std::size_t(context_.map_index)).raw());
    out.key("index").integer(context_.map_index);
  }
  if (task.iterations_max > 0) out.key("previous").raw(TRY(text_of(context_.previous, objects_)));
  out.end_object();
  if (text.size() > limits::value_bytes_max)
    return base::invalid(
        fmt::format("the inputs are larger than {} bytes", limits::value_bytes_max));
  inputs_ = std::move(text);
  return *inputs_;
}

base::Result<std::string> TaskValues::resolve(const PlannedInput& input) {
  switch (input.kind) {
    case PlannedInput::Kind::literal:
      return input.text;
    case PlannedInput::Kind::parameter: {
      auto value = TRY(parameters_document())->root().find(input.text);
      return std::string(value ? value->raw() : "null");
    }
    case PlannedInput::Kind::task:
      return resolve_pointer(input);
    case PlannedInput::Kind::tasks: {
      std::string text = "[";
      for (TaskIndex source : input.sources)
        text += (text.size() > 1 ? "," : "") + TRY(output_of(source))->text();
      return text + "]";
    }
    case PlannedInput::Kind::expression: {
      cel::Value value = TRY(evaluate(*input.program));
      std::string text;
      TRY(cel::append_json(text, value, budget_));
      return text;
    }
  }
  return base::internal_error("unknown kind of input");
}

base::Result<std::string> TaskValues::resolve_pointer(const PlannedInput& input) {
  Document document = TRY(output_of(input.sources[0]));
  auto value = document->root().at_pointer(input.text);
  if (value) return std::string(value->raw());
  if (document->root().is_null()) return std::string("null");  // it did not succeed
  return base::invalid(fmt::format("input '{}': the output of task '{}' has nothing at '{}'",
                                   input.name, context_.plan->tasks[input.sources[0]].id,
                                   input.text));
}

base::Result<std::shared_ptr<const MapList>> TaskValues::map_list() {
  if (auto kept = lists_.find(context_.run, context_.planned)) return kept;
  const PlannedInput& source = *context_.planned_task().map_over;
  std::string text = TRY(resolve(source));
  auto list = std::make_shared<MapList>();
  list->document = TRY(JsonDocument::parse(std::move(text)));
  base::JsonView root = list->document->root();
  if (!root.is_array())
    return base::invalid(fmt::format("map_over must be a list, not {}", with_article(root.type())));
  if (root.size() > std::size_t(limits::map_elements_max))
    return base::invalid(fmt::format("map_over has {} elements, at most {} are allowed",
                                     root.size(), limits::map_elements_max));
  list->elements.reserve(root.size());
  for (base::JsonView element : root.elements()) list->elements.push_back(element);
  lists_.keep(context_.run, context_.planned, list);
  return std::shared_ptr<const MapList>(std::move(list));
}

// ---- expressions ----

base::Result<cel::Value> TaskValues::evaluate(const cel::Program& program) {
  TRY(bind(program.reads()));
  base::Result<cel::Value> value = program.evaluate(bindings_, budget_);
  if (!value) in_expression_ = true;
  return value;
}

base::Result<bool> TaskValues::condition(const cel::Program& program) {
  cel::Value value = TRY(evaluate(program));
  value = TRY(value.read(budget_));
  if (value.is(cel::Type::boolean)) return value.as_boolean();
  in_expression_ = true;
  return base::invalid(
      fmt::format("a condition must be true or false, not {}", cel::name_of(value.type())));
}

base::Result<std::string> TaskValues::key(const cel::Program& program, std::size_t bytes_max) {
  cel::Value value = TRY(evaluate(program));
  base::Result<std::string> text = key_text(value, budget_, bytes_max);
  if (!text) in_expression_ = true;
  return text;
}

base::Result<std::string> TaskValues::config() {
  const model::PlannedTask& task = context_.planned_task();
  if (!task.expressions.config.has_expressions()) return task.config;
  TRY(bind(task.expressions.config.reads()));
  base::Result<std::string> text = task.expressions.config.render(bindings_, budget_);
  if (!text) in_expression_ = true;
  return text;
}

// Binds what is read and has not been bound; `inputs` may bind others on its way.
base::Result<> TaskValues::bind(const cel::Reads& reads) {
  for (const auto& [variable, members] : reads) {
    if (variable == "tasks") {
      TRY(bind_tasks());
      continue;
    }
    if (bound_.contains(variable)) continue;
    if (variable == "parameters")
      bindings_.set(variable, cel::Value::json(TRY(parameters_document())));
    if (variable == "run") bindings_.set(variable, describe_run(context_));
    if (variable == "inputs") {
      std::string text = TRY(inputs());
      bindings_.set(variable, cel::Value::json(TRY(JsonDocument::parse(std::move(text)))));
    }
    bound_.insert(variable);
  }
  return {};
}

// All of the task's reads: they are few, and are loaded when this is the first to ask.
base::Result<> TaskValues::bind_tasks() {
  if (!bound_.insert("tasks").second) return {};
  std::vector<cel::Entry> entries;
  for (TaskIndex task : context_.planned_task().reads)
    entries.push_back(entry(context_.plan->tasks[task].id, cel::Value::json(TRY(output_of(task)))));
  bindings_.set("tasks", cel::Value::map(std::move(entries)));
  return {};
}

}  // namespace runtime
