// What a run was, task by task, for readers: taken from the state of a live run, or from the rows
// of a finished one. Stored form: docs/formats.md.
#pragma once

#include <string>
#include <vector>

#include "engine/run_state.h"

namespace engine {

struct TaskRecord {
  std::string id;
  std::string name;
  int map_index = -1;  // of an element
  TaskStatus status = TaskStatus::pending;
  int attempt = 0;
  std::optional<base::Timestamp> started_at;
  std::optional<base::Timestamp> finished_at;
  std::optional<Value> output;  // of a task that succeeded
  std::optional<Failure> failure;
  std::vector<EarlierAttempt> earlier;
  std::optional<base::RunId> child;  // the run that its last attempt was
  bool operator==(const TaskRecord&) const = default;
};

TaskRecord record_of(const RunState& state, TaskIndex task);

/// JSON arrays of task records, each within task_chunk_rows_max and task_chunk_bytes_max (a single
/// larger record stands alone); at least one.
std::vector<std::string> encode_tasks(const RunState& state);
/// Appends the records of one array. Error `internal` for a damaged row.
base::Result<> decode_tasks(std::string chunk, std::vector<TaskRecord>& records);

}  // namespace engine
