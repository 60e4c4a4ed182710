// The description of a FlowSpec, field by field. The checks across fields are in flow_checks.cc.
#include "model/flow_spec.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"

namespace model {

using base::field;
using base::FieldErrors;
using base::Fields;
using base::Path;
namespace limits = base::limits;

static constexpr double seconds_max = 366.0 * 86400;

namespace {

constexpr std::size_t tags_max = 64;

void check_seconds(const std::optional<double>& seconds, const Path& path, FieldErrors& errors) {
  if (seconds && !(*seconds > 0 && *seconds <= seconds_max))
    errors.add(path, "must be above 0 and at most 366 days (31622400)");
}

bool is_retry_kind(std::string_view kind) {
  if (kind == "exit_code" || kind == "timeout" || kind == "node_lost") return true;
  return kind.starts_with("exception:") && kind.size() > 10 && kind.size() <= 128;
}

void check_task(const void* object, const Path& path, FieldErrors& errors) {
  const auto& task = *static_cast<const TaskSpec*>(object);
  check_seconds(task.timeout_seconds, path.member("timeout_seconds"), errors);
  if (!(task.retry_jitter_factor >= 0 && task.retry_jitter_factor <= 1))
    errors.add(path.member("retry_jitter_factor"), "must be from 0 to 1");
  if (!task.retry_on) return;
  Path here = path.member("retry_on");
  for (std::size_t i = 0; i < task.retry_on->size(); ++i)
    if (!is_retry_kind((*task.retry_on)[i]))
      errors.add(here.element(i), "must be exit_code, timeout, node_lost or exception:<Class>");
}

void check_input(const void* object, const Path& path, FieldErrors& errors) {
  const auto& input = *static_cast<const InputSource*>(object);
  int sources = input.literal.has_value() + input.parameter.has_value() + input.task.has_value() +
                input.tasks.has_value();
  // {"literal": null} reads as no source at all: null counts as absent, and null is what it gives.
  if (sources > 1) errors.add(path, "must have only one of literal, parameter, task, tasks");
  if (input.path && !input.task) errors.add(path.member("path"), "belongs to task");
  if (input.path && !input.path->empty() && input.path->front() != '/')
    errors.add(path.member("path"), "must be a JSON pointer: empty or starting with '/'");
}

void check_flow(const void* object, const Path& path, FieldErrors& errors) {
  check_seconds(static_cast<const FlowSpec*>(object)->timeout_seconds,
                path.member("timeout_seconds"), errors);
}

}  // namespace

std::span<const base::EnumName> enum_names(ParameterType) {
  static constexpr std::array<base::EnumName, 6> names{{{int(ParameterType::string), "string"},
                                                        {int(ParameterType::integer), "integer"},
                                                        {int(ParameterType::number), "number"},
                                                        {int(ParameterType::boolean), "boolean"},
                                                        {int(ParameterType::object), "object"},
                                                        {int(ParameterType::array), "array"}}};
  return names;
}

std::span<const base::EnumName> enum_names(TriggerRule) {
  static constexpr std::array<base::EnumName, 1> names{
      {{int(TriggerRule::all_success), "all_success"}}};
  return names;
}

const Fields& ParameterSpec::fields() {
  using S = ParameterSpec;
  static const Fields fields(
      "ParameterSpec",
      {field<&S::name>("name", "name of the parameter").required().rule(base::name_rule),
       field<&S::type>("type", "type of its value").defaults_to("\"string\""),
       field<&S::required>("required", "a run must give it").defaults_to("false"),
       field<&S::default_value>("default", "value when a run does not give it"),
       field<&S::enumeration>("enum", "the values allowed").length(1, 1000),
       field<&S::description>("description", "for people").length(0, limits::text_bytes_max)});
  return fields;
}

const Fields& InputSource::fields() {
  using S = InputSource;
  static const Fields fields(
      "InputSource",
      {field<&S::literal>("literal", "the value itself"),
       field<&S::parameter>("parameter", "name of a parameter of the flow"),
       field<&S::task>("task", "id of an upstream task whose output is taken"),
       field<&S::path>("path", "JSON pointer into that output").length(0, 1024),
       field<&S::tasks>("tasks", "ids of upstream tasks; the list of their outputs is taken")
           .length(0, limits::tasks_max)},
      check_input);
  return fields;
}

const Fields& TaskSpec::fields() {
  using S = TaskSpec;
  static const Fields fields(
      "TaskSpec",
      {field<&S::id>("id", "unique in the flow").required().rule(base::name_rule),
       field<&S::name>("name", "for people; the id when absent").length(0, 256),
       field<&S::description>("description", "for people").length(0, limits::text_bytes_max),
       field<&S::type>("type", "node type").required().length(1, 64),
       field<&S::config>("config", "settings of the node type"),
       field<&S::tags>("tags", "labels").length(0, tags_max),
       field<&S::depends_on>("depends_on", "ids of the tasks it waits for")
           .length(0, limits::tasks_max),
       field<&S::inputs>("inputs", "input name to its source").length(0, 1000),
       field<&S::trigger_rule>("trigger_rule", "when it runs, given its parents' ends")
           .defaults_to("\"all_success\""),
       field<&S::retries>("retries", "further attempts after the first")
           .range(0, limits::retries_max)
           .defaults_to("0"),
       field<&S::retry_delay_seconds>("retry_delay_seconds",
                                      "before each further attempt; of a list the last repeats")
           .defaults_to("0"),
       field<&S::retry_jitter_factor>("retry_jitter_factor",
                                      "the delay is drawn from [base, base*(1+factor))")
           .range(0, 1)
           .defaults_to("0"),
       field<&S::retry_on>("retry_on",
                           "kinds of failure that are retried: exit_code, timeout, node_lost, "
                           "exception:<Class>; all when absent")
           .length(0, 100),
       field<&S::timeout_seconds>("timeout_seconds", "limit of one attempt, above 0")},
      check_task);
  return fields;
}

const Fields& EdgeSpec::fields() {
  using S = EdgeSpec;
  static const Fields fields("EdgeSpec",
                             {field<&S::source>("source", "id of the earlier task").required(),
                              field<&S::target>("target", "id of the later task").required()});
  return fields;
}

const Fields& FlowSpec::fields() {
  using S = FlowSpec;
  static const Fields fields(
      "FlowSpec",
      {field<&S::name>("name", "name of the flow, unique in the organization")
           .required()
           .rule(base::name_rule),
       field<&S::version>("version", "label of this version; absent or latest: 1, 2, …")
           .rule(base::name_rule),
       field<&S::description>("description", "for people").length(0, limits::text_bytes_max),
       field<&S::namespace_name>("namespace", "label").rule(base::name_rule),
       field<&S::tags>("tags", "labels").length(0, tags_max),
       field<&S::parameters>("parameters", "what a run may be given").length(0, 1000),
       field<&S::tasks>("tasks", "the steps").required().length(1, limits::tasks_max),
       field<&S::edges>("edges", "the same as depends_on, drawn from source to target")
           .length(0, 1'000'000),
       field<&S::outputs>("outputs",
                          "ids of the tasks that make the run's output; leaves if absent")
           .length(1, limits::tasks_max),
       field<&S::fail_fast>("fail_fast", "the first failed task ends the run").defaults_to("true"),
       field<&S::max_parallel>("max_parallel", "tasks of one run at a time")
           .range(1, limits::max_parallel_max)
           .defaults_to("64"),
       field<&S::timeout_seconds>("timeout_seconds", "limit of the run, above 0")},
      check_flow);
  return fields;
}

}  // namespace model

