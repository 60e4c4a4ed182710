// The port through which a shard has work done: attempts, and the evaluation of expressions. What
// comes back is a message in the shard's inbox, exactly one for each call but stop() and
// finished(). nodes/ and exec/ stand behind it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "engine/apply.h"
#include "model/plan.h"
#include "model/value.h"

namespace runtime {

/// What the inputs and expressions of a task run may see. Values are by reference where they are
/// large; reading those is the executor's work, not the shard's.
struct TaskContext {
  base::RunId run{};
  std::string org_id;
  std::shared_ptr<const model::Plan> plan;
  model::TaskIndex task = 0;     // task run
  model::TaskIndex planned = 0;  // its place in the plan
  int map_index = -1;
  std::string trigger_type;
  std::string created_by;
  base::Timestamp created_at;
  int depth = 0;  // of sub-flows
  int run_priority = 0;
  std::string environment_id;
  std::string execution_mode;  // of tasks that name none
  model::Value parameters;
  /// Outputs of the plan's `reads`, in that order; null of a task that did not succeed.
  std::vector<model::Value> outputs;
  model::Value previous;  // output of the last iteration
  // Of the run that a hook follows.
  model::RunStatus run_status = model::RunStatus::running;
  std::optional<model::Failure> run_failure;

  const model::PlannedTask& planned_task() const { return plan->tasks[planned]; }
};

struct AttemptStart {
  TaskContext context;
  int attempt = 0;
  int epoch = 0;
  int iteration = 0;
};

struct ComputeStart {
  TaskContext context;
  engine::Compute::What what;
  std::vector<model::Value> elements;  // to be gathered; null of one that did not succeed
};

/// A sub-flow's run that has ended, and the attempt that it was.
struct ChildEnd {
  std::string org_id;
  base::RunId run{};
  model::TaskIndex task = 0;
  int epoch = 0;
  base::RunId child{};
  TaskContext context = {};  // of the attempt
};

class Executor {
 public:
  virtual ~Executor() = default;
  /// Called by the shard after the commit that records the start. Must not block. The end comes
  /// back as an AttemptEnded, exactly once, also when the attempt could not start; or, of a
  /// sub-flow, as a StartChild.
  virtual void start(AttemptStart attempt) = 0;
  /// Ends an attempt early; its AttemptEnded still comes. An unknown one is ignored.
  virtual void stop(base::RunId run, model::TaskIndex task, int epoch) = 0;
  /// Comes back as a TaskComputed.
  virtual void compute(ComputeStart compute) = 0;
  /// The run that an attempt is has ended; what it ended with comes back as an AttemptEnded.
  virtual void collect(ChildEnd end) = 0;
  /// The run has ended and nothing of it lives: what it left behind locally may go.
  virtual void finished(base::RunId run) = 0;
};

}  // namespace runtime
