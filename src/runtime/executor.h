// The port through which a shard starts and ends attempts. nodes/ and exec/ stand behind it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "model/plan.h"
#include "model/value.h"

namespace runtime {

/// One attempt to run, with everything it needs. Inputs are resolved to values, by reference where
/// they are large; reading those is the executor's work, not the shard's.
struct AttemptStart {
  base::RunId run{};
  std::string org_id;
  std::shared_ptr<const model::Plan> plan;
  model::TaskIndex task = 0;
  int attempt = 0;
  int epoch = 0;
  model::Value parameters;
  /// Outputs of the tasks that the inputs name, in the order of plan inputs and their sources.
  std::vector<model::Value> sources;
};

class Executor {
 public:
  virtual ~Executor() = default;
  /// Called by the shard after the commit that records the start. Must not block. The end comes
  /// back as an AttemptEnded, exactly once, also when the attempt could not start.
  virtual void start(AttemptStart attempt) = 0;
  /// Ends an attempt early; its AttemptEnded still comes. An unknown one is ignored.
  virtual void stop(base::RunId run, model::TaskIndex task, int epoch) = 0;
  /// The run has ended and nothing of it lives: what it left behind locally may go.
  virtual void finished(base::RunId run) = 0;
};

}  // namespace runtime
