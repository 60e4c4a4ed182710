// What the files of run control share.
#pragma once

#include <functional>

#include "api/route.h"
#include "api/run_view.h"

namespace api {

/// The run of the path's first parameter, if it is the caller's organization's; else `not_found`.
base::Result<store::RunRow> own_run_row(const Call& call);
base::Result<base::RunId> own_run(const Call& call);

/// Sends a command to the run and answers with `done` when it is durable; 409 when the run's state
/// does not allow it.
Reply control_run(const Call& call, base::RunId id, engine::Event event, std::string action,
                  std::function<void(Answer)> done);

struct RunAccepted {
  std::string run_id;
  std::string run_slug;
  model::RunStatus status = model::RunStatus::queued;
  static const base::Fields& fields();
};

}  // namespace api
