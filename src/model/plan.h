// A flow version made ready to run: names resolved to indices. Immutable and shared by its runs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/flow_spec.h"

namespace model {

using TaskIndex = std::uint32_t;

struct PlannedInput {
  enum class Kind { literal, parameter, task, tasks };
  std::string name;
  Kind kind;
  std::string text;  // literal JSON, parameter name, or pointer into the task's output
  std::vector<TaskIndex> sources;  // one for task, any number for tasks
};

struct PlannedTask {
  std::string id;
  std::string name;
  const NodeTypeInfo* type = nullptr;
  std::string config;  // JSON text
  std::vector<PlannedInput> inputs;
  std::vector<TaskIndex> parents;
  std::vector<TaskIndex> children;
  int attempts_max = 1;
  std::vector<double> retry_delay_seconds;
  double retry_jitter_factor = 0;
  std::optional<std::vector<std::string>> retry_on;
  std::optional<base::Duration> timeout;
};

struct Plan {
  std::string flow_name;
  std::string flow_version;
  std::vector<ParameterSpec> parameters;
  std::vector<PlannedTask> tasks;
  std::vector<TaskIndex> outputs;
  bool output_is_single = false;  // `outputs` named one task: the run's output is its value
  bool fail_fast = true;
  std::uint32_t max_parallel = base::limits::max_parallel_default;
  std::optional<base::Duration> timeout;
};

/// `spec` must have passed read_flow_spec with the same catalog.
std::shared_ptr<const Plan> make_plan(const FlowSpec& spec, std::string version,
                                      NodeCatalog catalog);
/// From stored text. A row that no longer reads gives an error, which then fails its runs.
base::Result<std::shared_ptr<const Plan>> load_plan(std::string spec_json, std::string version,
                                                    NodeCatalog catalog);

}  // namespace model
