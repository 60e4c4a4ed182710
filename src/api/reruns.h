// Making runs from earlier ones, one or many at a time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/run_control.h"

namespace api {

struct RerunRequest {
  std::string from = "start";
  base::RawJson parameters = {"{}"};
  static const base::Fields& fields();
};

/// What became of one run of many.
struct BulkItem {
  std::string run_id;
  std::optional<std::string> new_run_id;
  std::optional<std::string> error;
  static const base::Fields& fields();
};

struct BulkResult {
  int done = 0;
  std::vector<BulkItem> items;
  bool has_more = false;
  static const base::Fields& fields();
};

struct Selection {
  std::vector<base::RunId> runs;
  bool has_more = false;
};

/// Whether a run may be repeated that another request repeats at the same time.
enum class Repeat { always, once };

/// Starts a rerun of each run, from what they were when this was asked; answers 200 with what
/// became of each.
base::Result<Reply> rerun_all(const Call& call, const Selection& selection,
                              const RerunRequest& request, Repeat repeat);

}  // namespace api
