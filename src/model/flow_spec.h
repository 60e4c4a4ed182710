// FlowSpec: the one JSON document that describes a flow, and its checks, all reported at once with
// their paths. Source: flow-spec.md; the format is explained in docs/formats.md.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "base/limits.h"
#include "model/node_type.h"

namespace model {

enum class ParameterType { string, integer, number, boolean, object, array };
std::span<const base::EnumName> enum_names(ParameterType);

struct ParameterSpec {
  std::string name;
  ParameterType type = ParameterType::string;
  bool required = false;
  std::optional<base::RawJson> default_value;
  std::optional<std::vector<base::RawJson>> enumeration;
  std::string description;
  static const base::Fields& fields();
};

/// Where an input comes from: exactly one of literal, parameter, task (with path), tasks and
/// expression.
struct InputSource {
  std::optional<base::RawJson> literal;
  std::optional<std::string> parameter;
  std::optional<std::string> task;
  std::optional<std::string> path;                // RFC 6901, into the output of `task`
  std::optional<std::vector<std::string>> tasks;  // the list of their outputs
  std::optional<std::string> expression;          // CEL over parameters, run and tasks
  static const base::Fields& fields();
};

/// Seconds before each further attempt; the last entry repeats. A number stands for one entry.
struct RetryDelays {
  std::vector<double> seconds = {0.0};
};

/// Seconds before further attempts that grow: initial, initial * factor, …, at most max.
struct RetryBackoff {
  double initial = 1;
  double factor = 2;
  double max = 3600;
  static const base::Fields& fields();
};

/// When a task runs, given its parents' ends; the table is in engine/trigger_rule.h.
enum class TriggerRule { all_success, none_failed, all_done, one_success, one_failed };
std::span<const base::EnumName> enum_names(TriggerRule);

/// A succeeded task's output is kept under the key and stands in for its next attempts.
struct CacheSpec {
  std::string key;  // CEL
  double ttl_seconds = 0;
  static const base::Fields& fields();
};

/// How large a process may become; the table is in exec/.
enum class ExecutionMode { nano, micro, small, medium, large, xlarge };
std::span<const base::EnumName> enum_names(ExecutionMode);
/// Of a stored name; the default, small, for an empty one.
ExecutionMode execution_mode_of(std::string_view name);

enum class ExecutorName { local };
std::span<const base::EnumName> enum_names(ExecutorName);

struct TaskSpec {
  std::string id;
  std::string name;
  std::string description;
  std::string type;
  base::RawJson config = {"{}"};
  std::map<std::string, std::string> tags;
  std::vector<std::string> depends_on;
  std::map<std::string, InputSource> inputs;
  std::optional<std::string> when;  // CEL -> bool
  TriggerRule trigger_rule = TriggerRule::all_success;
  int retries = 0;
  std::optional<RetryDelays> retry_delay_seconds;
  std::optional<RetryBackoff> retry_backoff;
  double retry_jitter_factor = 0;
  std::optional<std::vector<std::string>> retry_on;
  std::optional<double> timeout_seconds;
  std::optional<int> concurrency_limit;
  std::optional<std::string> concurrency_key;  // CEL
  int priority = 0;
  std::optional<InputSource> map_over;
  std::optional<int> max_parallel;
  std::optional<int> max_failures;
  std::optional<std::string> repeat_until;  // CEL -> bool
  std::optional<int> max_iterations;
  std::optional<CacheSpec> cache;
  ExecutorName executor = ExecutorName::local;
  std::optional<ExecutionMode> execution_mode;
  bool side_effect = true;
  static const base::Fields& fields();
};

struct EdgeSpec {
  std::string source;
  std::string target;
  std::optional<std::string> label;  // of a branch's outgoing edge
  static const base::Fields& fields();
};

/// What a run does that finds its flow's concurrency limit reached.
enum class ConcurrencyPolicy { queue, skip, cancel_running };
std::span<const base::EnumName> enum_names(ConcurrencyPolicy);

struct FlowSpec {
  std::string name;
  std::optional<std::string> version;
  std::string description;
  std::optional<std::string> namespace_name;
  std::map<std::string, std::string> tags;
  std::vector<ParameterSpec> parameters;
  std::vector<TaskSpec> tasks;
  std::optional<std::vector<EdgeSpec>> edges;
  std::optional<std::vector<std::string>> outputs;
  bool fail_fast = true;
  int max_parallel = base::limits::max_parallel_default;
  std::optional<double> timeout_seconds;
  std::optional<int> concurrency_limit;
  std::optional<std::string> concurrency_key;  // CEL over parameters and run
  ConcurrencyPolicy concurrency_policy = ConcurrencyPolicy::queue;
  // Hooks: run when the status is decided, side by side, and never change it.
  std::vector<TaskSpec> on_success;
  std::vector<TaskSpec> on_failure;
  std::vector<TaskSpec> on_cancel;
  static const base::Fields& fields();
};

/// Reads and checks a whole spec; after it `depends_on` holds the edges too. Every broken rule is
/// added to `errors` under `path`.
FlowSpec read_flow_spec(base::JsonView from, NodeCatalog catalog, const base::Path& path,
                        base::FieldErrors& errors);

/// The identity of a spec: canonical JSON of the document without its `version`.
std::string canonical_spec(base::JsonView spec);

}  // namespace model

template <>
struct base::FieldTypeOf<model::RetryDelays> {
  static const FieldType type;
};
