// The expressions of a task, compiled: what registration checks and a plan keeps.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/cel/program.h"
#include "model/cel/template.h"
#include "model/flow_spec.h"

namespace model {

/// A label of a branch, chosen when its condition is the first that is true.
struct Choice {
  std::string label;
  cel::ProgramPtr condition;
};

struct TaskExpressions {
  // Over parameters, run and tasks.
  std::map<std::string, cel::ProgramPtr> inputs;
  cel::ProgramPtr map_over;
  // Over inputs too.
  cel::ProgramPtr when;
  cel::ProgramPtr concurrency_key;
  cel::ProgramPtr cache_key;
  cel::ProgramPtr repeat_until;
  std::vector<Choice> choices;
  cel::Template config;
  /// What all of them read.
  cel::Reads reads;
};

/// Every expression that does not compile is added to `errors`. `config` is the task's, or `{}`.
TaskExpressions compile_expressions(const TaskSpec& task, const NodeTypeInfo& type,
                                    base::JsonView config, const base::Path& path,
                                    base::FieldErrors& errors);

/// Compiles a flow's concurrency_key.
cel::ProgramPtr compile_flow_key(const FlowSpec& flow, const base::Path& path,
                                 base::FieldErrors& errors);

}  // namespace model
