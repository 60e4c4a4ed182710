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

static constexpr double seconds_max = double(limits::duration_seconds_max);

namespace {

constexpr std::size_t tags_max = 64;

void check_seconds(const std::optional<double>& seconds, const Path& path, FieldErrors& errors) {
  if (seconds && !(*seconds > 0 && *seconds <= seconds_max))
    errors.add(path, "must be above 0 and at most 366 days (31622400)");
}

bool is_retry_kind(std::string_view kind) {
  static constexpr auto kinds = std::to_array<std::string_view>(
      {"exit_code", "timeout", "http_5xx", "http_429", "connection", "node_lost"});
  if (std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) return true;
  return kind.starts_with("exception:") && kind.size() > 10 && kind.size() <= 128;
}

void check_retries(const TaskSpec& task, const Path& path, FieldErrors& errors) {
  if (!(task.retry_jitter_factor >= 0 && task.retry_jitter_factor <= 1))
    errors.add(path.member("retry_jitter_factor"), "must be from 0 to 1");
  if (task.retry_backoff && task.retry_delay_seconds)
    errors.add(path.member("retry_backoff"), "stands instead of retry_delay_seconds");
  if (!task.retry_on) return;
  Path here = path.member("retry_on");
  for (std::size_t i = 0; i < task.retry_on->size(); ++i)
    if (!is_retry_kind((*task.retry_on)[i]))
      errors.add(here.element(i),
                 "must be exit_code, timeout, http_5xx, http_429, connection, node_lost or "
                 "exception:<Class>");
}

// A member that means nothing without another one.
void belongs_to(bool present, std::string_view name, bool other_present, std::string_view other,
                const Path& path, FieldErrors& errors) {
  if (present && !other_present) errors.add(path.member(name), fmt::format("belongs to {}", other));
}

void check_task(const void* object, const Path& path, FieldErrors& errors) {
  const auto& task = *static_cast<const TaskSpec*>(object);
  check_seconds(task.timeout_seconds, path.member("timeout_seconds"), errors);
  check_retries(task, path, errors);
  belongs_to(task.concurrency_key.has_value(), "concurrency_key",
             task.concurrency_limit.has_value(), "concurrency_limit", path, errors);
  belongs_to(task.max_parallel.has_value(), "max_parallel", task.map_over.has_value(), "map_over",
             path, errors);
  belongs_to(task.max_failures.has_value(), "max_failures", task.map_over.has_value(), "map_over",
             path, errors);
  belongs_to(task.max_iterations.has_value(), "max_iterations", task.repeat_until.has_value(),
             "repeat_until", path, errors);
}

void check_backoff(const void* object, const Path& path, FieldErrors& errors) {
  const auto& backoff = *static_cast<const RetryBackoff*>(object);
  if (!(backoff.initial > 0 && backoff.initial <= seconds_max))
    errors.add(path.member("initial"), "must be above 0 and at most 366 days (31622400)");
  if (!(backoff.factor >= 1 && backoff.factor <= 100))
    errors.add(path.member("factor"), "must be from 1 to 100");
  if (!(backoff.max >= backoff.initial && backoff.max <= seconds_max))
    errors.add(path.member("max"), "must be from initial to 366 days (31622400)");
}

void check_cache(const void* object, const Path& path, FieldErrors& errors) {
  check_seconds(static_cast<const CacheSpec*>(object)->ttl_seconds, path.member("ttl_seconds"),
                errors);
}

void check_input(const void* object, const Path& path, FieldErrors& errors) {
  const auto& input = *static_cast<const InputSource*>(object);
  int sources = input.literal.has_value() + input.parameter.has_value() + input.task.has_value() +
                input.tasks.has_value() + input.expression.has_value();
  // {"literal": null} reads as no source at all: null counts as absent, and null is what it gives.
  if (sources > 1)
    errors.add(path, "must have only one of literal, parameter, task, tasks, expression");
  if (input.path && !input.task) errors.add(path.member("path"), "belongs to task");
  if (input.path && !input.path->empty() && input.path->front() != '/')
    errors.add(path.member("path"), "must be a JSON pointer: empty or starting with '/'");
}

void check_hooks(const std::vector<TaskSpec>& hooks, const Path& path, FieldErrors& errors) {
  for (std::size_t i = 0; i < hooks.size(); ++i) {
    Path here = path.element(i);
    if (!hooks[i].depends_on.empty())
      errors.add(here.member("depends_on"), "hooks run side by side and depend on nothing");
    if (hooks[i].trigger_rule != TriggerRule::all_success)
      errors.add(here.member("trigger_rule"), "a hook has no parents");
    if (hooks[i].map_over) errors.add(here.member("map_over"), "a hook is one task");
  }
}

void check_flow(const void* object, const Path& path, FieldErrors& errors) {
  const auto& flow = *static_cast<const FlowSpec*>(object);
  check_seconds(flow.timeout_seconds, path.member("timeout_seconds"), errors);
  bool is_limited = flow.concurrency_limit.has_value();
  belongs_to(flow.concurrency_key.has_value(), "concurrency_key", is_limited, "concurrency_limit",
             path, errors);
  belongs_to(flow.concurrency_policy != ConcurrencyPolicy::queue, "concurrency_policy", is_limited,
             "concurrency_limit", path, errors);
  check_hooks(flow.on_success, path.member("on_success"), errors);
  check_hooks(flow.on_failure, path.member("on_failure"), errors);
  check_hooks(flow.on_cancel, path.member("on_cancel"), errors);
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
  using R = TriggerRule;
  static constexpr auto names = std::to_array<base::EnumName>({{int(R::all_success), "all_success"},
                                                               {int(R::none_failed), "none_failed"},
                                                               {int(R::all_done), "all_done"},
                                                               {int(R::one_success), "one_success"},
                                                               {int(R::one_failed), "one_failed"}});
  return names;
}

std::span<const base::EnumName> enum_names(ExecutionMode) {
  using M = ExecutionMode;
  static constexpr auto names = std::to_array<base::EnumName>({{int(M::nano), "nano"},
                                                               {int(M::micro), "micro"},
                                                               {int(M::small), "small"},
                                                               {int(M::medium), "medium"},
                                                               {int(M::large), "large"},
                                                               {int(M::xlarge), "xlarge"}});
  return names;
}

ExecutionMode execution_mode_of(std::string_view name) {
  return base::enum_from_name<ExecutionMode>(name).value_or(ExecutionMode::small);
}

std::span<const base::EnumName> enum_names(ExecutorName) {
  static constexpr auto names =
      std::to_array<base::EnumName>({{int(ExecutorName::local), "local"}});
  return names;
}

std::span<const base::EnumName> enum_names(ConcurrencyPolicy) {
  using P = ConcurrencyPolicy;
  static constexpr auto names =
      std::to_array<base::EnumName>({{int(P::queue), "queue"},
                                     {int(P::skip), "skip"},
                                     {int(P::cancel_running), "cancel_running"}});
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
           .length(0, limits::tasks_max),
       field<&S::expression>("expression", "CEL over parameters, run and tasks")
           .length(1, limits::expression_bytes_max)},
      check_input);
  return fields;
}

