#include "runtime/new_run.h"

#include <fmt/format.h>

#include "base/json_writer.h"
#include "base/limits.h"
#include "model/cel/program.h"
#include "model/parameters.h"
#include "runtime/task_values.h"

namespace runtime {

namespace cel = model::cel;
namespace limits = base::limits;

namespace {

// Within the organization and the flow; one key for all runs where the flow gives none.
base::Result<std::string> run_key(const store::LiveRunRow& row, const model::Plan& plan,
                                  const std::string& parameters) {
  std::string prefix = "run\n" + row.org_id + '\n' + plan.flow_name + '\n';
  if (!plan.concurrency_key) return prefix;
  auto document = TRY(base::JsonDocument::parse(parameters));
  cel::Bindings bindings;
  bindings.set("parameters", cel::Value::json(std::move(document)));
  auto text = [](const std::string& value) { return cel::Value::string(value); };
  bindings.set("run", cel::Value::map({{text("flow_name"), text(plan.flow_name)},
                                       {text("flow_version"), text(plan.flow_version)},
                                       {text("trigger_type"), text(row.trigger_type)}}));
  cel::Budget budget;
  auto value = plan.concurrency_key->evaluate(bindings, budget);
  if (!value) return base::invalid("concurrency_key: " + value.error().message);
  return prefix + TRY(key_text(*value, budget, limits::concurrency_key_bytes_max));
}

}  // namespace

base::Result<> prepare_run(store::LiveRunRow& row, const model::Plan& plan, base::JsonView given,
                           store::Objects& objects) {
  std::string parameters = TRY(model::resolve_parameters(plan.parameters, given));
  row.flow_name = plan.flow_name;
  row.flow_version = plan.flow_version;
  if (plan.concurrency_limit) row.concurrency_key = TRY(run_key(row, plan, parameters));
  row.parameters = TRY(keep_value(std::move(parameters), objects));
  return {};
}

base::Result<std::string> overlay_parameters(const std::string& below, const std::string& above) {
  auto old = TRY(base::JsonDocument::parse(below));
  auto given = TRY(base::JsonDocument::parse(above));
  if (!given->root().is_object())
    return base::invalid("/parameters: must be an object", {{"/parameters", "must be an object"}});
  std::string merged;
  base::JsonWriter out(merged);
  out.begin_object();
  for (base::JsonView::Member member : old->root().members())
    if (!given->root().find(member.name.string()))
      out.key(member.name.string()).raw(member.value.raw());
  for (base::JsonView::Member member : given->root().members())
    out.key(member.name.string()).raw(member.value.raw());
  out.end_object();
  return merged;
}

base::Result<model::Value> keep_value(std::string json, store::Objects& objects) {
  if (json.size() > limits::value_bytes_max)
    return base::Error{base::ErrorCode::too_large,
                       fmt::format("a value has at most {} bytes", limits::value_bytes_max)};
  if (json.size() <= limits::inline_value_bytes_max)
    return model::Value::inline_json(std::move(json));
  auto bytes = std::ssize(json);
  return model::Value::reference(TRY(objects.put(json)), bytes);
}

base::Result<std::string> text_of(const model::Value& value, const store::Objects& objects) {
  if (!value.is_reference()) return value.json;
  return objects.get(value.object);
}

}  // namespace runtime