namespace base {
namespace {

void read_delays(JsonView from, void* to, const Limits&, const Path& path, FieldErrors& errors) {
  auto& delays = static_cast<model::RetryDelays*>(to)->seconds;
  if (from.type() == JsonType::number) {
    delays.resize(1);
    field_type<double>().read(from, &delays[0], {}, path, errors);
  } else if (from.is_array()) {
    field_type<std::vector<double>>().read(from, &delays, {{}, {}, 1, 101}, path, errors);
  } else {
    errors.add(path, "must be a number or a list of numbers");
  }
  for (double seconds : delays)
    if (!(seconds >= 0 && seconds <= model::seconds_max))
      return errors.add(path, "must be from 0 to 366 days (31622400)");
}

void write_delays(JsonWriter& to, const void* from) {
  const auto& delays = static_cast<const model::RetryDelays*>(from)->seconds;
  if (delays.size() == 1) {
    to.number(delays[0]);
  } else {
    field_type<std::vector<double>>().write(to, &delays);
  }
}

void delays_schema(JsonWriter& to, const Limits&, SchemaRefs&) {
  to.key("oneOf").raw(
      R"([{"type":"number","minimum":0},{"type":"array","items":{"type":"number","minimum":0},)"
      R"("minItems":1,"maxItems":101}])");
}

}  // namespace

constinit const FieldType FieldTypeOf<model::RetryDelays>::type{read_delays, write_delays,
                                                                delays_schema};

}  // namespace base
