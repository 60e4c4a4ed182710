// A run as the API shows it, from the memory of its shard or from the store.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/route.h"
#include "engine/record.h"
#include "runtime/events.h"
#include "store/runs.h"

namespace api {

struct FailureView {
  std::string kind;
  std::string message;
  static const base::Fields& fields();
};

/// Stands where a value is too large to be shown.
struct OutputRef {
  std::int64_t bytes = 0;
  std::optional<std::string> sha256;  // of values in object storage
  static const base::Fields& fields();
};

struct AttemptView {
  int attempt = 0;
  base::Timestamp started_at;
  base::Timestamp finished_at;
  FailureView error;
  static const base::Fields& fields();
};

struct TaskRunView {
  std::string task_run_id;
  std::string task_id;
  std::optional<int> map_index;
  std::string name;
  model::TaskStatus status{};
  int attempt = 0;
  base::RawJson output;
  std::optional<OutputRef> output_ref;
  std::optional<base::Timestamp> started_at;
  std::optional<base::Timestamp> finished_at;
  std::optional<FailureView> error;
  std::vector<AttemptView> earlier_attempts;
  std::optional<std::string> child_run_id;
  static const base::Fields& fields();
};

struct RunSummary {
  std::string run_id;
  std::string run_slug;
  std::string flow_name;
  std::string flow_version;
  std::optional<std::string> deployment_name;
  std::optional<std::string> environment_id;
  model::RunStatus status{};
  std::string trigger_type;
  std::string created_by;
  base::Timestamp created_at;
  std::optional<base::Timestamp> started_at;
  std::optional<base::Timestamp> finished_at;
  static const base::Fields& fields();
};

struct RunView {
  std::string run_id;
  std::string run_slug;
  std::string flow_name;
  std::string flow_version;
  std::string org_id;
  model::RunStatus status{};
  std::optional<std::string> deployment_name;
  std::optional<std::string> environment_id;
  model::ExecutionMode execution_mode{};
  std::string executor = "local";
  std::string trigger_type;
  std::optional<std::string> schedule_id;
  std::optional<std::string> sensor_id;
  int priority = 0;
  std::optional<std::string> parent_run_id;
  std::optional<std::string> rerun_of;
  base::RawJson parameters;
  std::optional<OutputRef> parameters_ref;
  std::string created_by;
  base::Timestamp created_at;
  std::optional<base::Timestamp> started_at;
  std::optional<base::Timestamp> finished_at;
  base::RawJson output;
  std::optional<OutputRef> output_ref;
  std::optional<FailureView> error;
  std::vector<TaskRunView> task_runs;
  int task_count = 0;
  static const base::Fields& fields();
};

RunSummary summary_of(const store::RunRow& row);
RunView view_of(const runtime::RunSnapshot& snapshot);
/// Reads a run's tasks from its rows; a live run is folded. The plan is only needed for names and
/// outputs; without one (a damaged spec) the output is left out.
base::Result<RunView> view_of(const Call& call, const store::RunDetail& detail);
base::Result<std::vector<engine::TaskRecord>> task_records(const Call& call,
                                                           const store::RunDetail& detail);
/// The task runs of a run of the caller's organization, live or finished.
base::Result<std::vector<engine::TaskRecord>> tasks_of_run(const Call& call, base::RunId id);
/// `<task id>[:<map index>]`: a task run's id within its run.
std::string task_run_name(const engine::TaskRecord& task);
TaskRunView task_view(base::RunId run, const engine::TaskRecord& task, std::size_t bytes_max);

/// The run of the path's first parameter; `not_found` for anything that is not one.
base::Result<base::RunId> run_id_of(const Call& call);

}  // namespace api
