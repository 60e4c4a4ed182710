// A line of a run's log as the API shows it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/route.h"
#include "store/runs.h"

namespace api {

struct LogLineView {
  std::string seq;
  base::Timestamp timestamp;
  std::string level;
  std::string message;
  std::string task_run_id;
  int attempt = 0;
  bool truncated = false;
  static const base::Fields& fields();
};

/// "12.3": the commit of the run, and the line of that.
std::string print(store::LogPosition position);
std::optional<store::LogPosition> parse_position(std::string_view text);

/// `name` is the task run's within its run.
LogLineView log_line_view(store::LogPosition position, base::RunId run, const std::string& name,
                          int attempt, const store::LogRecord& record);

/// Names of the task runs by their numbers. Elements of mapped tasks are known by the run alone.
base::Result<std::vector<std::string>> task_run_names(const Call& call, const store::RunRow& row);

}  // namespace api