const Fields& RetryBackoff::fields() {
  using S = RetryBackoff;
  static const Fields fields(
      "RetryBackoff",
      {field<&S::initial>("initial", "seconds before the second attempt").defaults_to("1"),
       field<&S::factor>("factor", "each delay to the one before").defaults_to("2"),
       field<&S::max>("max", "seconds at most").defaults_to("3600")},
      check_backoff);
  return fields;
}

const Fields& CacheSpec::fields() {
  using S = CacheSpec;
  static const Fields fields(
      "CacheSpec",
      {field<&S::key>("key", "CEL; within organization, flow, task and config")
           .required()
           .length(1, limits::expression_bytes_max),
       field<&S::ttl_seconds>("ttl_seconds", "how long an output stands in").required()},
      check_cache);
  return fields;
}

namespace {

std::vector<base::Field> description_fields() {
  using S = TaskSpec;
  return {
      field<&S::id>("id", "unique in the flow").required().rule(base::name_rule),
      field<&S::name>("name", "for people; the id when absent").length(0, 256),
      field<&S::description>("description", "for people").length(0, limits::text_bytes_max),
      field<&S::type>("type", "node type").required().length(1, 64),
      field<&S::config>("config", "settings of the node type"),
      field<&S::tags>("tags", "labels").length(0, tags_max),
      field<&S::depends_on>("depends_on", "ids of the tasks it waits for")
          .length(0, limits::tasks_max),
      field<&S::inputs>("inputs", "input name to its source").length(0, 1000),
      field<&S::when>("when", "CEL; false: SKIPPED by choice")
          .length(1, limits::expression_bytes_max),
      field<&S::trigger_rule>("trigger_rule", "when it runs, given its parents' ends")
          .defaults_to("\"all_success\""),
      field<&S::side_effect>("side_effect", "false: may be repeated freely").defaults_to("true")};
}

std::vector<base::Field> attempt_fields() {
  using S = TaskSpec;
  return {
      field<&S::retries>("retries", "further attempts after the first")
          .range(0, limits::retries_max)
          .defaults_to("0"),
      field<&S::retry_delay_seconds>("retry_delay_seconds",
                                     "before each further attempt, default 0; of a list the last "
                                     "repeats"),
      field<&S::retry_backoff>("retry_backoff", "growing delays, instead"),
      field<&S::retry_jitter_factor>("retry_jitter_factor",
                                     "the delay is drawn from [base, base*(1+factor))")
          .range(0, 1)
          .defaults_to("0"),
      field<&S::retry_on>("retry_on",
                          "kinds of failure that are retried: exit_code, timeout, http_5xx, "
                          "http_429, connection, node_lost, exception:<Class>; all when absent")
          .length(0, 100),
      field<&S::timeout_seconds>("timeout_seconds", "limit of one attempt, above 0"),
      field<&S::executor>("executor", "where it runs").defaults_to("\"local\""),
      field<&S::execution_mode>("execution_mode",
                                "how large its process may become; the run's when absent")};
}

std::vector<base::Field> flow_control_fields() {
  using S = TaskSpec;
  return {field<&S::concurrency_limit>("concurrency_limit", "attempts at a time, across runs")
              .range(1, limits::concurrency_limit_max),
          field<&S::concurrency_key>("concurrency_key",
                                     "CEL; the limit counts within the flow and this key")
              .length(1, limits::expression_bytes_max),
          field<&S::priority>("priority", "after the run's own")
              .range(-limits::priority_max, limits::priority_max)
              .defaults_to("0"),
          field<&S::map_over>("map_over",
                              "source of a list; one task run for each element, which arrives as "
                              "input item, its index as index"),
          field<&S::max_parallel>("max_parallel", "elements of map_over at a time; all if absent")
              .range(1, limits::max_parallel_max),
          field<&S::max_failures>("max_failures",
                                  "elements that may fail, 0 if absent; their output is null")
              .range(0, limits::map_elements_max),
          field<&S::repeat_until>("repeat_until",
                                  "CEL over output and inputs; it runs again while false, with "
                                  "its output as input previous")
              .length(1, limits::expression_bytes_max),
          field<&S::max_iterations>("max_iterations", "of repeat_until, 100 if absent")
              .range(1, limits::iterations_max),
          field<&S::cache>("cache", "keeps its output for later runs")};
}

}  // namespace

