// Why a run or its tasks wait, from the shard's own state.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "model/plan.h"
#include "model/status.h"

namespace runtime {

/// Who holds what is waited for. Of another organization nothing is told but that.
struct HolderOf {
  bool is_other_organization = false;
  base::RunId run{};
  std::optional<std::string> task_run;  // `<task id>[:<map index>]`; nothing for a whole run
  std::optional<base::Timestamp> since;
};

struct Reason {
  enum class Code {
    paused,             // somebody paused the run
    concurrency_limit,  // the flow's or the task's limit is reached
    slot,               // all slots of the machine are taken
    max_parallel,       // the run's or the mapped task's own limit is reached
    upstream,           // parents have not ended
    evaluating,         // its expressions are being evaluated
    retry,              // the delay before the next attempt
    delay,
    approval,
    subflow,
    stopping,  // what still lives is being ended
  };
  Code code;
  std::optional<std::string> task_run;  // nothing for the run as a whole
  std::string message;
  std::optional<base::Timestamp> since;
  std::optional<base::Timestamp> until;
  std::vector<HolderOf> holders;
};
std::span<const base::EnumName> enum_names(Reason::Code);

struct Explanation {
  model::RunStatus status{};
  std::vector<Reason> reasons;  // at most explained_tasks_max of tasks
  bool is_cut = false;
};

}  // namespace runtime
