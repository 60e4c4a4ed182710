// A flow version made ready to run: names resolved to indices, expressions compiled. Immutable and
// shared by its runs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/flow_spec.h"
#include "model/status.h"
#include "model/task_expressions.h"

namespace model {

using TaskIndex = std::uint32_t;

struct PlannedInput {
  enum class Kind { literal, parameter, task, tasks, expression };
  std::string name;
  Kind kind;
  std::string text;  // literal JSON, parameter name, or pointer into the task's output
  std::vector<TaskIndex> sources;  // one for task, any number for tasks
  cel::ProgramPtr program;         // of an expression
};

struct PlannedChild {
  TaskIndex task;
  std::string label_json;  // of a branch's edge: the output that takes it; empty: always taken
};

/// `<task id>[:<map index>]`: a task run's id within its run. `map_index` is -1 unless it is an
/// element of a mapped task.
inline std::string task_run_name(const std::string& task_id, int map_index) {
  return map_index < 0 ? task_id : task_id + ':' + std::to_string(map_index);
}

enum class Hook { on_success, on_failure, on_cancel };

/// Whether hooks of this kind follow a run that ended so.
constexpr bool runs_after(Hook hook, RunStatus status) {
  if (status == RunStatus::succeeded) return hook == Hook::on_success;
  if (status == RunStatus::failed) return hook == Hook::on_failure;
  return hook == Hook::on_cancel;
}

struct PlannedTask {
  std::string id;
  std::string name;
  const NodeTypeInfo* type = nullptr;
  std::optional<Hook> hook;
  std::string config;  // JSON text, before its templates
  TaskExpressions expressions;
  std::vector<PlannedInput> inputs;
  std::optional<PlannedInput> map_over;
  /// The tasks whose outputs its inputs and expressions read, in order.
  std::vector<TaskIndex> reads;
  TriggerRule trigger_rule = TriggerRule::all_success;
  std::vector<TaskIndex> parents;
  std::vector<PlannedChild> children;

  int attempts_max = 1;
  std::vector<double> retry_delay_seconds;
  std::optional<RetryBackoff> retry_backoff;
  double retry_jitter_factor = 0;
  std::optional<std::vector<std::string>> retry_on;
  std::optional<base::Duration> timeout;
  std::optional<ExecutionMode> execution_mode;  // the run's when absent

  int priority = 0;
  std::optional<std::uint32_t> concurrency_limit;
  std::uint32_t elements_parallel_max = UINT32_MAX;  // of map_over
  std::uint32_t max_failures = 0;                    // likewise
  int iterations_max = 0;                            // of repeat_until
  std::optional<base::Duration> cache_ttl;
  bool decides = false;           // something is to be evaluated before it starts
  bool decides_elements = false;  // likewise for each element of a mapped task
};

struct Plan {
  std::string flow_name;
  std::string flow_version;
  std::string artifact;  // SHA-256 of the file that it runs from; empty without one
  std::vector<ParameterSpec> parameters;
  std::vector<PlannedTask> tasks;  // those of the flow, then its hooks
  std::vector<TaskIndex> hooks;
  std::vector<TaskIndex> outputs;
  bool output_is_single = false;  // `outputs` named one task: the run's output is its value
  bool fail_fast = true;
  std::uint32_t max_parallel = base::limits::max_parallel_default;
  std::optional<base::Duration> timeout;
  std::optional<std::uint32_t> concurrency_limit;
  cel::ProgramPtr concurrency_key;
  ConcurrencyPolicy concurrency_policy = ConcurrencyPolicy::queue;
  bool has_priorities = false;  // of its tasks
};

/// `spec` must have passed read_flow_spec with the same catalog.
std::shared_ptr<const Plan> make_plan(const FlowSpec& spec, std::string version,
                                      NodeCatalog catalog, std::string artifact = {});
/// From stored text. A row that no longer reads gives an error, which then fails its runs.
base::Result<std::shared_ptr<const Plan>> load_plan(std::string spec_json, std::string version,
                                                    NodeCatalog catalog, std::string artifact = {});

}  // namespace model