const Fields& TaskSpec::fields() {
  static const Fields fields(
      "TaskSpec",
      [] {
        std::vector<base::Field> list = description_fields();
        for (const auto& more : {attempt_fields(), flow_control_fields()})
          list.insert(list.end(), more.begin(), more.end());
        return list;
      }(),
      check_task);
  return fields;
}

const Fields& EdgeSpec::fields() {
  using S = EdgeSpec;
  static const Fields fields(
      "EdgeSpec",
      {field<&S::source>("source", "id of the earlier task").required(),
       field<&S::target>("target", "id of the later task").required(),
       field<&S::label>("label", "of a branch: the choice that takes this edge").length(1, 128)});
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
       field<&S::timeout_seconds>("timeout_seconds", "limit of the run, above 0"),
       field<&S::concurrency_limit>("concurrency_limit", "runs of the flow at a time")
           .range(1, limits::concurrency_limit_max),
       field<&S::concurrency_key>("concurrency_key",
                                  "CEL over parameters and run; the limit counts within it")
           .length(1, limits::expression_bytes_max),
       field<&S::concurrency_policy>("concurrency_policy", "what a run does at the limit")
           .defaults_to("\"queue\""),
       field<&S::on_success>("on_success", "tasks to run when the run has succeeded")
           .length(0, limits::hooks_max),
       field<&S::on_failure>("on_failure", "tasks to run when it has failed")
           .length(0, limits::hooks_max),
       field<&S::on_cancel>("on_cancel", "tasks to run when it was cancelled")
           .length(0, limits::hooks_max)},
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
